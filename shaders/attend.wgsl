// y [T, H, head_dim] = attention of each row over its slot's cache and its own key and value, which join the cache:
// QK-norm, rotary positions, cache write, scores, softmax and gather in one dispatch. The rows are of different slots.
// One workgroup a (head, row). Keys come in tiles of 64: first a thread scores one key, then a thread gathers four
// dimensions of every n-th value.
struct Params {
    n_heads: u32, n_kv_heads: u32, head_dim: u32, stride: u32,
    page: u32, scale: f32, soft_cap: f32, window: u32,
    rope_dims: u32, q_epsilon: f32, k_epsilon: f32, unused: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> state: array<u32>;
@group(0) @binding(3) var<storage, read> qkv: array<f32>;          // [T, (H + 2 Hkv) × head_dim]
@group(0) @binding(4) var<storage, read> table: array<vec2f>;      // [context, rope_dims / 2] of (cos, sin)
@group(0) @binding(5) var<storage, read> norms: array<f32>;        // weights of the norm of q, then of k
@group(0) @binding(6) var<storage, read_write> keys: array<vec2u>; // [pages, Hkv, page, head_dim]: four f16, or half of four f32
@group(0) @binding(7) var<storage, read_write> values: array<vec2u>;
@group(0) @binding(8) var<storage, read_write> y: array<vec4f>;    // [T, H × head_dim / 4]

// Low enough to lose every comparison, high enough that a difference of two is still a number for fast-math compilers.
const LOWEST: f32 = -1e30;

var<workgroup> raw: array<f32, 512>; // the head of q, then of k, before they turn
var<workgroup> squares: array<vec2f, 64>;
var<workgroup> query: array<vec4f, 64>;
var<workgroup> own_key: array<vec4f, 64>;
var<workgroup> own_value: array<vec4f, 64>;
var<workgroup> scores: array<f32, 64>;
var<workgroup> weights: array<f32, 64>;
var<workgroup> gathers: array<vec4f, 64>;

// What a number becomes in the cache.
fn kept(x: vec4f) -> vec4f {
    if (KV_F32 == 1u) { return x; }
    return vec4f(unpack2x16float(pack2x16float(x.xy)), unpack2x16float(pack2x16float(x.zw)));
}

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

@compute @workgroup_size(64)
fn attend(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    if (group.y >= rows_in_use()) { return; }
    let row = row_at(group.y);
    if (row.position >= context()) { return; }
    let head_dim = params.head_dim;
    let dims4 = head_dim / 4u;
    let heads_a_key = params.n_heads / params.n_kv_heads;
    let kv_head = group.x / heads_a_key;
    let q_at = group.y * params.stride + group.x * head_dim;
    let k_at = group.y * params.stride + (params.n_heads + kv_head) * head_dim;
    let v_at = k_at + params.n_kv_heads * head_dim;

    // 1 / rms of q and k, over the head or over all heads of the row.
    var norm = vec2f(1.0);
    if (QK_NORM > 0u) {
        var sums = vec2f();
        var counts = vec2u(head_dim);
        var firsts = vec2u(q_at, k_at);
        if (QK_NORM == 2u) {
            counts = vec2u(params.n_heads, params.n_kv_heads) * head_dim;
            firsts = vec2u(group.y * params.stride, group.y * params.stride + params.n_heads * head_dim);
        }
        for (var i = local; i < counts.x; i += 64u) { let x = qkv[firsts.x + i]; sums.x += x * x; }
        for (var i = local; i < counts.y; i += 64u) { let x = qkv[firsts.y + i]; sums.y += x * x; }
        squares[local] = sums;
        workgroupBarrier();
        sums = vec2f();
        for (var i = 0u; i < 64u; i++) { sums += squares[i]; }
        norm = inverseSqrt(sums / vec2f(counts) + vec2f(params.q_epsilon, params.k_epsilon));
    }
    for (var d = local; d < head_dim; d += 64u) {
        var weight = vec2f(1.0);
        if (QK_NORM == 1u) { weight = vec2f(norms[d], norms[head_dim + d]); }
        if (QK_NORM == 2u) {
            weight.x = norms[group.x * head_dim + d];
            weight.y = norms[(params.n_heads + kv_head) * head_dim + d];
        }
        raw[d] = qkv[q_at + d] * norm.x * weight.x;
        raw[256u + d] = qkv[k_at + d] * norm.y * weight.y;
    }
    workgroupBarrier();
    if (local < dims4) {
        let d = local * 4u;
        query[local] = turned4(0u, row.position, d);
        let key = turned4(256u, row.position, d);
        let value = vec4f(qkv[v_at + d], qkv[v_at + d + 1u], qkv[v_at + d + 2u], qkv[v_at + d + 3u]);
        own_key[local] = kept(key);
        own_value[local] = kept(value);
        // The first of the heads that share them writes; nobody reads this position of the cache in this dispatch.
        if (group.x % heads_a_key == 0u) {
            let cell = cell_at(row.slot, row.position, kv_head) + local;
            if (KV_F32 == 1u) {
                keys[cell * 2u] = bitcast<vec2u>(key.xy);
                keys[cell * 2u + 1u] = bitcast<vec2u>(key.zw);
                values[cell * 2u] = bitcast<vec2u>(value.xy);
                values[cell * 2u + 1u] = bitcast<vec2u>(value.zw);
            } else {
                keys[cell] = vec2u(pack2x16float(key.xy), pack2x16float(key.zw));
                values[cell] = vec2u(pack2x16float(value.xy), pack2x16float(value.zw));
            }
        }
    }
    workgroupBarrier();

    // In the second half, `gatherers` groups of threads share the tile's values.
    let gatherers = 64u / dims4;
    let dim4 = local % dims4;
    let gatherer = local / dims4;
    let n_keys = row.position + 1u;
    let first_key = n_keys - min(n_keys, params.window);

    var running_max = LOWEST;
    var running_sum = 0.0;
    var gathered = vec4f();
    for (var tile = first_key; tile < n_keys; tile += 64u) {
        let in_tile = min(64u, n_keys - tile);
        var score = LOWEST;
        if (local < in_tile) {
            var sum = vec4f();
            if (tile + local == row.position) {
                for (var d = 0u; d < dims4; d++) { sum += query[d] * own_key[d]; }
            } else {
                let cell = cell_at(row.slot, tile + local, kv_head);
                for (var d = 0u; d < dims4; d++) { sum += query[d] * load_key(cell + d); }
            }
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
                var value = own_value[dim4];
                if (tile + i != row.position) { value = load_value(cell_at(row.slot, tile + i, kv_head) + dim4); }
                gathered += weights[i] * value;
            }
        }
    }
    gathers[local] = gathered;
    workgroupBarrier();
    if (local < dims4) {
        for (var g = 1u; g < gatherers; g++) { gathered += gathers[g * dims4 + local]; }
        y[group.y * (params.n_heads * dims4) + group.x * dims4 + local] = gathered / running_sum;
    }
}
