// routes [T, 2K] = the K most likely experts of each row of logits [T, E], then their weights: softmax over all experts,
// the largest first, of equals the lower number; made to sum to 1 where NORMALIZE is 1. One workgroup a row.
struct Params { experts: u32, stride: u32, top_k: u32, routes_stride: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> logits: array<f32>;       // [T, E]
@group(0) @binding(3) var<storage, read_write> routes: array<u32>; // [T, 2K]: numbers, then f32 weights

// Below every probability: what has been chosen.
const CHOSEN: f32 = -1.0;

var<workgroup> probabilities: array<f32, 512>;
var<workgroup> best: array<f32, 64>;
var<workgroup> best_at: array<u32, 64>;

@compute @workgroup_size(64)
fn route(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    if (group.x >= rows_in_use()) { return; }
    for (var e = local; e < params.experts; e += 64u) { probabilities[e] = logits[group.x * params.stride + e]; }
    workgroupBarrier();
    var most = probabilities[0];
    for (var e = 1u; e < params.experts; e++) { most = max(most, probabilities[e]); }
    var sum = 0.0;
    var odd = false; // then no expert is more likely than another, and the weights say so
    for (var e = 0u; e < params.experts; e++) { odd = odd || !is_finite(probabilities[e]); }
    for (var e = 0u; e < params.experts; e++) { sum += exp(max(probabilities[e] - most, -80.0)); }
    workgroupBarrier();
    for (var e = local; e < params.experts; e += 64u) {
        probabilities[e] = exp(max(probabilities[e] - most, -80.0)) / sum;
    }
    let at = group.x * params.routes_stride;
    var total = 0.0;
    for (var k = 0u; k < params.top_k; k++) {
        workgroupBarrier();
        var value = CHOSEN;
        var expert = local;
        for (var e = local; e < params.experts; e += 64u) {
            if (probabilities[e] > value) { value = probabilities[e]; expert = e; }
        }
        best[local] = value;
        best_at[local] = expert;
        workgroupBarrier();
        for (var i = 0u; i < 64u; i++) {
            if (best[i] > value || (best[i] == value && best_at[i] < expert)) { value = best[i]; expert = best_at[i]; }
        }
        total += value;
        if (local == 0u) {
            probabilities[expert] = CHOSEN;
            routes[at + k] = expert;
            routes[at + params.top_k + k] = select(bitcast<u32>(value), 0x7fc00000u, odd);
        }
    }
    if (NORMALIZE == 1u && local == 0u) {
        for (var k = 0u; k < params.top_k; k++) {
            let weight = bitcast<f32>(routes[at + params.top_k + k]);
            routes[at + params.top_k + k] = bitcast<u32>(weight / total);
        }
    }
}
