// Where a head's row of a position lies in the cache [pages, Hkv, page], in rows.
fn cache_row(slot: u32, position: u32, kv_head: u32) -> u32 {
    let at = cache_position(slot, position, params.page);
    return (at / params.page * params.n_kv_heads + kv_head) * params.page + at % params.page;
}
