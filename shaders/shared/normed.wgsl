// What project and gated read: x [T, K], through RMSNorm where NORM is 1; the struct of src/ops/project.rs. T ≤ 4.
struct NormedParams {
    n0: u32, n1: u32, n2: u32, k: u32,                                  // outputs of each weight, columns
    weight_stride4: u32, weight_1_stride4: u32, weight_2_stride4: u32, // vec4<u32> from one weight row to the next
    x_stride4: u32, y_stride: u32,
    rows_kind: u32,
    epsilon: f32, scale: f32,
}

@group(0) @binding(0) var<uniform> params: NormedParams;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;            // [T, K/4]
@group(0) @binding(3) var<storage, read> norm_weight: array<vec4f>;  // [K/4]
@group(0) @binding(4) var<storage, read> bias: array<f32>;           // [N0 + N1 + N2]
@group(0) @binding(5) var<storage, read> weight: array<vec4<u32>>;   // [N0, device row]
@group(0) @binding(6) var<storage, read> weight_1: array<vec4<u32>>; // [N1, device row]

var<workgroup> squares: array<vec4f, 64>;

fn rows_wanted() -> u32 {
    if (params.rows_kind == 1u) { return logit_rows_in_use(); }
    return rows_in_use();
}

// Four of x's columns from 4 × `column4` on; past K they are zero, whatever an earlier step left there.
fn load_x(row: u32, column4: u32) -> vec4f {
    if (RAGGED == 0u) { return x[row * params.x_stride4 + column4]; }
    if (column4 >= params.x_stride4) { return vec4f(); }
    let columns = vec4u(column4 * 4u) + vec4u(0u, 1u, 2u, 3u);
    return select(vec4f(), x[row * params.x_stride4 + column4], columns < vec4u(params.k));
}

// 1 / rms of each row. Every workgroup finds it for itself: x is short, and nothing has to be waited for.
fn scales_of_rows(local: u32) -> vec4f {
    if (NORM == 0u) { return vec4f(1.0); }
    var sums = vec4f();
    for (var column4 = local; column4 < (params.k + 3u) / 4u; column4 += 64u) {
        let x0 = load_x(0u, column4);
        sums.x += dot(x0, x0);
        if (ROWS > 1u) { let x1 = load_x(1u, column4); sums.y += dot(x1, x1); }
        if (ROWS > 2u) { let x2 = load_x(2u, column4); sums.z += dot(x2, x2); }
        if (ROWS > 3u) { let x3 = load_x(3u, column4); sums.w += dot(x3, x3); }
    }
    squares[local] = sums;
    workgroupBarrier();
    sums = vec4f();
    for (var i = 0u; i < 64u; i++) { sums += squares[i]; }
    return inverseSqrt(sums / f32(params.k) + params.epsilon);
}

// Products of eight normalised columns of each row, from 8 × `part` on, with eight weights; rows are scaled at the end.
fn products(part: u32, w: array<vec4f, 2>) -> vec4f {
    var w0 = w[0];
    var w1 = w[1];
    if (NORM == 1u && RAGGED == 0u) { w0 *= norm_weight[part * 2u]; w1 *= norm_weight[part * 2u + 1u]; }
    if (NORM == 1u && RAGGED == 1u) {
        let last = (params.k + 3u) / 4u - 1u; // past it x is zero
        w0 *= norm_weight[min(part * 2u, last)];
        w1 *= norm_weight[min(part * 2u + 1u, last)];
    }
    var sums = vec4f();
    sums.x = dot(w0, load_x(0u, part * 2u)) + dot(w1, load_x(0u, part * 2u + 1u));
    if (ROWS > 1u) { sums.y = dot(w0, load_x(1u, part * 2u)) + dot(w1, load_x(1u, part * 2u + 1u)); }
    if (ROWS > 2u) { sums.z = dot(w0, load_x(2u, part * 2u)) + dot(w1, load_x(2u, part * 2u + 1u)); }
    if (ROWS > 3u) { sums.w = dot(w0, load_x(3u, part * 2u)) + dot(w1, load_x(3u, part * 2u + 1u)); }
    return sums;
}
