// Tiles of packed bytes: x is rounded to 8 bits, so that one instruction multiplies and adds four columns. Wants ROWS,
// QUARTERS and Sums.
const STEP: u32 = 2u;

// Cells are [STEP, rows] and [STEP, 64 outputs]; the codes of a block lie in two arrays, sixteen in a cell.
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
        x_first[i] = vec4u(x.codes[0], x.codes[1], x.codes[2], x.codes[3]);
        x_second[i] = vec4u(x.codes[4], x.codes[5], x.codes[6], x.codes[7]);
        x_scales[i] = vec4f(x.scale, x.sums, 0.0);
    }
    for (var step = 0u; step < STEP; step++) {
        // Past the last block x is zero, whatever it is multiplied with.
        let w = dequant(weight_row(first_n + local), blocks, min(block + step, blocks - 1u));
        let cell = step * 64u + local;
        w_first[cell] = vec4u(w.codes[0], w.codes[1], w.codes[2], w.codes[3]);
        w_second[cell] = vec4u(w.codes[4], w.codes[5], w.codes[6], w.codes[7]);
        w_scales[cell] = vec4f(w.scale, w.least);
    }
}

fn add_products(sums: ptr<function, Sums>, thread_row: u32, thread_n: u32) {
    for (var step = 0u; step < STEP; step++) {
        var first = array<vec4u, TALL>();
        var second = array<vec4u, TALL>();
        var scales = array<vec4f, TALL>();
        for (var i = 0u; i < TALL; i++) { // unrolled
            first[i] = x_first[step * ROWS + thread_row + i * 8u];
            second[i] = x_second[step * ROWS + thread_row + i * 8u];
            scales[i] = x_scales[step * ROWS + thread_row + i * 8u];
        }
        for (var j = 0u; j < 8u; j++) { // unrolled
            let cell = step * 64u + thread_n + j * 8u;
            let w = Cell(w_first[cell], w_second[cell], w_scales[cell]);
            for (var q = 0u; q < QUARTERS; q++) { // unrolled
                (*sums)[q * 8u + j] += vec4f(
                    product(w, Cell(first[q * 4u], second[q * 4u], scales[q * 4u])),
                    product(w, Cell(first[q * 4u + 1u], second[q * 4u + 1u], scales[q * 4u + 1u])),
                    product(w, Cell(first[q * 4u + 2u], second[q * 4u + 2u], scales[q * 4u + 2u])),
                    product(w, Cell(first[q * 4u + 3u], second[q * 4u + 3u], scales[q * 4u + 3u])),
                );
            }
        }
    }
}

struct Cell { first: vec4u, second: vec4u, scales: vec4f }

fn product(w: Cell, x: Cell) -> f32 {
    let sums = vec2i(dots(w.first, x.first), dots(w.second, x.second));
    return scaled_sum(w.scales.xy, w.scales.zw, x.scales.x, x.scales.yz, sums.x, sums.y);
}
