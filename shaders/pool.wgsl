// y [S, D] = the mean, the first, the last or the largest row (column by column) of each sequence of x [T, D], of unit length where NORMALIZE is 1. The
// gather list has each sequence's first row. One workgroup a sequence.
struct Params { columns: u32, stride: u32, unused0: u32, unused1: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;       // [T, D]
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // [S, D]

var<workgroup> partial: array<f32, 64>;

fn pooled(first: u32, length: u32, column: u32) -> f32 {
    if (KIND == 1u) { return x[first * params.stride + column]; }
    if (KIND == 2u) { return x[(first + length - 1u) * params.stride + column]; }
    if (KIND == 3u) {
        var most = x[first * params.stride + column];
        for (var r = 0u; r < length; r++) {
            let z = x[(first + r) * params.stride + column];
            if (is_nan(z)) { return z; }
            most = max(most, z);
        }
        return most;
    }
    var sum = 0.0;
    for (var r = 0u; r < length; r++) { sum += x[(first + r) * params.stride + column]; }
    return sum / select(f32(length), sqrt(f32(length)), KIND == 4u);
}

@compute @workgroup_size(64)
fn pool(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    if (group.x >= logit_rows_in_use()) { return; }
    let first = gathered(group.x);
    let length = place_at(first).length;
    var sum = 0.0;
    for (var column = local; column < params.columns; column += 64u) {
        let value = pooled(first, length, column);
        sum += value * value;
        y[group.x * params.stride + column] = value;
    }
    partial[local] = sum;
    workgroupBarrier();
    if (NORMALIZE == 0u) { return; }
    sum = 0.0;
    for (var i = 0u; i < 64u; i++) { sum += partial[i]; }
    // As the reference does: a vector of zeros stays one.
    let scale = 1.0 / max(sqrt(sum), 1e-12);
    for (var column = local; column < params.columns; column += 64u) { y[group.x * params.stride + column] *= scale; }
}
