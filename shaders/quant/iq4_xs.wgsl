// IQ4_XS: weight = d × scale × value[code], sixteen values spread unevenly. A row: 4-bit codes, a vec4<u32> a block; a
// signed byte a block, its scale; f16 d, one for 8 blocks.
fn dequant(row: u32, blocks: u32, block: u32) -> Weights {
    let scales = row + blocks;
    let times = scale_i8(weight[scales + (block >> 4u)][(block >> 2u) & 3u], block);
    let d = scale_half(weight[scales + ((blocks + 15u) >> 4u) + (block >> 6u)][(block >> 4u) & 3u], block >> 3u);
    return iq4_scaled(codes_of_4(weight[row + block]), d * times);
}
