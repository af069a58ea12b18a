// Adds up every LANES-th block of columns, from block `lane` on, of the weight rows from `first` on; those past `last`
// are read as if they were `last`. `base` is where row 0 begins and `stride` how long a row is, both in vec4<u32>. The
// second half of the rows lies `jump` rows behind the first.
fn row_sums(base: u32, stride: u32, first: u32, last: u32, jump: u32, x_row: u32, lane: u32) -> Sums {
    var sums = Sums();
    let blocks = (params.k + 31u) / 32u;
    for (var block = lane; block < blocks; block += LANES) {
        if (ROWS == 1u) {
            var columns = x_block(x_row, block);
            if (NORM == 1u) {
                sums[SUMS - 1u] += dot_blocks(columns, columns);
                columns = norm_times(columns, block);
            }
            for (var o = 0u; o < OUTPUTS; o++) {
                let row = min(first + o % RESULTS, last) + o / RESULTS * jump;
                sums[o] += dot_blocks(dequant(base + row * stride, blocks, block), columns);
            }
        } else {
            for (var t = 0u; t < ROWS * NORM; t++) {
                let columns = x_block(x_row + t, block);
                sums[SUMS - ROWS + t] += dot_blocks(columns, columns);
            }
            for (var o = 0u; o < OUTPUTS; o++) {
                let row = min(first + o % RESULTS, last) + o / RESULTS * jump;
                let weights = norm_times(dequant(base + row * stride, blocks, block), block);
                for (var t = 0u; t < ROWS; t++) { sums[t * OUTPUTS + o] += dot_blocks(weights, x_block(x_row + t, block)); }
            }
        }
    }
    return sums;
}
