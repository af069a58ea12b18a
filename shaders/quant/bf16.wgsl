// BF16: 32 weights a block, four vec4<u32>, two weights a word.
fn dequant(row: u32, blocks: u32, block: u32) -> Weights {
    let at = row + block * 4u;
    let a = bfloats(weight[at]);
    let b = bfloats(weight[at + 1u]);
    let c = bfloats(weight[at + 2u]);
    let d = bfloats(weight[at + 3u]);
    return array(a[0], a[1], b[0], b[1], c[0], c[1], d[0], d[1]);
}

fn bfloats(words: vec4u) -> array<vec4f, 2> {
    let even = bitcast<vec4f>(words << vec4u(16u));
    let odd = bitcast<vec4f>(words & vec4u(0xffff0000u));
    return array(vec4f(even.x, odd.x, even.y, odd.y), vec4f(even.z, odd.z, even.w, odd.w));
}
