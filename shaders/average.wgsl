// y [N, D] = the mean of each n consecutive rows of x [N × n, D]. One thread four columns.
struct Params { columns4: u32, rows: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;       // [N × n, D/4]
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>; // [N, D/4]

@compute @workgroup_size(64)
fn average(@builtin(global_invocation_id) at: vec3u) {
    if (at.x >= params.columns4 || at.y >= logit_rows_in_use()) { return; }
    var sum = vec4f();
    for (var r = 0u; r < params.rows; r++) { sum += x[(at.y * params.rows + r) * params.columns4 + at.x]; }
    y[at.y * params.columns4 + at.x] = sum / f32(params.rows);
}
