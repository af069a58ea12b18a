// Q5_0: weight = scale × (code − 16). A row: the codes' low 4 bits, a vec4<u32> a block; their fifth bits, a word a
// block; f16 scales.
fn dequant(row: u32, blocks: u32, block: u32, part: u32) -> array<vec4f, 2> {
    let bits = row + blocks;
    let fifth = code_bits(weight[bits + (block >> 2u)][block & 3u], part) << vec2u(4u);
    let codes = code_nibbles(weight[row + block][part]) | fifth;
    let scales = bits + ((blocks + 3u) >> 2u);
    let scale = scale_half(weight[scales + (block >> 3u)][(block >> 1u) & 3u], block);
    return array(scale * (code_floats(codes.x) - 16.0), scale * (code_floats(codes.y) - 16.0));
}
