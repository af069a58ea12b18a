// Q2_K: weight = d × scale × code − dmin × min. A row: 2-bit codes, two words a block; a byte for 16 weights, its low
// half their scale and its high half their min; f16 (d, dmin) pairs, one for 8 blocks.
fn dequant(row: u32, blocks: u32, block: u32, part: u32) -> array<vec4f, 2> {
    let codes = code_pairs(weight[row + (block >> 1u)][(block & 1u) * 2u + (part >> 1u)], part);
    let scales = row + (blocks >> 1u);
    let byte = weight[scales + (block >> 3u)][(block >> 1u) & 3u] >> ((block & 1u) * 16u + (part >> 1u) * 8u);
    let d = unpack2x16float(weight[scales + (blocks >> 3u) + (block >> 5u)][(block >> 3u) & 3u]);
    let scale = d.x * f32(byte & 15u);
    let least = d.y * f32((byte >> 4u) & 15u);
    return array(scale * code_floats(codes.x) - least, scale * code_floats(codes.y) - least);
}
