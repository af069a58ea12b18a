// What a block of 32 weights is to the kernels: f32 numbers.
alias Weights = array<vec4f, 8>;

// scale × (code − middle); the block's halves have scales of their own.
fn around(codes: array<u32, 8>, scale: vec2f, middle: f32) -> Weights {
    return array(
        scale.x * (code_floats(codes[0]) - middle), scale.x * (code_floats(codes[1]) - middle),
        scale.x * (code_floats(codes[2]) - middle), scale.x * (code_floats(codes[3]) - middle),
        scale.y * (code_floats(codes[4]) - middle), scale.y * (code_floats(codes[5]) - middle),
        scale.y * (code_floats(codes[6]) - middle), scale.y * (code_floats(codes[7]) - middle),
    );
}

// scale × code + least; the block's halves have theirs.
fn above(codes: array<u32, 8>, scale: vec2f, least: vec2f) -> Weights {
    return array(
        scale.x * code_floats(codes[0]) + least.x, scale.x * code_floats(codes[1]) + least.x,
        scale.x * code_floats(codes[2]) + least.x, scale.x * code_floats(codes[3]) + least.x,
        scale.y * code_floats(codes[4]) + least.y, scale.y * code_floats(codes[5]) + least.y,
        scale.y * code_floats(codes[6]) + least.y, scale.y * code_floats(codes[7]) + least.y,
    );
}

// scale × code, of signed codes.
fn signed(codes: array<u32, 8>, scale: f32) -> Weights {
    return array(
        scale * signed_floats(codes[0]), scale * signed_floats(codes[1]), scale * signed_floats(codes[2]),
        scale * signed_floats(codes[3]), scale * signed_floats(codes[4]), scale * signed_floats(codes[5]),
        scale * signed_floats(codes[6]), scale * signed_floats(codes[7]),
    );
}

// Four signed bytes as numbers: each is shifted to the top, then arithmetically back.
fn signed_floats(word: u32) -> vec4f {
    return vec4f(bitcast<vec4i>(vec4u(word) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u));
}

// scale × value, of whole numbers from -127 to 127.
fn scaled(values: array<vec4f, 8>, scale: f32) -> Weights {
    return array(
        scale * values[0], scale * values[1], scale * values[2], scale * values[3],
        scale * values[4], scale * values[5], scale * values[6], scale * values[7],
    );
}
