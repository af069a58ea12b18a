// F32: 32 weights a block, eight vec4.
fn dequant(row: u32, blocks: u32, block: u32) -> Weights {
    let at = row + block * 8u;
    return array(
        bitcast<vec4f>(weight[at]), bitcast<vec4f>(weight[at + 1u]),
        bitcast<vec4f>(weight[at + 2u]), bitcast<vec4f>(weight[at + 3u]),
        bitcast<vec4f>(weight[at + 4u]), bitcast<vec4f>(weight[at + 5u]),
        bitcast<vec4f>(weight[at + 6u]), bitcast<vec4f>(weight[at + 7u]),
    );
}
