// Q8_0: weight = scale × code. A row: signed 8-bit codes, two vec4<u32> a block; f16 scales.
fn dequant(row: u32, blocks: u32, block: u32) -> array<vec4f, 8> {
    let a = weight[row + block * 2u];
    let b = weight[row + block * 2u + 1u];
    let scale = scale_half(weight[row + blocks * 2u + (block >> 3u)][(block >> 1u) & 3u], block);
    return array(
        scale * signed_floats(a.x), scale * signed_floats(a.y), scale * signed_floats(a.z), scale * signed_floats(a.w),
        scale * signed_floats(b.x), scale * signed_floats(b.y), scale * signed_floats(b.z), scale * signed_floats(b.w),
    );
}

// Four signed bytes as numbers: each is shifted to the top, then arithmetically back.
fn signed_floats(word: u32) -> vec4f {
    return vec4f(bitcast<vec4i>(vec4u(word) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u));
}
