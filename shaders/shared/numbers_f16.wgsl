// What a tile holds: f16 numbers, which take half the workgroup memory. Sums stay f32.
alias Number4 = vec4<f16>;

// The nearest ones. NaN and infinity stay, for answers to show that they were there.
fn number4(x: vec4f) -> Number4 {
    let is_odd = (bitcast<vec4u>(x) & vec4u(0x7f800000u)) == vec4u(0x7f800000u);
    return vec4<f16>(select(clamp(x, vec4f(-65504.0), vec4f(65504.0)), x, is_odd));
}

fn product4(a: Number4, b: Number4) -> f32 { return dot(vec4f(a), vec4f(b)); }
