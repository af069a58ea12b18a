// No norm stands before the projection.
const NORM: u32 = 0u;

fn norm_times(columns: array<vec4f, 8>, block: u32) -> array<vec4f, 8> { return columns; }
