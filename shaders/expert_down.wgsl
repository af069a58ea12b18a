// y [T, D] += Σ over a row's K experts of weight × (x [T × K, F] · downᵀ). 64 / LANES groups of threads a workgroup, each
// with OUTPUTS outputs.
@group(0) @binding(5) var<storage, read_write> y: array<f32>; // [T, D]

@compute @workgroup_size(64)
fn expert_down(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    if (group.y >= rows_in_use()) { return; }
    let lane = local % LANES;
    let first = (group.x * (64u / LANES) + local / LANES) * OUTPUTS;
    var sums = Sums();
    for (var k = 0u; k < params.top_k; k++) {
        let expert = routes[group.y * params.routes_stride + k];
        if (expert < params.first || expert >= params.first + params.count) { continue; }
        let share = bitcast<f32>(routes[group.y * params.routes_stride + params.top_k + k]);
        let at = (expert - params.first) * params.n * params.weight_stride4;
        let one = row_sums_of(0u, at, params.weight_stride4, first, params.n - 1u, 0u, group.y * params.top_k + k, lane);
        for (var o = 0u; o < OUTPUTS; o++) { sums[o] += share * one[o]; }
    }
    let whole = reduce(sums, lane, local);
    for (var o = 0u; o < OUTPUTS; o++) {
        if (lane_of(o) != lane || first + o >= params.n) { continue; }
        y[group.y * params.y_stride + first + o] += whole[o];
    }
}
