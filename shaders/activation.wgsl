// y [T, D] = act(gate) × up, or act(gate). One thread four columns.
struct Params { columns4: u32, rows_kind: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> gate: array<vec4f>;    // [T, D/4]
@group(0) @binding(3) var<storage, read> up: array<vec4f>;      // [T, D/4]
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>; // [T, D/4]

@compute @workgroup_size(64)
fn activation(@builtin(global_invocation_id) at: vec3u) {
    let rows = select(rows_in_use(), logit_rows_in_use(), params.rows_kind == 1u);
    if (at.x >= params.columns4 || at.y >= rows) { return; }
    let i = at.y * params.columns4 + at.x;
    var a = activate(gate[i]);
    if (GATED == 1u) { a *= up[i]; }
    y[i] = a;
}
