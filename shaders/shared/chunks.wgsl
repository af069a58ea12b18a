// Long attention is cut into chunks of keys, whole tiles of 64 each, as equal as can be.
fn keys_a_chunk(n_keys: u32, chunks: u32) -> u32 { return ((n_keys + chunks - 1u) / chunks + 63u) / 64u * 64u; }
