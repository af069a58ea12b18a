// The element-wise non-linearities; KIND is the number of src/ops/activation.rs.

// Arguments of exp and tanh are bounded where the result no longer changes: some GPUs give NaN for large ones.
fn silu(x: vec4f) -> vec4f {
    let vanishes = (x < vec4f(-80.0)) & (x > vec4f(-3.4e38)); // -∞ stays
    return select(x / (1.0 + exp(-max(x, vec4f(-80.0)))), vec4f(), vanishes);
}

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

fn activate(x: vec4f) -> vec4f {
    if (KIND == 0u) { return silu(x); }
    if (KIND == 1u) { return gelu(x); }
    if (KIND == 2u) { return gelu_tanh(x); }
    if (KIND == 4u) { return silu(1.702 * x) / 1.702; }
    let is_nan = (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u); // of which max may make numbers
    return select(max(x, vec4f()), x, is_nan);
}
