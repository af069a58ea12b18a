// Q5_1: weight = scale × code + min. A row: the codes' low 4 bits, a vec4<u32> a block; their fifth bits, a word a
// block; f16 (scale, min) pairs.
fn dequant(row: u32, blocks: u32, block: u32) -> Weights {
    let bits = row + blocks;
    let codes = joined(codes_of_4(weight[row + block]), codes_of_1(weight[bits + (block >> 2u)][block & 3u]), 4u);
    let pairs = bits + ((blocks + 3u) >> 2u);
    let pair = unpack_f16(weight[pairs + (block >> 2u)][block & 3u]);
    return above(codes, pair.xx, pair.yy);
}
