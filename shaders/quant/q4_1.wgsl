// Q4_1: weight = scale × code + min. A row: 4-bit codes, a vec4<u32> a block; f16 (scale, min) pairs.
fn dequant(row: u32, blocks: u32, block: u32, part: u32) -> array<vec4f, 2> {
    let codes = code_nibbles(weight[row + block][part]);
    let pair = unpack2x16float(weight[row + blocks + (block >> 2u)][block & 3u]);
    return array(pair.x * code_floats(codes.x) + pair.y, pair.x * code_floats(codes.y) + pair.y);
}
