// Q8_0: 32 signed bytes a block, two vec4<u32>; `part` 0..3 selects 8 of them. The row's f16 scales follow its codes.
fn dequant(row: u32, blocks: u32, block: u32, part: u32) -> array<vec4f, 2> {
    let codes = weight[row + block * 2u + (part >> 1u)];
    let words = select(codes.xy, codes.zw, (part & 1u) == 1u);
    let pair = weight[row + blocks * 2u + (block >> 3u)][(block >> 1u) & 3u];
    let scale = unpack2x16float(pair)[block & 1u];
    // Sign-extend each byte: shift it to the top, then arithmetically back.
    let shift = vec4u(24u, 16u, 8u, 0u);
    return array(
        scale * vec4f(bitcast<vec4i>(vec4u(words.x) << shift) >> vec4u(24u)),
        scale * vec4f(bitcast<vec4i>(vec4u(words.y) << shift) >> vec4u(24u)),
    );
}
