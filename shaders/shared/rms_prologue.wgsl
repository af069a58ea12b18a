// The RMSNorm before a projection. Its weights multiply the columns as they are read; 1 / rms multiplies the sums at the
// end, from the squares that are summed beside them, so that nobody has to see x twice.
const NORM: u32 = 1u;

fn norm_at(column4: u32) -> vec4f {
    if (RAGGED == 0u) { return norm_weight[column4]; }
    return norm_weight[min(column4, (params.k + 3u) / 4u - 1u)]; // past it x is zero
}
