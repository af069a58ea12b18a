// y [T × K, F] = act(x · gateᵀ) × (x · upᵀ) of each of a row's K experts. 64 / LANES groups of threads a workgroup, each
// with OUTPUTS outputs.
@group(0) @binding(5) var<storage, read> weight_1: array<vec4<u32>>; // [count × N, device row]: up; `weight` is gate
@group(0) @binding(6) var<storage, read_write> y: array<f32>;        // [T × K, F]

@compute @workgroup_size(64)
fn expert_gated(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = group.y / params.top_k;
    if (row >= rows_in_use()) { return; }
    let expert = routes[row * params.routes_stride + group.y % params.top_k];
    if (expert < params.first || expert >= params.first + params.count) { return; }
    let lane = local % LANES;
    let first = (group.x * (64u / LANES) + local / LANES) * OUTPUTS;
    let rows = (expert - params.first) * params.n;
    let gate_at = rows * params.weight_stride4;
    let up_at = rows * params.weight_1_stride4;
    let gate = reduce(row_sums_of(0u, gate_at, params.weight_stride4, first, params.n - 1u, 0u, row, lane), lane, local);
    let up = reduce(row_sums_of(1u, up_at, params.weight_1_stride4, first, params.n - 1u, 0u, row, lane), lane, local);
    for (var o = 0u; o < OUTPUTS; o++) {
        if (lane_of(o) != lane || first + o >= params.n) { continue; }
        y[group.y * params.y_stride + first + o] = activate(vec4f(gate[o])).x * up[o];
    }
}
