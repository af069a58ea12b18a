// y [T, H, head_dim] = attention of each row over its slot's cache and its own key and value, which join the cache:
// QK-norm, rotary positions, cache write, scores, softmax and gather in one dispatch. The rows are of different slots.
//
// One workgroup a (SHARE heads of one KV head, row, chunk of keys): each key and value is read once for all of them.
// Keys come in tiles of 64: first a thread scores one key, then a thread gathers four dimensions of every n-th value.
// SPLIT: several chunks share a row's keys. Each then leaves, for attend_merge, what it gathered, the maximum of its
// scores and the sum of its weights.
struct Params {
    n_heads: u32, n_kv_heads: u32, stride: u32, page: u32,
    scale: f32, soft_cap: f32, window: u32, rope_dims: u32,
    q_epsilon: f32, k_epsilon: f32, chunks: u32, unused: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> state: array<u32>;
@group(0) @binding(3) var<storage, read> qkv: array<f32>;          // [T, (H + 2 Hkv) × head_dim]
@group(0) @binding(4) var<storage, read> table: array<vec2f>;      // [context, rope_dims / 2] of (cos, sin)
@group(0) @binding(5) var<storage, read> norms: array<f32>;        // weights of the norm of q, then of k
@group(0) @binding(6) var<storage, read_write> keys: array<Stored>; // [pages, Hkv, page, head_dim]
@group(0) @binding(7) var<storage, read_write> values: array<Stored>;
@group(0) @binding(8) var<storage, read_write> y: array<vec4f>;    // [T, H × DIMS4], SPLIT: [T, H, chunks, DIMS4 + 1]

// Low enough to lose every comparison, high enough that a difference of two is still a number for fast-math compilers.
const LOWEST: f32 = -1e30;
const DIMS4: u32 = HEAD_DIM / 4u;
// Groups of threads that share a tile's values.
const GATHERERS: u32 = 64u / DIMS4;

var<workgroup> raw: array<f32, (SHARE + 1u) * HEAD_DIM>; // the heads of q, then that of k, before they turn
var<workgroup> query: array<vec4f, SHARE * DIMS4>;
var<workgroup> own_key: array<vec4f, DIMS4>;
var<workgroup> own_value: array<vec4f, DIMS4>;
var<workgroup> scores: array<f32, (SHARE + 1u) * 64u>; // of a tile; before, sums of squares; after, weights
var<workgroup> maxima: array<f32, SHARE>;
var<workgroup> corrections: array<f32, SHARE>;
var<workgroup> sums: array<f32, SHARE>;
var<workgroup> gathers: array<vec4f, 64>;

// A dimension of the head at `base` of `raw`, turned by its position.
fn turned(base: u32, position: u32, d: u32) -> f32 {
    let x = raw[base + d];
    if (ROPE == 0u || d >= params.rope_dims) { return x; }
    let half = params.rope_dims / 2u;
    var pair = d >> 1u;
    var partner = d ^ 1u;
    var first = (d & 1u) == 0u;
    if (ROPE == 2u) { // halves turn together
        pair = d % half;
        partner = select(d - half, d + half, d < half);
        first = d < half;
    }
    let angle = table[position * half + pair];
    return x * angle.x + raw[base + partner] * select(angle.y, -angle.y, first);
}

fn turned4(base: u32, position: u32, d: u32) -> vec4f {
    return vec4f(
        turned(base, position, d), turned(base, position, d + 1u),
        turned(base, position, d + 2u), turned(base, position, d + 3u),
    );
}

// q and k of the row into `raw`, normalised, once all threads are through.
fn load_heads(local: u32, row_at: u32, head: u32, kv_head: u32) {
    let k_first = params.n_heads * HEAD_DIM;
    for (var g = 0u; g <= SHARE; g++) { // the last is the key
        let first = row_at + select(k_first + kv_head * HEAD_DIM, (head + g) * HEAD_DIM, g < SHARE);
        var sum = 0.0;
        for (var d = local; d < HEAD_DIM; d += 64u) {
            let x = qkv[first + d];
            raw[g * HEAD_DIM + d] = x;
            sum += x * x;
        }
        if (QK_NORM == 1u) { scores[g * 64u + local] = sum; }
    }
    if (QK_NORM == 2u) { // over all heads of the row
        var sum = vec2f();
        for (var i = local; i < k_first; i += 64u) { let x = qkv[row_at + i]; sum.x += x * x; }
        for (var i = local; i < params.n_kv_heads * HEAD_DIM; i += 64u) {
            let x = qkv[row_at + k_first + i];
            sum.y += x * x;
        }
        scores[local] = sum.x;
        scores[64u + local] = sum.y;
    }
    workgroupBarrier();
    if (QK_NORM == 0u) { return; }
    for (var g = 0u; g <= SHARE; g++) {
        let is_key = g == SHARE;
        var sums_at = g * 64u;
        var count = HEAD_DIM;
        var weight_at = select(0u, HEAD_DIM, is_key);
        if (QK_NORM == 2u) {
            sums_at = select(0u, 64u, is_key);
            count = select(params.n_heads, params.n_kv_heads, is_key) * HEAD_DIM;
            weight_at = select(head + g, params.n_heads + kv_head, is_key) * HEAD_DIM;
        }
        var sum = 0.0;
        for (var i = 0u; i < 64u; i++) { sum += scores[sums_at + i]; }
        let scale = inverseSqrt(sum / f32(count) + select(params.q_epsilon, params.k_epsilon, is_key));
        for (var d = local; d < HEAD_DIM; d += 64u) { raw[g * HEAD_DIM + d] *= scale * norms[weight_at + d]; }
    }
    workgroupBarrier();
}

@compute @workgroup_size(64)
fn attend(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    if (group.y >= rows_in_use()) { return; }
    let row = row_at(group.y);
    if (row.position >= context()) { return; }
    let heads_a_key = params.n_heads / params.n_kv_heads;
    let head = group.x * SHARE;
    let kv_head = head / heads_a_key;
    let end_of_keys = row.position + 1u;
    let first_key = end_of_keys - min(end_of_keys, params.window);
    var begin = first_key;
    var end = end_of_keys;
    if (SPLIT == 1u) {
        let length = keys_a_chunk(end_of_keys - first_key, params.chunks);
        begin = first_key + group.z * length;
        end = min(end_of_keys, begin + length);
        if (begin >= end) { return; }
    }

    let qkv_at = group.y * params.stride;
    load_heads(local, qkv_at, head, kv_head);
    let v_at = qkv_at + (params.n_heads + params.n_kv_heads + kv_head) * HEAD_DIM;
    for (var i = local; i < SHARE * DIMS4; i += 64u) {
        query[i] = turned4(i / DIMS4 * HEAD_DIM, row.position, i % DIMS4 * 4u);
    }
    // A thread keeps up to 32 dimensions of the key, another those of the value.
    let block = local % 32u;
    if (end == end_of_keys && block * 8u < DIMS4) {
        let is_value = local >= 32u;
        var numbers = array<vec4f, 8>();
        for (var i = 0u; i < min(8u, DIMS4 - block * 8u); i++) {
            let d = (block * 8u + i) * 4u;
            if (is_value) {
                numbers[i] = vec4f(qkv[v_at + d], qkv[v_at + d + 1u], qkv[v_at + d + 2u], qkv[v_at + d + 3u]);
            } else {
                numbers[i] = turned4(SHARE * HEAD_DIM, row.position, d);
            }
        }
        // The first of those that share them writes; nobody reads this position of the cache in this dispatch.
        let writes = head % heads_a_key == 0u;
        let to = cache_row(row.slot, row.position, kv_head);
        if (is_value) { numbers = store_value(to, block, numbers, writes); } else { numbers = store_key(to, block, numbers, writes); }
        for (var i = 0u; i < min(8u, DIMS4 - block * 8u); i++) {
            if (is_value) { own_value[block * 8u + i] = numbers[i]; } else { own_key[block * 8u + i] = numbers[i]; }
        }
    }
    if (local < SHARE) {
        maxima[local] = LOWEST;
        sums[local] = 0.0;
    }
    workgroupBarrier();

    let dim4 = local % DIMS4;
    let gatherer = local / DIMS4;
    var gathered = array<vec4f, SHARE>();
    for (var tile = begin; tile < end; tile += 64u) {
        let in_tile = min(64u, end - tile);
        if (local < in_tile) {
            let is_own = tile + local == row.position;
            let key_row = cache_row(row.slot, tile + local, kv_head);
            var dots = array<f32, SHARE>();
            for (var d = 0u; d < DIMS4; d++) {
                var key = own_key[d];
                if (!is_own) { key = key_numbers(key_row, d); }
                for (var g = 0u; g < SHARE; g++) { // unrolled
                    dots[g] += dot(query[g * DIMS4 + d], key);
                }
            }
            for (var g = 0u; g < SHARE; g++) { // unrolled
                var score = dots[g] * params.scale;
                // Beyond ±9 tanh is ±1 to f32; some implementations overflow further out.
                // NaN and infinity stay: it would make numbers of them.
                if (SOFT_CAP == 1u && is_finite(score)) {
                    score = params.soft_cap * tanh(clamp(score / params.soft_cap, -9.0, 9.0));
                }
                scores[g * 64u + local] = score;
            }
        }
        workgroupBarrier();
        if (local < SHARE) {
            let before = maxima[local];
            var highest = before;
            for (var i = 0u; i < in_tile; i++) { highest = max(highest, scores[local * 64u + i]); }
            maxima[local] = highest;
            corrections[local] = exp(max(before - highest, -80.0));
        }
        workgroupBarrier();
        if (local < in_tile) {
            for (var g = 0u; g < SHARE; g++) {
                let ago = scores[g * 64u + local] - maxima[g];
                scores[g * 64u + local] = select(ago, exp(max(ago, -80.0)), is_finite(ago)); // what is no number stays
            }
        }
        workgroupBarrier();
        if (local < SHARE) {
            var sum = sums[local] * corrections[local];
            for (var i = 0u; i < in_tile; i++) { sum += scores[local * 64u + i]; }
            sums[local] = sum;
        }
        for (var g = 0u; g < SHARE; g++) { // unrolled
            gathered[g] *= corrections[g];
        }
        if (gatherer < GATHERERS) {
            for (var i = gatherer; i < in_tile; i += GATHERERS) {
                var value = own_value[dim4];
                if (tile + i != row.position) { value = value_numbers(cache_row(row.slot, tile + i, kv_head), dim4); }
                for (var g = 0u; g < SHARE; g++) { // unrolled
                    gathered[g] += scores[g * 64u + i] * value;
                }
            }
        }
        workgroupBarrier(); // the next tile's scores take the place of these weights
    }

    var each = gathered; // a copy: what loops index need not be in registers any more
    for (var g = 0u; g < SHARE; g++) {
        gathers[local] = each[g];
        workgroupBarrier();
        if (local < DIMS4) {
            var all = gathers[local];
            for (var i = 1u; i < GATHERERS; i++) { all += gathers[i * DIMS4 + local]; }
            let index = group.y * params.n_heads + head + g;
            if (SPLIT == 1u) {
                let at = (index * params.chunks + group.z) * (DIMS4 + 1u);
                y[at + local] = all;
                if (local == 0u) { y[at + DIMS4] = vec4f(maxima[g], sums[g], 0.0, 0.0); }
            } else {
                y[index * DIMS4 + local] = all / sums[g];
            }
        }
        workgroupBarrier();
    }
}
