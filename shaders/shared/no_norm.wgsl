// No norm stands before the projection.
const NORM: u32 = 0u;

fn norm_at(column4: u32) -> vec4f { return vec4f(1.0); }
