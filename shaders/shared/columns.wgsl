// Rows of x [T, K], 32 columns at a time: as many as a block of weights. Wants params.k, params.x_stride4 and x.

// Four columns from 4 × `column4` on; past K they are zero, whatever an earlier step left there.
fn load_x(row: u32, column4: u32) -> vec4f {
    if (RAGGED == 0u) { return x[row * params.x_stride4 + column4]; }
    if (column4 >= params.x_stride4) { return vec4f(); }
    let columns = vec4u(column4 * 4u) + vec4u(0u, 1u, 2u, 3u);
    return select(vec4f(), x[row * params.x_stride4 + column4], columns < vec4u(params.k));
}

fn x_block(row: u32, block: u32) -> array<vec4f, 8> {
    let at = block * 8u;
    return array(
        load_x(row, at), load_x(row, at + 1u), load_x(row, at + 2u), load_x(row, at + 3u),
        load_x(row, at + 4u), load_x(row, at + 5u), load_x(row, at + 6u), load_x(row, at + 7u),
    );
}

fn dot_blocks(a: array<vec4f, 8>, b: array<vec4f, 8>) -> f32 {
    return dot(a[0], b[0]) + dot(a[1], b[1]) + dot(a[2], b[2]) + dot(a[3], b[3])
        + dot(a[4], b[4]) + dot(a[5], b[5]) + dot(a[6], b[6]) + dot(a[7], b[7]);
}
