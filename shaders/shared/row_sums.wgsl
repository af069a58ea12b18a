// Adds up every LANES-th block of columns, from block `lane` on, of the weight rows from `first` on; those past `last`
// are read as if they were `last`. `base` is where row 0 begins and `stride` how long a row is, both in vec4<u32>. The
// second half of the rows lies `jump` rows behind the first.
fn row_sums(base: u32, stride: u32, first: u32, last: u32, jump: u32, x_row: u32, lane: u32) -> Sums {
    var sums = Sums();
    // The sums of one row of x. The loop finds them by comparison, not by index, so that they lie in registers.
    var first4 = vec4f();
    var next4 = vec4f();
    var squares = 0.0;
    let blocks = (params.k + 31u) / 32u;
    for (var block = lane; block < blocks; block += LANES) {
        let at = block * 8u;
        if (ROWS == 1u) {
            // Written out: some compilers keep arrays that loops go through in memory.
            var x0 = load_x(x_row, at);
            var x1 = load_x(x_row, at + 1u);
            var x2 = load_x(x_row, at + 2u);
            var x3 = load_x(x_row, at + 3u);
            var x4 = load_x(x_row, at + 4u);
            var x5 = load_x(x_row, at + 5u);
            var x6 = load_x(x_row, at + 6u);
            var x7 = load_x(x_row, at + 7u);
            if (NORM == 1u) {
                squares += dot(x0, x0) + dot(x1, x1) + dot(x2, x2) + dot(x3, x3)
                    + dot(x4, x4) + dot(x5, x5) + dot(x6, x6) + dot(x7, x7);
                x0 *= norm_at(at);
                x1 *= norm_at(at + 1u);
                x2 *= norm_at(at + 2u);
                x3 *= norm_at(at + 3u);
                x4 *= norm_at(at + 4u);
                x5 *= norm_at(at + 5u);
                x6 *= norm_at(at + 6u);
                x7 *= norm_at(at + 7u);
            }
            for (var o = 0u; o < OUTPUTS; o++) {
                let row = min(first + o % RESULTS, last) + o / RESULTS * jump;
                let w = dequant(base + row * stride, blocks, block);
                let sum = dot(w[0], x0) + dot(w[1], x1) + dot(w[2], x2) + dot(w[3], x3)
                    + dot(w[4], x4) + dot(w[5], x5) + dot(w[6], x6) + dot(w[7], x7);
                first4 += select(vec4f(), vec4f(sum), vec4u(0u, 1u, 2u, 3u) == vec4u(o));
                if (OUTPUTS > 4u) { next4 += select(vec4f(), vec4f(sum), vec4u(4u, 5u, 6u, 7u) == vec4u(o)); }
            }
        } else {
            for (var t = 0u; t < ROWS * NORM; t++) {
                for (var c = 0u; c < 8u; c++) {
                    let columns = load_x(x_row + t, at + c);
                    sums[SUMS - ROWS + t] += dot(columns, columns);
                }
            }
            for (var o = 0u; o < OUTPUTS; o++) {
                let row = min(first + o % RESULTS, last) + o / RESULTS * jump;
                var w = dequant(base + row * stride, blocks, block);
                for (var c = 0u; c < 8u * NORM; c++) { w[c] *= norm_at(at + c); }
                for (var t = 0u; t < ROWS; t++) {
                    sums[t * OUTPUTS + o] += dot(w[0], load_x(x_row + t, at)) + dot(w[1], load_x(x_row + t, at + 1u))
                        + dot(w[2], load_x(x_row + t, at + 2u)) + dot(w[3], load_x(x_row + t, at + 3u))
                        + dot(w[4], load_x(x_row + t, at + 4u)) + dot(w[5], load_x(x_row + t, at + 5u))
                        + dot(w[6], load_x(x_row + t, at + 6u)) + dot(w[7], load_x(x_row + t, at + 7u));
                }
            }
        }
    }
    if (ROWS == 1u) {
        for (var o = 0u; o < OUTPUTS; o++) { sums[o] = select(first4, next4, o > 3u)[o % 4u]; }
        if (NORM == 1u) { sums[SUMS - 1u] = squares; }
    }
    return sums;
}
