// y [T, D] += Σ over a row's K experts of weight × (x [T × K, F] · downᵀ). LANES threads share an output; 64 threads.
@group(0) @binding(5) var<storage, read_write> y: array<f32>; // [T, D]

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn expert_down(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    if (group.y >= rows_in_use()) { return; }
    let lane = local % LANES;
    let output = group.x * (64u / LANES) + local / LANES;
    let blocks = (params.k + 31u) / 32u;
    var sum = 0.0;
    for (var k = 0u; k < params.top_k; k++) {
        let expert = routes[group.y * params.routes_stride + k];
        if (expert < params.first || expert >= params.first + params.count || output >= params.n) { continue; }
        let share = bitcast<f32>(routes[group.y * params.routes_stride + params.top_k + k]);
        let base = ((expert - params.first) * params.n + output) * params.weight_stride4;
        var one = 0.0;
        for (var part = lane; part < blocks * 4u; part += LANES) {
            one += product(group.y * params.top_k + k, part, dequant(base, blocks, part >> 2u, part & 3u));
        }
        sum += share * one;
    }
    if (LANES > 1u) {
        partial[local] = sum;
        workgroupBarrier();
        if (lane == 0u) {
            for (var i = 1u; i < LANES; i++) { sum += partial[local + i]; }
        }
    }
    if (lane == 0u && output < params.n) { y[group.y * params.y_stride + output] += sum; }
}
