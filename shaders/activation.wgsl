// y [T, D] = act(gate) × up, or act(gate). One thread four columns.
struct Params { columns4: u32, rows_kind: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> gate: array<vec4f>;    // [T, D/4]
@group(0) @binding(3) var<storage, read> up: array<vec4f>;      // [T, D/4]
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>; // [T, D/4]

// Arguments of exp and tanh are bounded where the result no longer changes: some GPUs give NaN for large ones.
fn silu(x: vec4f) -> vec4f { return select(x / (1.0 + exp(-max(x, vec4f(-80.0)))), vec4f(), x < vec4f(-80.0)); }

// Abramowitz & Stegun 7.1.26: absolute error below 1.5e-7, f32's own resolution near 1.
fn erf(x: vec4f) -> vec4f {
    let t = 1.0 / (1.0 + 0.3275911 * abs(x));
    let p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    return sign(x) * (1.0 - p * exp(-min(x * x, vec4f(80.0))));
}

fn gelu(x: vec4f) -> vec4f { return 0.5 * x * (1.0 + erf(x * 0.70710678)); }

fn gelu_tanh(x: vec4f) -> vec4f {
    let inner = 0.7978845608 * x * (1.0 + 0.044715 * x * x);
    return 0.5 * x * (1.0 + tanh(clamp(inner, vec4f(-10.0), vec4f(10.0))));
}

@compute @workgroup_size(64)
fn activation(@builtin(global_invocation_id) at: vec3u) {
    let rows = select(rows_in_use(), logit_rows_in_use(), params.rows_kind == 1u);
    if (at.x >= params.columns4 || at.y >= rows) { return; }
    let i = at.y * params.columns4 + at.x;
    var a = gate[i];
    if (KIND == 0u) { a = silu(a); }
    if (KIND == 1u) { a = gelu(a); }
    if (KIND == 2u) { a = gelu_tanh(a); }
    if (KIND == 3u) { a = max(a, vec4f()); }
    if (GATED == 1u) { a *= up[i]; }
    y[i] = a;
}
