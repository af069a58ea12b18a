// x [T, N] = cap × tanh(x / cap), in place. A thread takes four columns.
struct Params { columns4: u32, rows_kind: u32, cap: f32, unused: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read_write> x: array<vec4f>; // [T, N/4]

@compute @workgroup_size(64)
fn soft_cap(@builtin(global_invocation_id) id: vec3u) {
    let rows = select(rows_in_use(), logit_rows_in_use(), params.rows_kind == 1u);
    if (id.y >= rows || id.x >= params.columns4) { return; }
    let at = id.y * params.columns4 + id.x;
    // Beyond ±9 tanh is ±1 to f32; some implementations overflow further out.
    let capped = params.cap * tanh(clamp(x[at] / params.cap, vec4f(-9.0), vec4f(9.0)));
    let is_odd = (bitcast<vec4u>(x[at]) & vec4u(0x7f800000u)) == vec4u(0x7f800000u); // of NaN and infinity it would make numbers
    x[at] = select(capped, x[at], is_odd);
}
