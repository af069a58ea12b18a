// F16: 32 weights a block, four vec4<u32>, two weights a word.
fn dequant(row: u32, blocks: u32, block: u32) -> Weights {
    let at = row + block * 4u;
    let a = weight[at];
    let b = weight[at + 1u];
    let c = weight[at + 2u];
    let d = weight[at + 3u];
    return array(
        vec4f(unpack_f16(a.x), unpack_f16(a.y)), vec4f(unpack_f16(a.z), unpack_f16(a.w)),
        vec4f(unpack_f16(b.x), unpack_f16(b.y)), vec4f(unpack_f16(b.z), unpack_f16(b.w)),
        vec4f(unpack_f16(c.x), unpack_f16(c.y)), vec4f(unpack_f16(c.z), unpack_f16(c.w)),
        vec4f(unpack_f16(d.x), unpack_f16(d.y)), vec4f(unpack_f16(d.z), unpack_f16(d.w)),
    );
}
