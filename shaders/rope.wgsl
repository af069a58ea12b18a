// Rotary position embedding in place on x [T, H, head_dim]. A thread turns one pair.
struct Params { heads: u32, head_dim: u32, rope_dims: u32, stride: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> state: array<u32>;
@group(0) @binding(3) var<storage, read> table: array<vec2f>; // [context, rope_dims / 2] of (cos, sin)
@group(0) @binding(4) var<storage, read_write> x: array<f32>; // [T, H × head_dim]

@compute @workgroup_size(64)
fn rope(@builtin(global_invocation_id) id: vec3u) {
    let pairs = params.rope_dims / 2u;
    if (id.y >= rows_in_use() || id.x >= params.heads * pairs) { return; }
    let row = row_at(id.y);
    if (row.position >= context()) { return; }
    let i = id.x % pairs;
    let head = id.y * params.stride + id.x / pairs * params.head_dim;
    let a = head + select(2u * i, i, HALF_SPLIT == 1u);
    let b = select(a + 1u, a + pairs, HALF_SPLIT == 1u);
    let angle = table[row.position * pairs + i];
    let pair = vec2f(x[a], x[b]);
    x[a] = pair.x * angle.x - pair.y * angle.y;
    x[b] = pair.x * angle.y + pair.y * angle.x;
}
