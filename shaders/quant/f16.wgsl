// F16: 32 weights a block, four vec4<u32>, two weights a word; `part` 0..3 selects 8 of them.
fn dequant(row: u32, blocks: u32, block: u32, part: u32) -> array<vec4f, 2> {
    let w = weight[row + block * 4u + part];
    return array(
        vec4f(unpack2x16float(w.x), unpack2x16float(w.y)),
        vec4f(unpack2x16float(w.z), unpack2x16float(w.w)),
    );
}
