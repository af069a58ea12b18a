// y [T, G × D] = (x − mean(x)) / sqrt(var(x) + epsilon) × weight (+ bias) (+ y). One workgroup a (group, row).
struct Params {
    columns: u32, stride: u32, epsilon: f32, rows_kind: u32,
    weight_stride: u32, groups: u32, unused0: u32, unused1: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;       // [T, G × D]
@group(0) @binding(3) var<storage, read> weight: array<f32>;  // [D] or [G, D]
@group(0) @binding(4) var<storage, read> bias: array<f32>;    // [D] or [G, D]
@group(0) @binding(5) var<storage, read_write> y: array<f32>; // [T, G × D]

var<workgroup> sums: array<f32, 64>;
var<workgroup> squares: array<f32, 64>; // an array of its own: no barrier between reading one and writing the other

@compute @workgroup_size(64)
fn layer_norm(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = group.y * params.stride + group.x * params.columns;
    let first = group.x * params.weight_stride;
    var sum = 0.0;
    for (var i = local; i < params.columns; i += 64u) { sum += x[row + i]; }
    sums[local] = sum;
    workgroupBarrier();
    // Every thread adds the 64 partial sums: one barrier instead of a tree of six.
    sum = 0.0;
    for (var i = 0u; i < 64u; i++) { sum += sums[i]; }
    let mean = sum / f32(params.columns);
    // Deviations from the mean, not mean(x²) − mean²: that difference cancels where the mean is large.
    var square = 0.0;
    for (var i = local; i < params.columns; i += 64u) {
        let deviation = x[row + i] - mean;
        square += deviation * deviation;
    }
    squares[local] = square;
    workgroupBarrier();
    square = 0.0;
    for (var i = 0u; i < 64u; i++) { square += squares[i]; }
    let scale = inverseSqrt(square / f32(params.columns) + params.epsilon);
    let rows = select(rows_in_use(), logit_rows_in_use(), params.rows_kind == 1u);
    if (group.y >= rows) { return; }
    for (var i = local; i < params.columns; i += 64u) {
        var normed = (x[row + i] - mean) * scale * weight[first + i];
        if (BIAS == 1u) { normed += bias[first + i]; }
        if (ACCUMULATE == 1u) { normed += y[row + i]; }
        y[row + i] = normed;
    }
}
