// Q5_K: weight = d × scale × code − dmin × min. A row: the codes' low 4 bits, a vec4<u32> a block; their fifth bits, a
// word a block; two bytes a block, scale and min; f16 (d, dmin) pairs, one for 8 blocks.
fn dequant(row: u32, blocks: u32, block: u32) -> Weights {
    let bits = row + blocks;
    let codes = joined(codes_of_4(weight[row + block]), codes_of_1(weight[bits + (block >> 2u)][block & 3u]), 4u);
    let scales = bits + (blocks >> 2u);
    let bytes = weight[scales + (block >> 3u)][(block >> 1u) & 3u] >> ((block & 1u) * 16u);
    let d = unpack_f16(weight[scales + (blocks >> 3u) + (block >> 5u)][(block >> 3u) & 3u]);
    let scale = d.x * f32(bytes & 255u);
    let least = -d.y * f32((bytes >> 8u) & 255u);
    return above(codes, vec2f(scale), vec2f(least));
}
