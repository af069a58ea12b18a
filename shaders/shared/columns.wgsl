// Rows of x [T, K], four columns at a time. Wants params.k, params.x_stride4 and x.

// Four columns from 4 × `column4` on; past K they are zero, whatever an earlier step left there.
fn load_x(row: u32, column4: u32) -> vec4f {
    if (RAGGED == 0u) { return x[row * params.x_stride4 + column4]; }
    if (column4 >= params.x_stride4) { return vec4f(); }
    let columns = vec4u(column4 * 4u) + vec4u(0u, 1u, 2u, 3u);
    return select(vec4f(), x[row * params.x_stride4 + column4], columns < vec4u(params.k));
}
