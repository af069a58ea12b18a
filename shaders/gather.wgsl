// y [L, D] = x [T, D] at the rows that get logits. One thread four columns.
struct Params { columns4: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;       // [T, D/4]
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>; // [L, D/4]

@compute @workgroup_size(64)
fn gather(@builtin(global_invocation_id) at: vec3u) {
    if (at.x >= params.columns4 || at.y >= logit_rows_in_use()) { return; }
    y[at.y * params.columns4 + at.x] = x[gathered(at.y) * params.columns4 + at.x];
}
