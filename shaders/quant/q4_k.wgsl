// Q4_K: weight = d × scale × code − dmin × min. A row: 4-bit codes, a vec4<u32> a block; two bytes a block, scale and
// min; f16 (d, dmin) pairs, one for 8 blocks.
fn dequant(row: u32, blocks: u32, block: u32) -> Weights {
    let scales = row + blocks;
    let bytes = weight[scales + (block >> 3u)][(block >> 1u) & 3u] >> ((block & 1u) * 16u);
    let d = unpack_f16(weight[scales + (blocks >> 3u) + (block >> 5u)][(block >> 3u) & 3u]);
    let scale = d.x * f32(bytes & 255u);
    let least = -d.y * f32((bytes >> 8u) & 255u);
    return above(codes_of_4(weight[row + block]), vec2f(scale), vec2f(least));
}
