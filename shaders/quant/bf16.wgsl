// BF16: 32 weights a block, four vec4<u32>, two weights a word; `part` 0..3 selects 8 of them.
fn dequant(row: u32, blocks: u32, block: u32, part: u32) -> array<vec4f, 2> {
    let w = weight[row + block * 4u + part];
    let even = bitcast<vec4f>(w << vec4u(16u));
    let odd = bitcast<vec4f>(w & vec4u(0xffff0000u));
    return array(vec4f(even.x, odd.x, even.y, odd.y), vec4f(even.z, odd.z, even.w, odd.w));
}
