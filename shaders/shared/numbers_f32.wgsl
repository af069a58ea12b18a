// What a tile holds: f32 numbers, as they are.
alias Number4 = vec4f;

fn number4(x: vec4f) -> Number4 { return x; }

fn product4(a: Number4, b: Number4) -> f32 { return dot(a, b); }
