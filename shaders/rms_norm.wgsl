// y [T, G × D] = x / sqrt(mean(x²) + epsilon) × weight (+ y). One workgroup a (group, row).
struct Params {
    columns: u32, stride: u32, epsilon: f32, rows_kind: u32,
    weight_stride: u32, groups: u32, unused0: u32, unused1: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;       // [T, G × D]
@group(0) @binding(3) var<storage, read> weight: array<f32>;  // [D] or [G, D]
@group(0) @binding(4) var<storage, read_write> y: array<f32>; // [T, G × D]

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn rms_norm(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = group.y * params.stride + group.x * params.columns;
    let first = group.x * params.weight_stride;
    var sum = 0.0;
    for (var i = local; i < params.columns; i += 64u) { sum += x[row + i] * x[row + i]; }
    partial[local] = sum;
    workgroupBarrier();
    // Every thread adds the 64 partial sums: one barrier instead of a tree of six.
    sum = 0.0;
    for (var i = 0u; i < 64u; i++) { sum += partial[i]; }
    let scale = inverseSqrt(sum / f32(params.columns) + params.epsilon);
    let rows = select(rows_in_use(), logit_rows_in_use(), params.rows_kind == 1u);
    if (group.y >= rows) { return; }
    for (var i = local; i < params.columns; i += 64u) {
        var normed = x[row + i] * scale * weight[first + i];
        if (ACCUMULATE == 1u) { normed += y[row + i]; }
        y[row + i] = normed;
    }
}
