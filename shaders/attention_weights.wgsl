// w [T, S] = softmax(q kᵀ × scale) of one head, in rows that are `step` apart. One workgroup a row.
struct Params {
    head: u32, head_dim: u32, stride: u32, scale: f32,
    keys: u32, first: u32, step: u32, unused: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> q: array<vec4f>;     // [T, H × head_dim / 4]
@group(0) @binding(3) var<storage, read> k: array<vec4f>;     // [S, H × head_dim / 4]
@group(0) @binding(4) var<storage, read_write> w: array<f32>; // [T, heads × S]

var<workgroup> query: array<vec4f, 64>;
var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn attention_weights(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = group.x;
    if (row >= rows_in_use()) { return; }
    let dims4 = params.head_dim / 4u;
    let stride4 = params.stride / 4u;
    let head = params.head * dims4;
    let first = params.first + row * params.step;
    if (local < dims4) { query[local] = q[row * stride4 + head + local]; }
    workgroupBarrier();
    var most = -1e30;
    for (var key = local; key < params.keys; key += 64u) {
        let at = key * stride4 + head;
        var sum = vec4f();
        for (var d = 0u; d < dims4; d++) { sum += query[d] * k[at + d]; }
        let score = (sum.x + sum.y + sum.z + sum.w) * params.scale;
        w[first + key] = score;
        most = max(most, score);
    }
    partial[local] = most;
    workgroupBarrier();
    for (var i = 0u; i < 64u; i++) { most = max(most, partial[i]); }
    workgroupBarrier();
    // Each thread reads the scores that it has written.
    var sum = 0.0;
    for (var key = local; key < params.keys; key += 64u) {
        let weight = exp(max(w[first + key] - most, -80.0));
        w[first + key] = weight;
        sum += weight;
    }
    partial[local] = sum;
    workgroupBarrier();
    sum = 0.0;
    for (var i = 0u; i < 64u; i++) { sum += partial[i]; }
    for (var key = local; key < params.keys; key += 64u) { w[first + key] /= sum; }
}
