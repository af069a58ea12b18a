// Q3_K: weight = d × scale × (code − 4). A row: the codes' low 2 bits, two words a block; their third bits, a word a
// block; a signed byte for 16 weights, their scale; f16 d, one for 8 blocks.
fn dequant(row: u32, blocks: u32, block: u32) -> Weights {
    let pair = weight[row + (block >> 1u)];
    let low = codes_of_2(select(pair.xy, pair.zw, (block & 1u) == 1u));
    let bits = row + (blocks >> 1u);
    let codes = joined(low, codes_of_1(weight[bits + (block >> 2u)][block & 3u]), 2u);
    let scales = bits + (blocks >> 2u);
    let bytes = weight[scales + (block >> 3u)][(block >> 1u) & 3u];
    let d = scale_half(weight[scales + (blocks >> 3u) + (block >> 6u)][(block >> 4u) & 3u], block >> 3u);
    return around(codes, d * vec2f(scale_i8(bytes, block * 2u), scale_i8(bytes, block * 2u + 1u)), 4.0);
}
