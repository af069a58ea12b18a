// Keys and values [T, Hkv × head_dim] into the cache [pages, Hkv, page, head_dim]. A thread moves up to 32 columns.
struct Params { n_kv_heads: u32, stride4: u32, page: u32, unused: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> state: array<u32>;
@group(0) @binding(3) var<storage, read> k: array<vec4f>; // [T, Hkv × DIMS4]
@group(0) @binding(4) var<storage, read> v: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> keys: array<Stored>;
@group(0) @binding(6) var<storage, read_write> values: array<Stored>;

const DIMS4: u32 = HEAD_DIM / 4u;
const BLOCKS: u32 = (DIMS4 + 7u) / 8u;

@compute @workgroup_size(64)
fn kv_write(@builtin(global_invocation_id) id: vec3u) {
    if (id.y >= rows_in_use() || id.x >= params.n_kv_heads * BLOCKS) { return; }
    let row = row_at(id.y);
    if (row.position >= context()) { return; }
    let head = id.x / BLOCKS;
    let block = id.x % BLOCKS;
    let at = id.y * params.stride4 + head * DIMS4 + block * 8u;
    var key = array<vec4f, 8>();
    var value = array<vec4f, 8>();
    for (var i = 0u; i < min(8u, DIMS4 - block * 8u); i++) {
        key[i] = k[at + i];
        value[i] = v[at + i];
    }
    let to = cache_row(row.slot, row.position, head);
    _ = store_key(to, block, key, true);
    _ = store_value(to, block, value, true);
}
