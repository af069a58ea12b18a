// y [T × K, F] = act(x · gateᵀ) × (x · upᵀ) of each of a row's K experts. LANES threads share an output; 64 threads.
@group(0) @binding(5) var<storage, read> weight_1: array<vec4<u32>>; // [count × N, device row]: up; `weight` is gate
@group(0) @binding(6) var<storage, read_write> y: array<f32>;        // [T × K, F]

var<workgroup> partial: array<vec2f, 64>;

@compute @workgroup_size(64)
fn expert_gated(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = group.y / params.top_k;
    if (row >= rows_in_use()) { return; }
    let expert = routes[row * params.routes_stride + group.y % params.top_k];
    if (expert < params.first || expert >= params.first + params.count) { return; }
    let lane = local % LANES;
    let output = group.x * (64u / LANES) + local / LANES;
    let blocks = (params.k + 31u) / 32u;
    let at = (expert - params.first) * params.n + output;
    var sums = vec2f(); // gate, up
    if (output < params.n) {
        for (var part = lane; part < blocks * 4u; part += LANES) {
            sums.x += product(row, part, dequant_of(0u, at * params.weight_stride4, blocks, part >> 2u, part & 3u));
            sums.y += product(row, part, dequant_of(1u, at * params.weight_1_stride4, blocks, part >> 2u, part & 3u));
        }
    }
    if (LANES > 1u) {
        partial[local] = sums;
        workgroupBarrier();
        if (lane == 0u) {
            for (var i = 1u; i < LANES; i++) { sums += partial[local + i]; }
        }
    }
    if (lane == 0u && output < params.n) {
        y[group.y * params.y_stride + output] = activate(vec4f(sums.x)).x * sums.y;
    }
}
