// y [T, N] = act(norm(x [T, K]) · gateᵀ + b) × (norm(x) · upᵀ + b) for few rows: a gated feed-forward layer up to its
// last projection, and the norm before it. The rows of up follow those of gate in one weight. 64 / LANES groups of
// threads a workgroup, each with OUTPUTS / 2 outputs.
struct Params {
    n: u32, k: u32, x_stride4: u32, y_stride: u32,
    base: u32, stride: u32, jump: u32, // of the weight, in vec4<u32>; rows from gate to up
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;           // [T, K/4]
@group(0) @binding(3) var<storage, read> norm_weight: array<vec4f>; // [K/4]
@group(0) @binding(4) var<storage, read> bias: array<f32>;          // [2N]: gate's, then up's
@group(0) @binding(5) var<storage, read> weight: array<vec4<u32>>;  // [2N, device row]
@group(0) @binding(6) var<storage, read_write> y: array<f32>;       // [T, N]

@compute @workgroup_size(64)
fn gated(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let lane = local % LANES;
    let first = ((group.y * groups.x + group.x) * (64u / LANES) + local / LANES) * RESULTS;
    let sums = reduce(row_sums_of(0u, params.base, params.stride, first, params.n - 1u, params.jump, 0u, lane), lane, local);
    let rows = min(rows_in_use(), ROWS);
    for (var i = 0u; i < ROWS * RESULTS; i++) {
        let t = i / RESULTS;
        let s = t * OUTPUTS + i % RESULTS;
        let output = first + i % RESULTS;
        if (lane_of(s) != lane || output >= params.n || t >= rows) { continue; }
        var pair = vec2f(sums[s], sums[s + RESULTS]);
        if (NORM == 1u) { pair *= inverseSqrt(sums[SUMS - ROWS + t] / f32(params.k) + params.epsilon); }
        if (BIAS == 1u) { pair += vec2f(bias[output], bias[params.n + output]); }
        y[t * params.y_stride + output] = activate(vec4f(pair.x)).x * pair.y;
    }
}
