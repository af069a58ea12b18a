// y [T, H, head_dim] = softmax(q kᵀ × scale) v, causal, grouped-query, online softmax. One workgroup a (head, row).
// Keys come in tiles of 64: first a thread scores one key, then a thread gathers four dimensions of every n-th value.
struct Params {
    n_heads: u32, n_kv_heads: u32, head_dim: u32, stride: u32,
    page: u32, scale: f32, soft_cap: f32, window: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> state: array<u32>;
@group(0) @binding(3) var<storage, read> q: array<vec4f>;         // [T, H × head_dim / 4]
@group(0) @binding(4) var<storage, read> keys: array<vec2u>;      // [pages, Hkv, page, head_dim]: four f16, or half of four f32
@group(0) @binding(5) var<storage, read> values: array<vec2u>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4f>;   // [T, H × head_dim / 4]

// Low enough to lose every comparison, high enough that a difference of two is still a number for fast-math compilers.
const LOWEST: f32 = -1e30;

var<workgroup> query: array<vec4f, 64>;
var<workgroup> scores: array<f32, 64>;
var<workgroup> weights: array<f32, 64>;
var<workgroup> gathers: array<vec4f, 64>;

fn load_key(cell: u32) -> vec4f {
    if (KV_F32 == 1u) { return bitcast<vec4f>(vec4u(keys[cell * 2u], keys[cell * 2u + 1u])); }
    return vec4f(unpack2x16float(keys[cell].x), unpack2x16float(keys[cell].y));
}

fn load_value(cell: u32) -> vec4f {
    if (KV_F32 == 1u) { return bitcast<vec4f>(vec4u(values[cell * 2u], values[cell * 2u + 1u])); }
    return vec4f(unpack2x16float(values[cell].x), unpack2x16float(values[cell].y));
}

// Where a position's head begins in the cache, in cells of four.
fn cell_at(slot: u32, position: u32, kv_head: u32) -> u32 {
    let at = cache_position(slot, position, params.page);
    return ((at / params.page * params.n_kv_heads + kv_head) * params.page + at % params.page) * (params.head_dim / 4u);
}

@compute @workgroup_size(64)
fn attention(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    if (group.y >= rows_in_use()) { return; }
    let row = row_at(group.y);
    let n_keys = min(row.position + 1u, context());
    let first_key = row.position + 1u - min(row.position + 1u, params.window);
    let kv_head = group.x / (params.n_heads / params.n_kv_heads);
    let dims4 = params.head_dim / 4u;
    let at = group.y * (params.stride / 4u) + group.x * dims4;
    if (local < dims4) { query[local] = q[at + local]; }
    workgroupBarrier();

    // In the second half, `gatherers` groups of threads share the tile's values.
    let gatherers = 64u / dims4;
    let dim4 = local % dims4;
    let gatherer = local / dims4;

    var running_max = LOWEST;
    var running_sum = 0.0;
    var gathered = vec4f();
    for (var tile = first_key; tile < n_keys; tile += 64u) {
        let in_tile = min(64u, n_keys - tile);
        var score = LOWEST;
        if (local < in_tile) {
            let cell = cell_at(row.slot, tile + local, kv_head);
            var sum = vec4f();
            for (var d = 0u; d < dims4; d++) { sum += query[d] * load_key(cell + d); }
            score = (sum.x + sum.y + sum.z + sum.w) * params.scale;
            // Beyond ±9 tanh is ±1 to f32; some implementations overflow further out.
            if (SOFT_CAP == 1u) { score = params.soft_cap * tanh(clamp(score / params.soft_cap, -9.0, 9.0)); }
        }
        scores[local] = score;
        workgroupBarrier();
        // Every thread finds the maximum itself: cheaper than a tree of barriers.
        var new_max = running_max;
        for (var i = 0u; i < in_tile; i++) { new_max = max(new_max, scores[i]); }
        let correction = exp(max(running_max - new_max, -80.0));
        running_max = new_max;
        weights[local] = select(0.0, exp(score - new_max), local < in_tile);
        workgroupBarrier();
        running_sum *= correction;
        for (var i = 0u; i < in_tile; i++) { running_sum += weights[i]; }
        gathered *= correction;
        if (gatherer < gatherers) {
            for (var i = gatherer; i < in_tile; i += gatherers) {
                gathered += weights[i] * load_value(cell_at(row.slot, tile + i, kv_head) + dim4);
            }
        }
    }
    gathers[local] = gathered;
    workgroupBarrier();
    if (local < dims4) {
        for (var g = 1u; g < gatherers; g++) { gathered += gathers[g * dims4 + local]; }
        y[at + local] = gathered / running_sum;
    }
}
