// Up to 32 dimensions of a head, eight cells of four, into the cache, where `writes` says so; gives
// back what is kept of them. What lies
// past the head's dimensions is zero.
struct Codes { words: array<u32, 8>, scale: f32 }

fn codes_of(x: array<vec4f, 8>) -> Codes {
    // By their bits, which order as the sizes do, with infinity and NaN above: the scale keeps those.
    var largest = vec4u();
    for (var i = 0u; i < 8u; i++) { largest = max(largest, bitcast<vec4u>(x[i]) & vec4u(0x7fffffffu)); }
    let most = bitcast<f32>(max(max(largest.x, largest.y), max(largest.z, largest.w)));
    var codes = Codes(array<u32, 8>(), most / 127.0);
    let inverse = select(127.0 / most, 0.0, most == 0.0);
    for (var i = 0u; i < 8u; i++) {
        let bytes = bitcast<vec4u>(vec4i(round(x[i] * inverse))) & vec4u(255u);
        codes.words[i] = bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
    }
    return codes;
}

fn kept_of(codes: Codes) -> array<vec4f, 8> {
    var kept = array<vec4f, 8>();
    for (var i = 0u; i < 8u; i++) { kept[i] = codes.scale * code_numbers(codes.words[i]); }
    return kept;
}

fn store_key(row: u32, block: u32, x: array<vec4f, 8>, writes: bool) -> array<vec4f, 8> {
    let codes = codes_of(x);
    if (writes) {
        let at = row * KV_ROW + block * 9u;
        for (var i = 0u; i < 8u; i++) { keys[at + i] = codes.words[i]; }
        keys[at + 8u] = bitcast<u32>(codes.scale);
    }
    return kept_of(codes);
}

fn store_value(row: u32, block: u32, x: array<vec4f, 8>, writes: bool) -> array<vec4f, 8> {
    let codes = codes_of(x);
    if (writes) {
        let at = row * KV_ROW + block * 9u;
        for (var i = 0u; i < 8u; i++) { values[at + i] = codes.words[i]; }
        values[at + 8u] = bitcast<u32>(codes.scale);
    }
    return kept_of(codes);
}
