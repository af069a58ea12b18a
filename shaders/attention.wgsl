// y [T, H, head_dim] = softmax(q kᵀ × scale) v over the cache: causal, grouped-query, online softmax, in tiles (Flash
// Attention). One workgroup of 64 threads a (KV head, 16 queries): the heads of its group in consecutive rows, so that
// each key and value is read once for all of them. Keys come KEYS at a time through workgroup memory, then their values.
struct Params {
    n_heads: u32, n_kv_heads: u32, stride4: u32, page: u32,
    scale: f32, soft_cap: f32, window: u32, bias_columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> state: array<u32>;
@group(0) @binding(3) var<storage, read> q: array<vec4f>;       // [T, H × DIMS4]
@group(0) @binding(4) var<storage, read> keys: array<Stored>;   // [pages, Hkv, page, head_dim]
@group(0) @binding(5) var<storage, read> values: array<Stored>;
@group(0) @binding(6) var<storage, read> bias: array<f32>;      // [H, bias_columns], by distance, where BIAS is 1
@group(0) @binding(7) var<storage, read_write> y: array<vec4f>; // [T, H × DIMS4]

// Low enough to lose every comparison, high enough that a difference of two is still a number for fast-math compilers.
const LOWEST: f32 = -1e30;
const DIMS4: u32 = HEAD_DIM / 4u;
const QUERIES: u32 = 16u;
// Four queries a thread, and every 16th key or cell.
const KEYS_A_THREAD: u32 = (KEYS + 15u) / 16u;
const CELLS_A_THREAD: u32 = (DIMS4 + 15u) / 16u;
// One more than keys: the cells of a key lie in different banks.
const KEY_STRIDE: u32 = KEYS + 1u;

var<workgroup> tile: array<Cell, KEY_STRIDE * DIMS4>;   // [DIMS4, KEYS], then values [KEYS, DIMS4]
var<workgroup> scores: array<f32, QUERIES * KEYS>;      // then weights
var<workgroup> corrections: array<f32, QUERIES>;
var<workgroup> sums: array<f32, 64>;
// Not 0: the tile of values holds NaN or infinity. Times a weight of 0 that is NaN, so hidden keys are then left out.
var<workgroup> odd: atomic<u32>;

fn is_odd(x: vec4f) -> bool { return any((bitcast<vec4u>(x) & vec4u(0x7f800000u)) == vec4u(0x7f800000u)); }

// A value times its weight, and nothing of a key that is hidden, whatever its value.
fn weighed(weight: f32, value: vec4f) -> vec4f { return select(weight * value, vec4f(), weight == 0.0); }

// Keys behind its own that a row sees: those of its picture, in models whose pictures see themselves.
fn ahead_of(row: u32) -> u32 {
    if (WHOLE_MEDIA == 0u) { return 0u; }
    return max(media_rows(row), 1u) - 1u;
}

@compute @workgroup_size(64)
fn attention(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let kv_head = group.x;
    let heads_a_key = params.n_heads / params.n_kv_heads;
    let queries = rows_in_use() * heads_a_key;
    let first_query = group.y * QUERIES;
    if (first_query >= queries) { return; }
    let last_query = min(first_query + QUERIES, queries) - 1u;

    // Scores and values: queries own, own + 1, …, own + 3. Softmax: query `mine`, a quarter of the keys.
    let own = local / 16u * 4u;
    let column = local % 16u;
    let mine = local / 4u;
    let quarter = local % 4u;
    var q_at = array<u32, 4>();
    var rows = array<Row, 4>();
    var ahead = array<u32, 4>();
    var bias_at = array<u32, 4>(); // of position 0
    for (var i = 0u; i < 4u; i++) {
        let query = min(first_query + own + i, last_query);
        rows[i] = row_at(query / heads_a_key);
        ahead[i] = ahead_of(query / heads_a_key);
        let head = kv_head * heads_a_key + query % heads_a_key;
        q_at[i] = query / heads_a_key * params.stride4 + head * DIMS4;
        bias_at[i] = head * params.bias_columns + params.bias_columns / 2u - rows[i].position;
    }
    var highest = LOWEST;
    var sum = 0.0;
    var gathered = array<vec4f, 4u * CELLS_A_THREAD>();

    // Rows that follow each other are mostly of one slot; those of each are done by themselves.
    var row = first_query / heads_a_key;
    let last_row = last_query / heads_a_key;
    while (row <= last_row) {
        let slot = row_at(row).slot;
        var begin = context();
        var end = 0u;
        while (row <= last_row && row_at(row).slot == slot) {
            let keys_end = min(row_at(row).position + 1u, context());
            begin = min(begin, keys_end - min(keys_end, params.window));
            end = max(end, min(keys_end + ahead_of(row), context()));
            row++;
        }
        for (var first = begin; first < end; first += KEYS) {
            let in_tile = min(KEYS, end - first);
            for (var i = local; i < in_tile * DIMS4; i += 64u) {
                let cell = key_cell(cache_row(slot, first + i / DIMS4, kv_head), i % DIMS4);
                tile[i % DIMS4 * KEY_STRIDE + i / DIMS4] = cell;
            }
            workgroupBarrier();
            var dots = array<vec4f, KEYS_A_THREAD>(); // of each key, with four queries
            for (var d = 0u; d < DIMS4; d++) {
                let q0 = q[q_at[0] + d];
                let q1 = q[q_at[1] + d];
                let q2 = q[q_at[2] + d];
                let q3 = q[q_at[3] + d];
                for (var i = 0u; i < KEYS_A_THREAD; i++) {
                    let key = numbers_of(tile[d * KEY_STRIDE + min(column + i * 16u, KEYS - 1u)]);
                    dots[i] += vec4f(dot(q0, key), dot(q1, key), dot(q2, key), dot(q3, key));
                }
            }
            for (var i = 0u; i < KEYS_A_THREAD; i++) {
                let key = column + i * 16u;
                if (key >= KEYS) { break; }
                for (var j = 0u; j < 4u; j++) {
                    var score = dots[i][j] * params.scale;
                    // Beyond ±9 tanh is ±1 to f32; some implementations overflow further out.
                    // NaN and infinity stay: it would make numbers of them.
                    if (SOFT_CAP == 1u && is_finite(score)) {
                        score = params.soft_cap * tanh(clamp(score / params.soft_cap, -9.0, 9.0));
                    }
                    if (BIAS == 1u) { score += bias[bias_at[j] + first + key]; }
                    let ago = rows[j].position - (first + key); // wraps for keys of the future
                    let past = ago < params.window && ago <= rows[j].position;
                    let seen = rows[j].slot == slot && key < in_tile && (past || 0u - ago <= ahead[j]);
                    scores[(own + j) * KEYS + key] = select(LOWEST, score, seen);
                }
            }
            if (local == 0u) { atomicStore(&odd, 0u); }
            workgroupBarrier();
            for (var i = local; i < in_tile * DIMS4; i += 64u) {
                let cell = value_cell(cache_row(slot, first + i / DIMS4, kv_head), i % DIMS4);
                tile[i] = cell;
                if (is_odd(numbers_of(cell))) { atomicStore(&odd, 1u); }
            }
            let before = highest;
            for (var key = 0u; key < KEYS; key++) { highest = max(highest, scores[mine * KEYS + key]); }
            let correction = exp(max(before - highest, -80.0));
            sum *= correction;
            workgroupBarrier(); // all scores have been seen
            for (var key = quarter; key < KEYS; key += 4u) {
                let score = scores[mine * KEYS + key];
                var weight = 0.0;
                if (score > LOWEST) { weight = exp(max(score - highest, -80.0)); }
                if (!is_finite(score)) { weight = score; } // the query's answer is no number either
                scores[mine * KEYS + key] = weight;
                sum += weight;
            }
            if (quarter == 0u) { corrections[mine] = correction; }
            workgroupBarrier();
            let leaves_out = atomicLoad(&odd) > 0u;
            for (var c = 0u; c < CELLS_A_THREAD; c++) {
                let cell = min(column + c * 16u, DIMS4 - 1u);
                var g0 = gathered[c * 4u] * corrections[own];
                var g1 = gathered[c * 4u + 1u] * corrections[own + 1u];
                var g2 = gathered[c * 4u + 2u] * corrections[own + 2u];
                var g3 = gathered[c * 4u + 3u] * corrections[own + 3u];
                for (var key = 0u; key < in_tile; key++) {
                    let value = numbers_of(tile[key * DIMS4 + cell]);
                    if (leaves_out) {
                        g0 += weighed(scores[own * KEYS + key], value);
                        g1 += weighed(scores[(own + 1u) * KEYS + key], value);
                        g2 += weighed(scores[(own + 2u) * KEYS + key], value);
                        g3 += weighed(scores[(own + 3u) * KEYS + key], value);
                        continue;
                    }
                    g0 += scores[own * KEYS + key] * value;
                    g1 += scores[(own + 1u) * KEYS + key] * value;
                    g2 += scores[(own + 2u) * KEYS + key] * value;
                    g3 += scores[(own + 3u) * KEYS + key] * value;
                }
                gathered[c * 4u] = g0;
                gathered[c * 4u + 1u] = g1;
                gathered[c * 4u + 2u] = g2;
                gathered[c * 4u + 3u] = g3;
            }
            workgroupBarrier(); // the next tile's keys take the place of these values
        }
    }
    sums[local] = sum;
    workgroupBarrier();
    for (var i = 0u; i < 4u; i++) {
        if (first_query + own + i > last_query) { break; }
        let at = (own + i) * 4u;
        let all = sums[at] + sums[at + 1u] + sums[at + 2u] + sums[at + 3u];
        for (var c = 0u; c < CELLS_A_THREAD; c++) {
            let cell = column + c * 16u;
            if (cell < DIMS4) { y[q_at[i] + cell] = gathered[c * 4u + i] / all; }
        }
    }
}
