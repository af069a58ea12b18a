// y [T, H, head_dim] = the softmax-weighted values of all keys, from what attend left of each chunk of them: sums of
// weights and values relative to each chunk's own maximum. One workgroup a (head, row), one thread four dimensions.
struct Params { n_heads: u32, dims4: u32, chunks: u32, window: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> state: array<u32>;
@group(0) @binding(3) var<storage, read> parts: array<vec4f>;    // [T, H, chunks, dims4 + 1]
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;  // [T, H × dims4]

@compute @workgroup_size(64)
fn attend_merge(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    if (group.y >= rows_in_use()) { return; }
    let row = row_at(group.y);
    if (row.position >= context() || local >= params.dims4) { return; }
    let n_keys = min(row.position + 1u, params.window);
    let length = keys_a_chunk(n_keys, params.chunks);
    let chunks = (n_keys + length - 1u) / length;
    let stride = params.dims4 + 1u;
    let index = group.y * params.n_heads + group.x;
    let at = index * params.chunks * stride;
    var highest = parts[at + params.dims4].x;
    for (var i = 1u; i < chunks; i++) { highest = max(highest, parts[at + i * stride + params.dims4].x); }
    var gathered = vec4f();
    var sum = 0.0;
    for (var i = 0u; i < chunks; i++) {
        let chunk = at + i * stride;
        let weight = exp(max(parts[chunk + params.dims4].x - highest, -80.0));
        gathered += weight * parts[chunk + local];
        sum += weight * parts[chunk + params.dims4].y;
    }
    y[index * params.dims4 + local] = gathered / sum;
}
