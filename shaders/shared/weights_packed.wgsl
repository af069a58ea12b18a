// What a block of 32 weights is to kernels that multiply packed bytes: weight = scale × code + least, the codes being
// signed bytes. The block's halves have scales of their own where HALVES is 2.
struct Weights { codes: Codes, scale: vec2f, least: vec2f }

// 32 signed bytes, sixteen to a half.
struct Codes { first: vec4u, second: vec4u }

fn halves_of(codes: array<u32, 8>) -> Codes {
    return Codes(vec4u(codes[0], codes[1], codes[2], codes[3]), vec4u(codes[4], codes[5], codes[6], codes[7]));
}

fn around(codes: array<u32, 8>, scale: vec2f, middle: f32) -> Weights {
    return Weights(halves_of(codes), scale, -middle * scale);
}

fn above(codes: array<u32, 8>, scale: vec2f, least: vec2f) -> Weights { return Weights(halves_of(codes), scale, least); }

fn signed(codes: array<u32, 8>, scale: f32) -> Weights { return Weights(halves_of(codes), vec2f(scale), vec2f()); }

fn scaled(values: array<vec4f, 8>, scale: f32) -> Weights {
    return signed(packed(array(
        vec4i(values[0]), vec4i(values[1]), vec4i(values[2]), vec4i(values[3]),
        vec4i(values[4]), vec4i(values[5]), vec4i(values[6]), vec4i(values[7]),
    )), scale);
}

fn packed(bytes: array<vec4i, 8>) -> array<u32, 8> {
    return array(
        pack4xI8(bytes[0]), pack4xI8(bytes[1]), pack4xI8(bytes[2]), pack4xI8(bytes[3]),
        pack4xI8(bytes[4]), pack4xI8(bytes[5]), pack4xI8(bytes[6]), pack4xI8(bytes[7]),
    );
}

// 32 columns of x likewise: column = scale × code. `sums` has the columns' sum: all of it first, or by halves.
struct Columns { codes: Codes, scale: f32, sums: vec2f }

// Columns rounded to 8 bits, as `rounded` in src/ops/few/packed.rs does.
fn columns_of(x: array<vec4f, 8>) -> Columns {
    let sizes = max(
        max(max(abs(x[0]), abs(x[1])), max(abs(x[2]), abs(x[3]))),
        max(max(abs(x[4]), abs(x[5])), max(abs(x[6]), abs(x[7]))),
    );
    let most = max(max(max(sizes.x, sizes.y), max(sizes.z, sizes.w)), 1e-30); // of columns that are all zero
    let per_unit = 127.0 / most;
    let codes = halves_of(packed(array(
        vec4i(round(x[0] * per_unit)), vec4i(round(x[1] * per_unit)),
        vec4i(round(x[2] * per_unit)), vec4i(round(x[3] * per_unit)),
        vec4i(round(x[4] * per_unit)), vec4i(round(x[5] * per_unit)),
        vec4i(round(x[6] * per_unit)), vec4i(round(x[7] * per_unit)),
    )));
    let ones = vec4u(0x01010101u);
    let sums = dots(codes, Codes(ones, ones));
    // NaN and infinity have no code: the scale keeps that they were there.
    let total = dot((x[0] + x[1]) + (x[2] + x[3]) + ((x[4] + x[5]) + (x[6] + x[7])), vec4f(1.0));
    let scale = select(most / 127.0, total, (bitcast<u32>(total) & 0x7f800000u) == 0x7f800000u);
    return Columns(codes, scale, scale * vec2f(select(sums, vec2i(sums.x + sums.y, 0), HALVES == 1u)));
}

// Σ of products of bytes, by halves.
fn dots(a: Codes, b: Codes) -> vec2i { return vec2i(half_dots(a.first, b.first), half_dots(a.second, b.second)); }

fn half_dots(a: vec4u, b: vec4u) -> i32 {
    return dot4I8Packed(a.x, b.x) + dot4I8Packed(a.y, b.y) + dot4I8Packed(a.z, b.z) + dot4I8Packed(a.w, b.w);
}

// Σ of 32 products, from those of the halves' codes.
fn scaled_sum(w_scale: vec2f, w_least: vec2f, x_scale: f32, x_sums: vec2f, sums: vec2i) -> f32 {
    if (HALVES == 1u) { return w_scale.x * x_scale * f32(sums.x + sums.y) + w_least.x * x_sums.x; }
    return x_scale * dot(w_scale, vec2f(sums)) + dot(w_least, x_sums);
}
