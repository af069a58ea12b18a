// Up to 32 dimensions of a head, eight cells of four, into the cache, where `writes` says so; gives
// back what is kept of them.
fn store_key(row: u32, block: u32, x: array<vec4f, 8>, writes: bool) -> array<vec4f, 8> {
    for (var i = 0u; i < min(8u, DIMS4 - block * 8u) && writes; i++) { keys[row * DIMS4 + block * 8u + i] = x[i]; }
    return x;
}

fn store_value(row: u32, block: u32, x: array<vec4f, 8>, writes: bool) -> array<vec4f, 8> {
    for (var i = 0u; i < min(8u, DIMS4 - block * 8u) && writes; i++) { values[row * DIMS4 + block * 8u + i] = x[i]; }
    return x;
}
