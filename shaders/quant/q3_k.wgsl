// Q3_K: weight = d × scale × (code − 4). A row: the codes' low 2 bits, two words a block; their third bits, a word a
// block; a signed byte for 16 weights, their scale; f16 d, one for 8 blocks.
fn dequant(row: u32, blocks: u32, block: u32, part: u32) -> array<vec4f, 2> {
    let bits = row + (blocks >> 1u);
    let third = code_bits(weight[bits + (block >> 2u)][block & 3u], part) << vec2u(2u);
    let codes = code_pairs(weight[row + (block >> 1u)][(block & 1u) * 2u + (part >> 1u)], part) | third;
    let scales = bits + (blocks >> 2u);
    let times = scale_i8(weight[scales + (block >> 3u)][(block >> 1u) & 3u], block * 2u + (part >> 1u));
    let d = scale_half(weight[scales + (blocks >> 3u) + (block >> 6u)][(block >> 4u) & 3u], block >> 3u);
    let scale = d * times;
    return array(scale * (code_floats(codes.x) - 4.0), scale * (code_floats(codes.y) - 4.0));
}
