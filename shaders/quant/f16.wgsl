// F16: 32 weights a block, four vec4<u32>, two weights a word.
fn dequant(row: u32, blocks: u32, block: u32) -> Weights {
    let at = row + block * 4u;
    let a = weight[at];
    let b = weight[at + 1u];
    let c = weight[at + 2u];
    let d = weight[at + 3u];
    return array(
        vec4f(unpack2x16float(a.x), unpack2x16float(a.y)), vec4f(unpack2x16float(a.z), unpack2x16float(a.w)),
        vec4f(unpack2x16float(b.x), unpack2x16float(b.y)), vec4f(unpack2x16float(b.z), unpack2x16float(b.w)),
        vec4f(unpack2x16float(c.x), unpack2x16float(c.y)), vec4f(unpack2x16float(c.z), unpack2x16float(c.w)),
        vec4f(unpack2x16float(d.x), unpack2x16float(d.y)), vec4f(unpack2x16float(d.z), unpack2x16float(d.w)),
    );
}
