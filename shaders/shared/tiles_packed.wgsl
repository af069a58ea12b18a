// Tiles of packed bytes: x is rounded to 8 bits, so that one instruction multiplies and adds four columns. Wants ROWS,
// QUARTERS and Sums.
const STEP: u32 = 2u;

// Cells are [STEP, rows] and [STEP, 64 outputs]. Halves of codes lie in arrays of their own: threads side by side read cells
// side by side, without a gap.
var<workgroup> x_first: array<vec4u, STEP * ROWS>;
var<workgroup> x_second: array<vec4u, STEP * ROWS>;
var<workgroup> x_scales: array<vec4f, STEP * ROWS>; // scale and sums
var<workgroup> w_first: array<vec4u, STEP * 64u>;
var<workgroup> w_second: array<vec4u, STEP * 64u>;
var<workgroup> w_scales: array<vec4f, STEP * 64u>; // scale and least of both halves

fn fill_tiles(block: u32, blocks: u32, first_row: u32, rows: u32, first_n: u32, local: u32) {
    for (var i = local; i < STEP * ROWS; i += 64u) {
        let row = first_row + i % ROWS;
        let at = block + i / ROWS;
        var columns = array<vec4f, 8>();
        if (row < rows && at < blocks) {
            for (var c = 0u; c < 8u; c++) { // unrolled
                columns[c] = load_x(row, at * 8u + c);
            }
        }
        let x = columns_of(columns);
        x_first[i] = x.codes.first;
        x_second[i] = x.codes.second;
        x_scales[i] = vec4f(x.scale, x.sums, 0.0);
    }
    for (var step = 0u; step < STEP; step++) {
        // Past the last block x is zero, whatever it is multiplied with.
        let w = dequant(weight_row(first_n + local), blocks, min(block + step, blocks - 1u));
        let cell = step * 64u + local;
        w_first[cell] = w.codes.first;
        w_second[cell] = w.codes.second;
        w_scales[cell] = vec4f(w.scale, w.least);
    }
}

fn add_products(sums: ptr<function, Sums>, thread_row: u32, thread_n: u32) {
    for (var step = 0u; step < STEP; step++) {
        var x = array<Cell, TALL>();
        for (var i = 0u; i < TALL; i++) { // unrolled
            let cell = step * ROWS + thread_row + i * 8u;
            x[i] = Cell(Codes(x_first[cell], x_second[cell]), x_scales[cell]);
        }
        for (var j = 0u; j < 8u; j++) { // unrolled
            let cell = step * 64u + thread_n + j * 8u;
            let w = Cell(Codes(w_first[cell], w_second[cell]), w_scales[cell]);
            for (var q = 0u; q < QUARTERS; q++) { // unrolled
                (*sums)[q * 8u + j] += vec4f(
                    product(w, x[q * 4u]),
                    product(w, x[q * 4u + 1u]),
                    product(w, x[q * 4u + 2u]),
                    product(w, x[q * 4u + 3u]),
                );
            }
        }
    }
}

struct Cell { codes: Codes, scales: vec4f }

fn product(w: Cell, x: Cell) -> f32 {
    return scaled_sum(w.scales.xy, w.scales.zw, x.scales.x, x.scales.yz, dots(w.codes, x.codes));
}
