// y [T, H, head_dim] = softmax(q kᵀ × scale) v without a mask and without a cache: over the row's own sequence, before and behind
// it, or over rows of k and v, `others` at most. Online softmax. One workgroup a (head, row); keys come in tiles of 64, as in attention.wgsl.
struct Params {
    n_heads: u32, head_dim: u32, stride: u32, scale: f32,
    window: u32, first_row: u32, rows: u32, others: u32, // rows of this dispatch
    bias_columns: u32, unused0: u32, unused1: u32, unused2: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> q: array<vec4f>;       // [T, H × head_dim / 4]
@group(0) @binding(3) var<storage, read> k: array<vec4f>;       // [T, H × head_dim / 4]
@group(0) @binding(4) var<storage, read> v: array<vec4f>;       // [T, H × head_dim / 4]
@group(0) @binding(5) var<storage, read> bias: array<f32>;      // [H, bias_columns], by distance, where BIAS is 1
@group(0) @binding(6) var<storage, read_write> y: array<vec4f>; // [T, H × head_dim / 4]

// Low enough to lose every comparison, high enough that a difference of two is still a number for fast-math compilers.
const LOWEST: f32 = -1e30;

var<workgroup> query: array<vec4f, 64>;
var<workgroup> scores: array<f32, 64>;
var<workgroup> weights: array<f32, 64>;
var<workgroup> gathers: array<vec4f, 64>;

@compute @workgroup_size(64)
fn bidirectional(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = params.first_row + group.y;
    if (row >= rows_in_use()) { return; }
    let dims4 = params.head_dim / 4u;
    let stride4 = params.stride / 4u;
    let head = group.x * dims4;
    let place = place_at(row);
    var start = row - place.position; // the row where its sequence begins
    var first = place.position - min(place.position, params.window);
    var end = min(place.length, place.position + min(params.window, place.length) + 1u);
    if (params.others > 0u) {
        start = 0u;
        first = 0u;
        end = min(attended_by(row), params.others);
    }
    if (local < dims4) { query[local] = q[row * stride4 + head + local]; }
    workgroupBarrier();

    let bias_at = group.x * params.bias_columns + params.bias_columns / 2u - place.position; // of position 0

    // In the second half, `gatherers` groups of threads share the tile's values.
    let gatherers = 64u / dims4;
    let dim4 = local % dims4;
    let gatherer = local / dims4;

    var running_max = LOWEST;
    var running_sum = 0.0;
    var gathered = vec4f();
    for (var tile = first; tile < end; tile += 64u) {
        let in_tile = min(64u, end - tile);
        var score = LOWEST;
        if (local < in_tile) {
            let at = (start + tile + local) * stride4 + head;
            var sum = vec4f();
            for (var d = 0u; d < dims4; d++) { sum += query[d] * k[at + d]; }
            score = (sum.x + sum.y + sum.z + sum.w) * params.scale;
            if (BIAS == 1u) { score += bias[bias_at + tile + local]; }
        }
        scores[local] = score;
        workgroupBarrier();
        // Every thread finds the maximum itself: cheaper than a tree of barriers.
        var new_max = running_max;
        for (var i = 0u; i < in_tile; i++) { new_max = max(new_max, scores[i]); }
        let correction = exp(max(running_max - new_max, -80.0));
        running_max = new_max;
        let weight = select(score, exp(max(score - new_max, -80.0)), is_finite(score)); // what is no number stays
        weights[local] = select(0.0, weight, local < in_tile);
        workgroupBarrier();
        running_sum *= correction;
        for (var i = 0u; i < in_tile; i++) { running_sum += weights[i]; }
        gathered *= correction;
        if (gatherer < gatherers) {
            for (var i = gatherer; i < in_tile; i += gatherers) {
                gathered += weights[i] * v[(start + tile + i) * stride4 + head + dim4];
            }
        }
    }
    gathers[local] = gathered;
    workgroupBarrier();
    if (local < dims4) {
        for (var g = 1u; g < gatherers; g++) { gathered += gathers[g * dims4 + local]; }
        y[row * stride4 + head + local] = gathered / running_sum;
    }
}
