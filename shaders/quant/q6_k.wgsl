// Q6_K: weight = d × scale × (code − 32). A row: the codes' low 4 bits, a vec4<u32> a block; their high 2 bits, two
// words a block; a signed byte for 16 weights, their scale; f16 d, one for 8 blocks.
fn dequant(row: u32, blocks: u32, block: u32, part: u32) -> array<vec4f, 2> {
    let pairs = row + blocks;
    let high = code_pairs(weight[pairs + (block >> 1u)][(block & 1u) * 2u + (part >> 1u)], part) << vec2u(4u);
    let codes = code_nibbles(weight[row + block][part]) | high;
    let scales = pairs + (blocks >> 1u);
    let times = scale_i8(weight[scales + (block >> 3u)][(block >> 1u) & 3u], block * 2u + (part >> 1u));
    let d = scale_half(weight[scales + (blocks >> 3u) + (block >> 6u)][(block >> 4u) & 3u], block >> 3u);
    let scale = d * times;
    return array(scale * (code_floats(codes.x) - 32.0), scale * (code_floats(codes.y) - 32.0));
}
