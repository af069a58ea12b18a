// y [T, N] = (x [T, K] · weightᵀ [N, K] + b) × scale (+ y): a tile of 8 × TALL rows × 64 outputs a workgroup, STEP × 32
// columns of K at a time, weights unpacked once. 64 threads, 8 × 8; each accumulates TALL rows × 8 outputs in registers.
struct Params {
    n: u32, k: u32, x_stride4: u32, y_stride: u32,
    base: u32, stride: u32, n_offset: u32, // of the weight, in vec4<u32>; this piece's first output
    rows_kind: u32,
    scale: f32,
    first_row: u32, rows: u32, unused: u32, // of this dispatch
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;          // [T, K/4]
@group(0) @binding(3) var<storage, read> weight: array<vec4<u32>>; // [N, device row]
@group(0) @binding(4) var<storage, read> bias: array<f32>;         // [N]
@group(0) @binding(5) var<storage, read_write> y: array<f32>;      // [T, N]

const ROWS: u32 = 8u * TALL;
const QUARTERS: u32 = TALL / 4u;
alias Sums = array<vec4f, 8u * QUARTERS>; // of four of a thread's rows with each of its outputs, then of the next four

// Where the row of the weight begins that gives an output of this piece. Outputs past the last are computed as if they
// were it, and left out at the end.
fn weight_row(output: u32) -> u32 { return params.base + min(output, params.n - 1u) * params.stride; }

@compute @workgroup_size(64)
fn matmul(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let first_row = params.first_row + group.y * ROWS;
    let first_n = group.x * 64u;
    // Rows thread_row, thread_row + 8, … and outputs thread_n, thread_n + 8, …: neighbours read neighbouring cells.
    let thread_row = local / 8u;
    let thread_n = local % 8u;
    let blocks = (params.k + 31u) / 32u;
    let rows = min(select(rows_in_use(), logit_rows_in_use(), params.rows_kind == 1u), params.first_row + params.rows);
    var sums = Sums();
    for (var block = 0u; block < blocks; block += STEP) {
        fill_tiles(block, blocks, first_row, rows, first_n, local);
        workgroupBarrier();
        add_products(&sums, thread_row, thread_n);
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
