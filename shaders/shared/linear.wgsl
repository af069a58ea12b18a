// Bindings and edges that matvec and matmul share; the struct of src/ops/matvec.rs.
struct LinearParams {
    n: u32, k: u32,
    x_stride4: u32, y_stride: u32,
    weight_stride4: u32,
    n_offset: u32,
    rows_kind: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: LinearParams;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;          // [T, K/4]
@group(0) @binding(3) var<storage, read> weight: array<vec4<u32>>; // [N, device row]
@group(0) @binding(4) var<storage, read> bias: array<f32>;         // [N]
@group(0) @binding(5) var<storage, read_write> y: array<f32>;      // [T, N]

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

fn store_y(row: u32, n: u32, sum: f32) {
    let column = params.n_offset + n;
    let at = row * params.y_stride + column;
    var out = sum;
    if (BIAS == 1u) { out += bias[column]; }
    out *= params.scale;
    if (ACCUMULATE == 1u) { out += y[at]; }
    y[at] = out;
}
