// y [T, N0 + N1 + N2] = (norm(x [T, K]) · [W0; W1; W2]ᵀ + b) × scale (+ y) for few rows: projections that share their
// input, and the norm before them. A workgroup of 64 threads works on one weight: 64 / LANES groups of threads, each with
// OUTPUTS of its rows.
struct Params {
    n0: u32, n1: u32, n2: u32, k: u32,                    // outputs of each weight, columns
    base0: u32, base1: u32, base2: u32, x_stride4: u32,   // where each weight begins, in vec4<u32>
    stride0: u32, stride1: u32, stride2: u32, y_stride: u32, // vec4<u32> from one weight row to the next
    n_offset: u32, rows_kind: u32, epsilon: f32, scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;            // [T, K/4]
@group(0) @binding(3) var<storage, read> norm_weight: array<vec4f>;  // [K/4]
@group(0) @binding(4) var<storage, read> bias: array<f32>;           // [N0 + N1 + N2]
@group(0) @binding(5) var<storage, read> weight: array<vec4<u32>>;   // [N0, device row]
@group(0) @binding(6) var<storage, read> weight_1: array<vec4<u32>>; // [N1, device row]
@group(0) @binding(7) var<storage, read> weight_2: array<vec4<u32>>; // [N2, device row]
@group(0) @binding(8) var<storage, read_write> y: array<f32>;        // [T, N0 + N1 + N2]

// Workgroups for `n` outputs.
fn groups_for(n: u32) -> u32 {
    let outputs = 64u / LANES * OUTPUTS;
    return (n + outputs - 1u) / outputs;
}

@compute @workgroup_size(64)
fn matvec(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    var index = group.y * groups.x + group.x;
    var operand = 0u;
    var n = params.n0;
    var base = params.base0;
    var stride = params.stride0;
    var column = params.n_offset;
    if (index >= groups_for(params.n0)) {
        index -= groups_for(params.n0);
        operand = 1u; n = params.n1; base = params.base1; stride = params.stride1; column += params.n0;
        if (index >= groups_for(params.n1)) {
            index -= groups_for(params.n1);
            operand = 2u; n = params.n2; base = params.base2; stride = params.stride2; column += params.n1;
        }
    }
    let lane = local % LANES;
    let first = (index * (64u / LANES) + local / LANES) * OUTPUTS;
    let sums = reduce(row_sums_of(operand, base, stride, first, max(n, 1u) - 1u, 0u, 0u, lane), lane, local);
    let rows = min(select(rows_in_use(), logit_rows_in_use(), params.rows_kind == 1u), ROWS);
    for (var s = 0u; s < SQUARES; s++) {
        let t = s / OUTPUTS;
        let output = first + s % OUTPUTS;
        if (lane_of(s) != lane || output >= n || t >= rows) { continue; }
        var out = sums[s];
        if (NORM == 1u) { out *= inverseSqrt(sums[SUMS - ROWS + t] / f32(params.k) + params.epsilon); }
        if (BIAS == 1u) { out += bias[column + output]; }
        out *= params.scale;
        let at = t * params.y_stride + column + output;
        if (ACCUMULATE == 1u) { out += y[at]; }
        y[at] = out;
    }
}
