// Q4_0: weight = scale × (code − 8). A row: 4-bit codes, a vec4<u32> a block; f16 scales.
fn dequant(row: u32, blocks: u32, block: u32, part: u32) -> array<vec4f, 2> {
    let codes = code_nibbles(weight[row + block][part]);
    let scale = scale_half(weight[row + blocks + (block >> 3u)][(block >> 1u) & 3u], block);
    return array(scale * (code_floats(codes.x) - 8.0), scale * (code_floats(codes.y) - 8.0));
}
