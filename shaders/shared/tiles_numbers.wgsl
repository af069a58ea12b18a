// Tiles of numbers, which `Number4` names. Wants ROWS, QUARTERS and Sums.
const STEP: u32 = 1u;

var<workgroup> x_tile: array<Number4, 8u * ROWS>; // [8 × 4 columns, rows]
var<workgroup> w_tile: array<Number4, 512>;       // [8 × 4 columns, 64 outputs]

// Where a cell of x lies. Neighbours in either direction are in different banks.
fn x_cell(column: u32, row: u32) -> u32 { return column * ROWS + (row ^ column); }

fn fill_tiles(block: u32, blocks: u32, first_row: u32, rows: u32, first_n: u32, local: u32) {
    for (var i = local; i < 64u * TALL; i += 64u) {
        let row = i / 8u;
        var columns = vec4f();
        if (first_row + row < rows) { columns = load_x(first_row + row, block * 8u + i % 8u); }
        x_tile[x_cell(i % 8u, row)] = number4(columns);
    }
    let weights = dequant(weight_row(first_n + local), blocks, block);
    for (var c = 0u; c < 8u; c++) { // unrolled
        w_tile[c * 64u + local] = number4(weights[c]);
    }
}

fn add_products(sums: ptr<function, Sums>, thread_row: u32, thread_n: u32) {
    for (var c = 0u; c < 8u; c++) {
        var xs = array<Number4, TALL>();
        for (var i = 0u; i < TALL; i++) { // unrolled
            xs[i] = x_tile[x_cell(c, thread_row + i * 8u)];
        }
        for (var j = 0u; j < 8u; j++) { // unrolled
            let w = w_tile[c * 64u + thread_n + j * 8u];
            for (var q = 0u; q < QUARTERS; q++) { // unrolled
                (*sums)[q * 8u + j] += vec4f(
                    product4(xs[q * 4u], w), product4(xs[q * 4u + 1u], w),
                    product4(xs[q * 4u + 2u], w), product4(xs[q * 4u + 3u], w),
                );
            }
        }
    }
}
