// Q2_K: weight = d × scale × code − dmin × min. A row: 2-bit codes, two words a block; a byte for 16 weights, its low
// half their scale and its high half their min; f16 (d, dmin) pairs, one for 8 blocks.
fn dequant(row: u32, blocks: u32, block: u32) -> Weights {
    let pair = weight[row + (block >> 1u)];
    let scales = row + (blocks >> 1u);
    let bytes = weight[scales + (block >> 3u)][(block >> 1u) & 3u] >> ((block & 1u) * 16u);
    let d = unpack_f16(weight[scales + (blocks >> 3u) + (block >> 5u)][(block >> 3u) & 3u]);
    let scale = d.x * vec2f((vec2u(bytes) >> vec2u(0u, 8u)) & vec2u(15u));
    let least = -d.y * vec2f((vec2u(bytes) >> vec2u(4u, 12u)) & vec2u(15u));
    return above(codes_of_2(select(pair.xy, pair.zw, (block & 1u) == 1u)), scale, least);
}
