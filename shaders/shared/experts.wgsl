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
