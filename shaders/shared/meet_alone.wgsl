// One thread has the whole sums: nobody to meet.
fn meet(sums: Sums, lane: u32, local: u32) -> Sums { return sums; }
