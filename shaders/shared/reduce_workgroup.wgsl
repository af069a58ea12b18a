// The threads of a lane group reduce in workgroup memory. Each gets the whole of those sums that it finishes, and of the
// squares.
var<workgroup> parts: array<f32, 64u * SUMS>;

fn reduce(sums: Sums, lane: u32, local: u32) -> Sums {
    workgroupBarrier(); // whoever met before has read
    for (var s = 0u; s < SUMS; s++) { parts[s * 64u + local] = sums[s]; }
    workgroupBarrier();
    var whole = Sums();
    for (var s = 0u; s < SUMS; s++) {
        if (s < SQUARES && lane_of(s) != lane) { continue; }
        var sum = 0.0;
        for (var i = 0u; i < LANES; i++) { sum += parts[s * 64u + local / LANES * LANES + i]; }
        whole[s] = sum;
    }
    return whole;
}
