// Q5_0: weight = scale × (code − 16). A row: the codes' low 4 bits, a vec4<u32> a block; their fifth bits, a word a
// block; f16 scales.
fn dequant(row: u32, blocks: u32, block: u32) -> Weights {
    let bits = row + blocks;
    let codes = joined(codes_of_4(weight[row + block]), codes_of_1(weight[bits + (block >> 2u)][block & 3u]), 4u);
    let scales = bits + ((blocks + 3u) >> 2u);
    let scale = scale_half(weight[scales + (block >> 3u)][(block >> 1u) & 3u], block);
    return around(codes, vec2f(scale), 16.0);
}
