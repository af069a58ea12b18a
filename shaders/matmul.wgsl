// y [T, N] = (x [T, K] · weightᵀ [N, K] + b) × scale (+ y): a tile of 8 × TALL rows × 64 outputs a workgroup, 32 columns
// of K at a time, weights dequantised once. 64 threads, 8 × 8; each accumulates TALL rows × 8 outputs in registers.
struct Params {
    n: u32, k: u32, x_stride4: u32, y_stride: u32,
    base: u32, stride: u32, n_offset: u32, // of the weight, in vec4<u32>; this piece's first output
    rows_kind: u32,
    scale: f32, unused0: u32, unused1: u32, unused2: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;          // [T, K/4]
@group(0) @binding(3) var<storage, read> weight: array<vec4<u32>>; // [N, device row]
@group(0) @binding(4) var<storage, read> bias: array<f32>;         // [N]
@group(0) @binding(5) var<storage, read_write> y: array<f32>;      // [T, N]

const ROWS: u32 = 8u * TALL;
const QUARTERS: u32 = TALL / 4u;

var<workgroup> x_tile: array<Number4, 8u * ROWS>; // [8 × 4 columns, rows]
var<workgroup> w_tile: array<Number4, 512>;       // [8 × 4 columns, 64 outputs]

// Where a cell of x lies. Neighbours in either direction are in different banks.
fn x_cell(column: u32, row: u32) -> u32 { return column * ROWS + (row ^ column); }

@compute @workgroup_size(64)
fn matmul(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let first_row = group.y * ROWS;
    let first_n = group.x * 64u;
    // Rows thread_row, thread_row + 8, … and outputs thread_n, thread_n + 8, …: neighbours read neighbouring cells.
    let thread_row = local / 8u;
    let thread_n = local % 8u;
    let blocks = (params.k + 31u) / 32u;
    let rows = select(rows_in_use(), logit_rows_in_use(), params.rows_kind == 1u);
    var sums = array<vec4f, 8u * QUARTERS>(); // of four rows with each output, then of the next four
    for (var block = 0u; block < blocks; block++) {
        for (var i = local; i < 64u * TALL; i += 64u) {
            let row = i / 8u;
            var columns = vec4f();
            if (first_row + row < rows) { columns = load_x(first_row + row, block * 8u + i % 8u); }
            x_tile[x_cell(i % 8u, row)] = number4(columns);
        }
        // Outputs past the last are computed as if they were it, and left out at the end.
        let weights = dequant(params.base + min(first_n + local, params.n - 1u) * params.stride, blocks, block);
        for (var c = 0u; c < 8u; c++) { // unrolled
            w_tile[c * 64u + local] = number4(weights[c]);
        }
        workgroupBarrier();
        for (var c = 0u; c < 8u; c++) {
            var xs = array<Number4, TALL>();
            for (var i = 0u; i < TALL; i++) { // unrolled
                xs[i] = x_tile[x_cell(c, thread_row + i * 8u)];
            }
            for (var j = 0u; j < 8u; j++) { // unrolled
                let w = w_tile[c * 64u + thread_n + j * 8u];
                for (var q = 0u; q < QUARTERS; q++) { // unrolled
                    sums[q * 8u + j] += vec4f(
                        product4(xs[q * 4u], w), product4(xs[q * 4u + 1u], w),
                        product4(xs[q * 4u + 2u], w), product4(xs[q * 4u + 3u], w),
                    );
                }
            }
        }
        workgroupBarrier();
    }
    var all = sums; // a copy: what loops index need not be in registers any more
    for (var j = 0u; j < 8u; j++) {
        let output = first_n + thread_n + j * 8u;
        if (output >= params.n) { continue; }
        let column = params.n_offset + output;
        for (var i = 0u; i < TALL; i++) {
            let row = first_row + thread_row + i * 8u;
            if (row >= rows) { continue; }
            var out = all[i / 4u * 8u + j][i % 4u];
            if (BIAS == 1u) { out += bias[column]; }
            out *= params.scale;
            let at = row * params.y_stride + column;
            if (ACCUMULATE == 1u) { out += y[at]; }
            y[at] = out;
        }
    }
}
