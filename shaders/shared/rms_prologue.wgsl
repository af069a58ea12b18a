// The RMSNorm before a projection. Its weights multiply the columns as they are read; 1 / rms multiplies the sums at the
// end, from the squares that are summed beside them, so that nobody has to see x twice.
const NORM: u32 = 1u;

fn norm_at(column4: u32) -> vec4f {
    if (RAGGED == 0u) { return norm_weight[column4]; }
    return norm_weight[min(column4, (params.k + 3u) / 4u - 1u)]; // past it x is zero
}

fn norm_times(columns: array<vec4f, 8>, block: u32) -> array<vec4f, 8> {
    let at = block * 8u;
    return array(
        columns[0] * norm_at(at), columns[1] * norm_at(at + 1u), columns[2] * norm_at(at + 2u), columns[3] * norm_at(at + 3u),
        columns[4] * norm_at(at + 4u), columns[5] * norm_at(at + 5u), columns[6] * norm_at(at + 6u), columns[7] * norm_at(at + 7u),
    );
}
