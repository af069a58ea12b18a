// y [T, taps × C] = for each row the rows of x around it, zeros beyond its ends. One thread four columns.
struct Params { columns4: u32, taps: u32, step: u32, before: u32, rows: u32, unused0: u32, unused1: u32, unused2: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;       // [rows, C / 4]
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>; // [T, taps × C / 4]

@compute @workgroup_size(64)
fn unfold(@builtin(global_invocation_id) at: vec3u) {
    let width = params.taps * params.columns4;
    if (at.x >= width || at.y >= rows_in_use()) { return; }
    let row = i32(at.y * params.step + at.x / params.columns4) - i32(params.before);
    let inside = row >= 0 && row < i32(params.rows);
    let source = u32(select(0, row, inside)) * params.columns4 + at.x % params.columns4;
    y[at.y * width + at.x] = select(vec4f(), x[source], inside);
}
