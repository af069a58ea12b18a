// What a tile holds: f16 numbers, which take half the workgroup memory. Sums stay f32.
alias Number4 = vec4<f16>;

fn number4(x: vec4f) -> Number4 { return vec4<f16>(clamp(x, vec4f(-65504.0), vec4f(65504.0))); }

fn product4(a: Number4, b: Number4) -> f32 { return dot(vec4f(a), vec4f(b)); }
