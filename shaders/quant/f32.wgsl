// F32: 32 weights a block, eight vec4; `part` 0..3 selects 8 of them.
fn dequant(row: u32, blocks: u32, block: u32, part: u32) -> array<vec4f, 2> {
    let at = row + block * 8u + part * 2u;
    return array(bitcast<vec4f>(weight[at]), bitcast<vec4f>(weight[at + 1u]));
}
