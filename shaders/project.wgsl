// y [T, N0 + N1 + N2] = (norm(x [T, K]) · [W0; W1; W2]ᵀ + b) × scale, T ≤ 4 rows: projections that share their input,
// and the norm before them. LANES threads share an output; 64 threads, 64 / LANES outputs a workgroup.
@group(0) @binding(7) var<storage, read> weight_2: array<vec4<u32>>; // [N2, device row]
@group(0) @binding(8) var<storage, read_write> y: array<f32>;        // [T, N0 + N1 + N2]

var<workgroup> partial: array<vec4f, 64>;

@compute @workgroup_size(64)
fn project(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let scales = scales_of_rows(local);
    let lane = local % LANES;
    let output = (group.y * groups.x + group.x) * (64u / LANES) + local / LANES;
    let outputs = params.n0 + params.n1 + params.n2;
    // Which weight the output is of, and where it begins there.
    var operand = 0u;
    var base = output * params.weight_stride4;
    if (output >= params.n0) { operand = 1u; base = (output - params.n0) * params.weight_1_stride4; }
    if (output >= params.n0 + params.n1) { operand = 2u; base = (output - params.n0 - params.n1) * params.weight_2_stride4; }
    let blocks = (params.k + 31u) / 32u;
    var sums = vec4f(); // one for each row
    if (output < outputs) {
        for (var part = lane; part < blocks * 4u; part += LANES) {
            sums += products(part, dequant_of(operand, base, blocks, part >> 2u, part & 3u));
        }
    }
    if (LANES > 1u) {
        partial[local] = sums;
        workgroupBarrier();
        if (lane == 0u) {
            for (var i = 1u; i < LANES; i++) { sums += partial[local + i]; }
        }
    }
    if (lane == 0u && output < outputs) {
        let rows = min(rows_wanted(), ROWS);
        for (var r = 0u; r < rows; r++) {
            var out = sums[r] * scales[r];
            if (BIAS == 1u) { out += bias[output]; }
            y[r * params.y_stride + output] = out * params.scale;
        }
    }
}
