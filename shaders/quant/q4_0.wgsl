// Q4_0: weight = scale × (code − 8). A row: 4-bit codes, a vec4<u32> a block; f16 scales.
fn dequant(row: u32, blocks: u32, block: u32) -> Weights {
    let scale = scale_half(weight[row + blocks + (block >> 3u)][(block >> 1u) & 3u], block);
    return around(codes_of_4(weight[row + block]), vec2f(scale), 8.0);
}
