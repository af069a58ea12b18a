// By their bits, since a compiler may assume that there is no NaN.
fn is_nan(z: f32) -> bool { return (bitcast<u32>(z) & 0x7fffffffu) > 0x7f800000u; }

fn is_finite(z: f32) -> bool { return (bitcast<u32>(z) & 0x7f800000u) != 0x7f800000u; }
