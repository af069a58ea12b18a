// Q8_0: weight = scale × code. A row: signed 8-bit codes, two vec4<u32> a block; f16 scales.
fn dequant(row: u32, blocks: u32, block: u32) -> Weights {
    let a = weight[row + block * 2u];
    let b = weight[row + block * 2u + 1u];
    let scale = scale_half(weight[row + blocks * 2u + (block >> 3u)][(block >> 1u) & 3u], block);
    return signed(array(a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w), scale);
}
