// As row_sums, with the columns of x rounded to 8 bits, so that one instruction multiplies and adds four of them.
fn row_sums(base: u32, stride: u32, first: u32, last: u32, jump: u32, x_row: u32, lane: u32) -> Sums {
    var sums = Sums();
    let blocks = (params.k + 31u) / 32u;
    for (var block = lane; block < blocks; block += LANES) {
        let at = block * 8u;
        var xs = array<Columns, ROWS>();
        for (var t = 0u; t < ROWS; t++) { // unrolled
            var columns = array<vec4f, 8>();
            for (var c = 0u; c < 8u; c++) { // unrolled
                columns[c] = load_x(x_row + t, at + c);
                if (NORM == 1u) {
                    sums[SUMS - ROWS + t] += dot(columns[c], columns[c]);
                    columns[c] *= norm_at(at + c);
                }
            }
            xs[t] = columns_of(columns);
        }
        for (var o = 0u; o < OUTPUTS; o++) {
            let row = min(first + o % RESULTS, last) + o / RESULTS * jump;
            let w = dequant(base + row * stride, blocks, block);
            for (var t = 0u; t < ROWS; t++) { // unrolled
                let x = xs[t];
                sums[t * OUTPUTS + o] += scaled_sum(w.scale, w.least, x.scale, x.sums, dots(w.codes, x.codes));
            }
        }
    }
    return sums;
}
