// The next token of each logit row, into `state`: the second of the sampler's two stages. One workgroup a row.
@group(0) @binding(4) var<storage, read> partials: array<vec2u>;     // [L, chunks] of (key, id)
@group(0) @binding(5) var<storage, read_write> state: array<u32>;

// Below it the distribution is a point, whatever the logits.
const LEAST_TEMPERATURE: f32 = 1.0e-5;

const THREADS: u32 = 256u;
const DIGITS: u32 = 15u; // digits 1..15: 0 is what remains

var<workgroup> sums: array<f32, 3840>; // [THREADS, DIGITS]
var<workgroup> totals: array<f32, 15>;
var<workgroup> best_key: atomic<u32>;
var<workgroup> best_key_id: atomic<u32>; // inverted, likewise
var<workgroup> best_score: atomic<u32>;
var<workgroup> best_id: atomic<u32>; // inverted: the largest is the lowest id

// What one thread needs to read its row.
struct Source { row: u32, slot: u32, flags: u32, max: f32, per_temperature: f32 }

fn logit_of(source: Source, id: u32) -> f32 { return edited_logit(source.row, source.slot, source.flags, id); }

// The probability of a logit, relative to the most likely token's.
fn relative(source: Source, z: f32) -> f32 { return exp(max((z - source.max) * source.per_temperature, -80.0)); }

// The sum of all threads' values, the same in each of them.
fn total_of(value: f32, local: u32) -> f32 {
    sums[local] = value;
    workgroupBarrier();
    if (local < DIGITS) {
        var sum = 0.0;
        for (var i = local; i < THREADS; i += DIGITS) { sum += sums[i]; }
        totals[local] = sum;
    }
    workgroupBarrier();
    var sum = 0.0;
    for (var i = 0u; i < DIGITS; i++) { sum += totals[i]; }
    return sum;
}

// The greatest key at which the tokens at or above it amount to `want`: in number, or (by_mass) in relative
// probability. Found digit by digit, four bits at a time, among keys ≥ `least`; 0 if all of them are too little.
fn threshold(source: Source, by_mass: bool, want: f32, least: u32, local: u32) -> u32 {
    var low = 0u;    // the digits found so far
    var above = 0.0; // the amount above all keys that begin with them
    for (var shift = 28u; shift < 32u; shift -= 4u) { // wraps past 0
        var amounts = array<vec4f, 4>(); // by digit
        for (var id = local; id < params.vocab; id += THREADS) {
            let z = logit_of(source, id);
            let key = key_of(z);
            let digit = (key - low) >> shift; // of keys below `low`: more than 15
            if (key < least || digit > 15u) { continue; }
            var amount = 1.0;
            if (by_mass) { amount = relative(source, z); }
            for (var i = 0u; i < 4u; i++) {
                amounts[i] += select(vec4f(), vec4f(amount), vec4u(digit) == vec4u(0u, 1u, 2u, 3u) + i * 4u);
            }
        }
        for (var digit = 1u; digit <= DIGITS; digit++) {
            sums[local * DIGITS + digit - 1u] = amounts[digit / 4u][digit % 4u];
        }
        workgroupBarrier();
        if (local < DIGITS) {
            var sum = 0.0;
            for (var i = 0u; i < THREADS; i++) { sum += sums[i * DIGITS + local]; }
            totals[local] = sum;
        }
        workgroupBarrier();
        var digit = DIGITS;
        for (; digit > 0u; digit--) {
            if (above + totals[digit - 1u] >= want) { break; }
            above += totals[digit - 1u];
        }
        low += digit << shift;
    }
    return low;
}

// An integer hash with good avalanche (Wellons, "lowbias32").
fn mix(value: u32) -> u32 {
    var x = value;
    x = (x ^ (x >> 16u)) * 0x7feb352du;
    x = (x ^ (x >> 15u)) * 0x846ca68bu;
    return x ^ (x >> 16u);
}

// Standard Gumbel noise (Gumbel-max: argmax of logit + noise is a draw from the softmax), a pure function of key and id.
fn gumbel(key: vec2u, id: u32) -> f32 {
    let u = min((f32(mix(mix(id ^ key.x) + key.y)) + 0.5) * 2.3283064365386963e-10, 0.99999994); // in (0, 1)
    // −ln(1 − u), by its series where 1 − u would lose the digits of a small u.
    var exponential = u * (1.0 + u * (0.5 + u / 3.0));
    if (u > 0.0078125) { exponential = -log(1.0 - u); }
    return -log(exponential);
}

@compute @workgroup_size(256)
fn sample(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    if (group.x >= logit_rows_in_use()) { return; }
    let index = gathered(group.x);
    let slot = slot_of(index);
    let sampling = sampling_of(slot);
    let position = row_at(index).position;
    var best = Best(0u, 0u);
    for (var i = local; i < params.chunks; i += THREADS) {
        let pair = partials[group.x * params.partial_stride2 + i];
        best = better(best, Best(pair.x, pair.y));
    }
    if (local == 0u) { // workgroup memory begins with anything
        atomicStore(&best_key, 0u);
        atomicStore(&best_key_id, 0u);
        atomicStore(&best_score, 0u);
        atomicStore(&best_id, 0u);
    }
    workgroupBarrier();
    atomicMax(&best_key, best.key);
    workgroupBarrier();
    if (best.key == atomicLoad(&best_key)) { atomicMax(&best_key_id, ~best.id); }
    workgroupBarrier();
    best = Best(atomicLoad(&best_key), ~atomicLoad(&best_key_id));
    // A row with NaN or +∞, or of nothing but -∞, is still drawn from, since a barrier must not depend on it, but the draw does not count.
    let broken = best.key == NOT_A_NUMBER || best.key == key_of(LEAST);
    var token = best.id;
    if (sampling.temperature >= LEAST_TEMPERATURE) {
        let source = Source(group.x, slot, sampling.flags, select(number_of(best.key), 0.0, broken), 1.0 / sampling.temperature);
        var least = 0u;
        if (sampling.top_k > 0u && sampling.top_k < params.vocab) {
            least = threshold(source, false, f32(sampling.top_k), 0u, local);
        }
        if (sampling.top_p < 1.0) {
            var mass = 0.0;
            for (var id = local; id < params.vocab; id += THREADS) {
                let z = logit_of(source, id);
                if (key_of(z) >= least) { mass += relative(source, z); }
            }
            let want = sampling.top_p * total_of(mass, local);
            least = max(least, threshold(source, true, want, least, local));
        }
        least = min(least, best.key); // the most likely token always stays

        let key = vec2u(mix(sampling.seed.x ^ mix(position)), mix(sampling.seed.y + mix(~position)));
        var winner = Best(0u, 0u);
        for (var id = local; id < params.vocab; id += THREADS) {
            let z = logit_of(source, id);
            let is_best = key_of(z) == best.key;
            if (key_of(z) < least || (!is_best && relative(source, z) < sampling.min_p)) { continue; }
            let score = max((z - source.max) * source.per_temperature, -1.0e30) + gumbel(key, id);
            winner = better(winner, Best(key_of(score), id));
        }
        atomicMax(&best_score, winner.key);
        workgroupBarrier();
        if (winner.key > 0u && winner.key == atomicLoad(&best_score)) { atomicMax(&best_id, ~winner.id); }
        workgroupBarrier();
        token = ~atomicLoad(&best_id);
    }
    if (local == 0u && position < context()) {
        state[4u * slot] = select(token, best.id | BROKEN, broken);
        state[4u * slot + 1u] = position + 1u;
    }
}
