// Keys and values [T, Hkv × head_dim] into the cache [pages, Hkv, page, head_dim]. A thread moves four columns.
struct Params { n_kv_heads: u32, head_dim: u32, stride: u32, page: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> state: array<u32>;
@group(0) @binding(3) var<storage, read> k: array<vec4f>; // [T, Hkv × head_dim / 4]
@group(0) @binding(4) var<storage, read> v: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> keys: array<vec2u>;   // four f16, or half of four f32
@group(0) @binding(6) var<storage, read_write> values: array<vec2u>;

@compute @workgroup_size(64)
fn kv_write(@builtin(global_invocation_id) id: vec3u) {
    let dims4 = params.head_dim / 4u;
    if (id.y >= rows_in_use() || id.x >= params.n_kv_heads * dims4) { return; }
    let row = row_at(id.y);
    if (row.position >= context()) { return; }
    let at = cache_position(row.slot, row.position, params.page);
    let head = id.x / dims4;
    let cell = ((at / params.page * params.n_kv_heads + head) * params.page + at % params.page) * dims4 + id.x % dims4;
    let key = k[id.y * (params.stride / 4u) + id.x];
    let value = v[id.y * (params.stride / 4u) + id.x];
    if (KV_F32 == 1u) {
        keys[cell * 2u] = bitcast<vec2u>(key.xy);
        keys[cell * 2u + 1u] = bitcast<vec2u>(key.zw);
        values[cell * 2u] = bitcast<vec2u>(value.xy);
        values[cell * 2u + 1u] = bitcast<vec2u>(value.zw);
    } else {
        keys[cell] = vec2u(pack2x16float(key.xy), pack2x16float(key.zw));
        values[cell] = vec2u(pack2x16float(value.xy), pack2x16float(value.zw));
    }
}
