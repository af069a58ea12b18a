// Q6_K: weight = d × scale × (code − 32). A row: the codes' low 4 bits, a vec4<u32> a block; their high 2 bits, two
// words a block; a signed byte for 16 weights, their scale; f16 d, one for 8 blocks.
fn dequant(row: u32, blocks: u32, block: u32) -> Weights {
    let pairs = row + blocks;
    let pair = weight[pairs + (block >> 1u)];
    let high = codes_of_2(select(pair.xy, pair.zw, (block & 1u) == 1u));
    let codes = joined(codes_of_4(weight[row + block]), high, 4u);
    let scales = pairs + (blocks >> 1u);
    let bytes = weight[scales + (block >> 3u)][(block >> 1u) & 3u];
    let d = scale_half(weight[scales + (blocks >> 3u) + (block >> 6u)][(block >> 4u) & 3u], block >> 3u);
    return around(codes, d * vec2f(scale_i8(bytes, block * 2u), scale_i8(bytes, block * 2u + 1u)), 32.0);
}
