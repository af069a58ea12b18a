// The threads of a lane group are neighbours in a subgroup: they exchange sums without memory or barrier, each time with
// one twice as far away.
fn reduce(sums: Sums, lane: u32, local: u32) -> Sums {
    var whole = sums;
    for (var s = 0u; s < SUMS; s++) {
        for (var far = 1u; far < LANES; far *= 2u) { whole[s] += subgroupShuffleXor(whole[s], far); }
    }
    return whole;
}
