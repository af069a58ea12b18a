// y [T, N] = x [T, K] · weightᵀ [N, K], T ≤ 4 rows. LANES threads share an output; each takes every LANES-th part of 8.
// 64 threads, 64 / LANES outputs a workgroup.
var<workgroup> partial: array<vec4f, 64>;

@compute @workgroup_size(64)
fn matvec(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let lane = local % LANES;
    let n = (group.y * groups.x + group.x) * (64u / LANES) + local / LANES;
    let blocks = (params.k + 31u) / 32u;
    var sums = vec4f(); // one for each row
    if (n < params.n) {
        let base = n * params.weight_stride4;
        for (var part = lane; part < blocks * 4u; part += LANES) {
            let w = dequant(base, blocks, part >> 2u, part & 3u);
            sums.x += dot(w[0], load_x(0u, part * 2u)) + dot(w[1], load_x(0u, part * 2u + 1u));
            if (ROWS > 1u) { sums.y += dot(w[0], load_x(1u, part * 2u)) + dot(w[1], load_x(1u, part * 2u + 1u)); }
            if (ROWS > 2u) { sums.z += dot(w[0], load_x(2u, part * 2u)) + dot(w[1], load_x(2u, part * 2u + 1u)); }
            if (ROWS > 3u) { sums.w += dot(w[0], load_x(3u, part * 2u)) + dot(w[1], load_x(3u, part * 2u + 1u)); }
        }
    }
    if (LANES > 1u) {
        partial[local] = sums;
        workgroupBarrier();
        if (lane == 0u) {
            for (var i = 1u; i < LANES; i++) { sums += partial[local + i]; }
        }
    }
    if (lane == 0u && n < params.n) {
        let rows = min(rows_wanted(), ROWS);
        for (var r = 0u; r < rows; r++) { store_y(r, n, sums[r]); }
    }
}
