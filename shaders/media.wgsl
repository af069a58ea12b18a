// x [T, D] = y [T, D] in the rows that stand for a picture or a sound. One thread four columns.
struct Params { columns4: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> y: array<vec4f>;       // [T, D/4]
@group(0) @binding(3) var<storage, read_write> x: array<vec4f>; // [T, D/4]

@compute @workgroup_size(64)
fn media(@builtin(global_invocation_id) at: vec3u) {
    if (at.x >= params.columns4 || at.y >= rows_in_use() || media_rows(at.y) == 0u) { return; }
    let i = at.y * params.columns4 + at.x;
    x[i] = y[i];
}
