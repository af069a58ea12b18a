// IQ4_NL: weight = scale × value[code], sixteen values spread unevenly. A row: 4-bit codes, a vec4<u32> a block; f16
// scales.
fn dequant(row: u32, blocks: u32, block: u32, part: u32) -> array<vec4f, 2> {
    let codes = code_nibbles(weight[row + block][part]);
    let scale = scale_half(weight[row + blocks + (block >> 3u)][(block >> 1u) & 3u], block);
    return array(scale * iq4_values(codes.x), scale * iq4_values(codes.y));
}
