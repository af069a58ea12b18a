// y [T, N] = x [T, K] · weightᵀ [N, K]: a tile of 32 rows × 64 outputs a workgroup, 32 columns of K at a time.
// 64 threads, 8 × 8; each accumulates 4 rows × 8 outputs.
var<workgroup> x_tile: array<vec4f, 256>; // [32 rows, 8 × 4 columns]
var<workgroup> w_tile: array<vec4f, 512>; // [64 outputs, 8 × 4 columns]

@compute @workgroup_size(64)
fn matmul(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let first_row = group.y * 32u;
    let first_n = group.x * 64u;
    let thread_row = (local / 8u) * 4u;
    let thread_n = local % 8u; // outputs thread_n, thread_n + 8, …: neighbours read neighbouring rows of w_tile
    let blocks = (params.k + 31u) / 32u;
    let rows = rows_wanted();
    var sums = array<vec4f, 8>(); // [8 outputs] × 4 rows
    for (var block = 0u; block < blocks; block++) {
        for (var i = local; i < 256u; i += 64u) {
            let row = first_row + i / 8u;
            var value = vec4f();
            if (row < rows) { value = load_x(row, block * 8u + i % 8u); }
            x_tile[i] = value;
        }
        for (var i = local; i < 256u; i += 64u) {
            let n = first_n + i / 4u;
            var w = array<vec4f, 2>();
            if (n < params.n) { w = dequant(n * params.weight_stride4, blocks, block, i % 4u); }
            w_tile[i * 2u] = w[0];
            w_tile[i * 2u + 1u] = w[1];
        }
        workgroupBarrier();
        for (var k = 0u; k < 8u; k++) {
            let x0 = x_tile[thread_row * 8u + k];
            let x1 = x_tile[(thread_row + 1u) * 8u + k];
            let x2 = x_tile[(thread_row + 2u) * 8u + k];
            let x3 = x_tile[(thread_row + 3u) * 8u + k];
            for (var j = 0u; j < 8u; j++) {
                let w = w_tile[(thread_n + j * 8u) * 8u + k];
                sums[j] += vec4f(dot(x0, w), dot(x1, w), dot(x2, w), dot(x3, w));
            }
        }
        workgroupBarrier();
    }
    for (var j = 0u; j < 8u; j++) {
        let n = first_n + thread_n + j * 8u;
        if (n >= params.n) { continue; }
        for (var r = 0u; r < 4u; r++) {
            let row = first_row + thread_row + r;
            if (row < rows) { store_y(row, n, sums[j][r]); }
        }
    }
}
