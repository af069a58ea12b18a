// Q5_K: weight = d × scale × code − dmin × min. A row: the codes' low 4 bits, a vec4<u32> a block; their fifth bits, a
// word a block; two bytes a block, scale and min; f16 (d, dmin) pairs, one for 8 blocks.
fn dequant(row: u32, blocks: u32, block: u32, part: u32) -> array<vec4f, 2> {
    let bits = row + blocks;
    let fifth = code_bits(weight[bits + (block >> 2u)][block & 3u], part) << vec2u(4u);
    let codes = code_nibbles(weight[row + block][part]) | fifth;
    let scales = bits + (blocks >> 2u);
    let bytes = weight[scales + (block >> 3u)][(block >> 1u) & 3u] >> ((block & 1u) * 16u);
    let d = unpack2x16float(weight[scales + (blocks >> 3u) + (block >> 5u)][(block >> 3u) & 3u]);
    let scale = d.x * f32(bytes & 255u);
    let least = d.y * f32((bytes >> 8u) & 255u);
    return array(scale * code_floats(codes.x) - least, scale * code_floats(codes.y) - least);
}
