// What the kernels of a mixture of experts share; the struct of src/ops/experts.rs.
struct ExpertParams {
    n: u32, k: u32, // outputs and columns of an expert
    x_stride4: u32, y_stride: u32,
    weight_stride4: u32, weight_1_stride4: u32, // vec4<u32> from one weight row to the next
    first: u32, count: u32, // experts of this piece of the weights
    top_k: u32, routes_stride: u32,
    unused0: u32, unused1: u32,
}

@group(0) @binding(0) var<uniform> params: ExpertParams;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;          // rows of K/4
@group(0) @binding(3) var<storage, read> routes: array<u32>;       // [T, 2 × top_k]: experts, then weights
@group(0) @binding(4) var<storage, read> weight: array<vec4<u32>>; // [count × N, device row]

// Four columns of a row of x; past K they are zero, whatever an earlier step left there.
fn load_x(row: u32, column4: u32) -> vec4f {
    if (RAGGED == 0u) { return x[row * params.x_stride4 + column4]; }
    if (column4 >= params.x_stride4) { return vec4f(); }
    let columns = vec4u(column4 * 4u) + vec4u(0u, 1u, 2u, 3u);
    return select(vec4f(), x[row * params.x_stride4 + column4], columns < vec4u(params.k));
}

fn product(row: u32, part: u32, w: array<vec4f, 2>) -> f32 {
    return dot(w[0], load_x(row, part * 2u)) + dot(w[1], load_x(row, part * 2u + 1u));
}
