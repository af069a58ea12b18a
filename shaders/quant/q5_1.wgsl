// Q5_1: weight = scale × code + min. A row: the codes' low 4 bits, a vec4<u32> a block; their fifth bits, a word a
// block; f16 (scale, min) pairs.
fn dequant(row: u32, blocks: u32, block: u32, part: u32) -> array<vec4f, 2> {
    let bits = row + blocks;
    let fifth = code_bits(weight[bits + (block >> 2u)][block & 3u], part) << vec2u(4u);
    let codes = code_nibbles(weight[row + block][part]) | fifth;
    let pairs = bits + ((blocks + 3u) >> 2u);
    let pair = unpack2x16float(weight[pairs + (block >> 2u)][block & 3u]);
    return array(pair.x * code_floats(codes.x) + pair.y, pair.x * code_floats(codes.y) + pair.y);
}
