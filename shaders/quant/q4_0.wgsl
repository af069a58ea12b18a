// Q4_0: 32 codes of 4 bits a block, one vec4<u32>; `part` 0..3 selects 8 of them: low nibbles are weights 0..15, high
// ones 16..31. The row's f16 scales follow its codes.
fn dequant(row: u32, blocks: u32, block: u32, part: u32) -> array<vec4f, 2> {
    let codes = weight[row + block];
    let words = select(codes.xy, codes.zw, (part & 1u) == 1u) >> vec2u((part >> 1u) * 4u);
    let pair = weight[row + blocks + (block >> 3u)][(block >> 1u) & 3u];
    let scale = unpack2x16float(pair)[block & 1u];
    let shift = vec4u(0u, 8u, 16u, 24u);
    return array(
        scale * (vec4f((vec4u(words.x) >> shift) & vec4u(15u)) - 8.0),
        scale * (vec4f((vec4u(words.y) >> shift) & vec4u(15u)) - 8.0),
    );
}
