// MXFP4: weight = 2^(exponent − 128) × twice a four-bit float. A row: 4-bit codes, a vec4<u32> a block; an exponent
// byte a block.
fn dequant(row: u32, blocks: u32, block: u32) -> Weights {
    let exponents = weight[row + blocks + (block >> 4u)][(block >> 2u) & 3u];
    let exponent = (exponents >> ((block & 3u) * 8u)) & 255u;
    // The two smallest powers of two have no exponent bits: they are subnormal.
    let bits = select((exponent - 1u) << 23u, 0x00200000u << (exponent & 1u), exponent < 2u);
    let scale = bitcast<f32>(bits);
    let codes = codes_of_4(weight[row + block]);
    return scaled(array(
        mxfp4_values(codes[0]), mxfp4_values(codes[1]), mxfp4_values(codes[2]), mxfp4_values(codes[3]),
        mxfp4_values(codes[4]), mxfp4_values(codes[5]), mxfp4_values(codes[6]), mxfp4_values(codes[7]),
    ), scale);
}

// E2M1, doubled: 0 1 2 3 4 6 8 12, four bits each in one word; a code's top bit is the sign.
fn mxfp4_values(word: u32) -> vec4f {
    let codes = vec4u(word) >> vec4u(0u, 8u, 16u, 24u);
    let sizes = (vec4u(0xc8643210u) >> ((codes & vec4u(7u)) << vec4u(2u))) & vec4u(15u);
    let signs = (codes & vec4u(8u)) << vec4u(28u);
    return bitcast<vec4f>(bitcast<vec4u>(vec4f(sizes)) | signs);
}
