// y [T, N] = act(norm(x [T, K]) · gateᵀ + b) × (norm(x) · upᵀ + b), T ≤ 4 rows: a gated feed-forward layer up to its
// last projection, and the norm before it. LANES threads share an output; 64 threads, 64 / LANES outputs a workgroup.
@group(0) @binding(7) var<storage, read_write> y: array<f32>; // [T, N]

var<workgroup> partial_gate: array<vec4f, 64>;
var<workgroup> partial_up: array<vec4f, 64>;

@compute @workgroup_size(64)
fn gated(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let scales = scales_of_rows(local);
    let lane = local % LANES;
    let output = (group.y * groups.x + group.x) * (64u / LANES) + local / LANES;
    let blocks = (params.k + 31u) / 32u;
    var gate = vec4f(); // one for each row
    var up = vec4f();
    if (output < params.n0) {
        for (var part = lane; part < blocks * 4u; part += LANES) {
            gate += products(part, dequant_of(0u, output * params.weight_stride4, blocks, part >> 2u, part & 3u));
            up += products(part, dequant_of(1u, output * params.weight_1_stride4, blocks, part >> 2u, part & 3u));
        }
    }
    if (LANES > 1u) {
        partial_gate[local] = gate;
        partial_up[local] = up;
        workgroupBarrier();
        if (lane == 0u) {
            for (var i = 1u; i < LANES; i++) {
                gate += partial_gate[local + i];
                up += partial_up[local + i];
            }
        }
    }
    if (lane == 0u && output < params.n0) {
        gate *= scales;
        up *= scales;
        if (BIAS == 1u) { gate += vec4f(bias[output]); up += vec4f(bias[params.n0 + output]); }
        let out = activate(gate) * up;
        let rows = min(rows_wanted(), ROWS);
        for (var r = 0u; r < rows; r++) { y[r * params.y_stride + output] = out[r]; }
    }
}
