// Q4_1: weight = scale × code + min. A row: 4-bit codes, a vec4<u32> a block; f16 (scale, min) pairs.
fn dequant(row: u32, blocks: u32, block: u32) -> Weights {
    let pair = unpack_f16(weight[row + blocks + (block >> 2u)][block & 3u]);
    return above(codes_of_4(weight[row + block]), pair.xx, pair.yy);
}
