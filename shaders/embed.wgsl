// x [T, D] = scale × table [V, D] at each row's token (or += at its position). A thread dequantises 32 columns of a row.
struct Params { columns: u32, stride: u32, base: u32, weight_stride4: u32, first: u32, count: u32, scale: f32, unused: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> weight: array<vec4<u32>>; // [V, device row]
@group(0) @binding(3) var<storage, read_write> state: array<u32>;
@group(0) @binding(4) var<storage, read_write> x: array<f32>;      // [T, D]

@compute @workgroup_size(64)
fn embed(@builtin(global_invocation_id) id: vec3u) {
    if (id.y >= rows_in_use()) { return; }
    let row = row_at(id.y);
    if (BY == 0u && id.x == 0u && row.position < context()) {
        state[history_at(row.slot, row.position)] = row.token;
    }
    var index = row.token;
    if (BY == 1u) { index = row.position; }
    if (BY == 2u) { index = 0u; }
    index -= params.first;
    let blocks = (params.columns + 31u) / 32u;
    if (index >= params.count || id.x >= blocks) { return; }
    var values = dequant(params.base + index * params.weight_stride4, blocks, id.x);
    for (var i = 0u; i < 32u; i++) {
        let column = id.x * 32u + i;
        if (column >= params.columns) { break; }
        let at = id.y * params.stride + column;
        let value = values[i >> 2u][i & 3u] * params.scale;
        if (BY == 0u) { x[at] = value; } else { x[at] += value; }
    }
}
