// Up to 32 dimensions of a head, eight cells of four, into the cache, where `writes` says so; gives
// back what is kept of them.
fn store_key(row: u32, block: u32, x: array<vec4f, 8>, writes: bool) -> array<vec4f, 8> {
    var kept = x;
    for (var i = 0u; i < min(8u, DIMS4 - block * 8u); i++) {
        let cell = vec2u(pack2x16float(x[i].xy), pack2x16float(x[i].zw));
        if (writes) { keys[row * DIMS4 + block * 8u + i] = cell; }
        kept[i] = numbers_of(cell);
    }
    return kept;
}

fn store_value(row: u32, block: u32, x: array<vec4f, 8>, writes: bool) -> array<vec4f, 8> {
    var kept = x;
    for (var i = 0u; i < min(8u, DIMS4 - block * 8u); i++) {
        let cell = vec2u(pack2x16float(x[i].xy), pack2x16float(x[i].zw));
        if (writes) { values[row * DIMS4 + block * 8u + i] = cell; }
        kept[i] = numbers_of(cell);
    }
    return kept;
}
