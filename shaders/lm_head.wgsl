// Logits [L, V] = cap(norm(x [L, K]) · Wᵀ + b) for few rows, and the best (key, id) of each workgroup's logits: the first
// of the sampler's two stages. 64 / LANES groups of threads a workgroup, each with OUTPUTS logits.
struct Params {
    n: u32, k: u32, x_stride4: u32, vocab: u32,
    base: u32, stride: u32, n_offset: u32, logits_stride: u32, // of the weight, in vec4<u32>; this piece's first logit
    epsilon: f32, scale: f32, cap: f32,
    partial_stride2: u32, partial_offset: u32, // in (key, id) pairs
    unused0: u32, unused1: u32, unused2: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;              // [L, K/4]
@group(0) @binding(3) var<storage, read> norm_weight: array<vec4f>;    // [K/4]
@group(0) @binding(4) var<storage, read> bias: array<f32>;             // [V], of the projection
@group(0) @binding(5) var<storage, read> weight: array<vec4<u32>>;     // [N, device row]
@group(0) @binding(6) var<storage, read> edits: array<u32>;            // of each slot
@group(0) @binding(7) var<storage, read_write> logits: array<f32>;     // [L, V]
@group(0) @binding(8) var<storage, read_write> partials: array<vec2u>; // [L, groups of all pieces] of (key, id)

var<workgroup> candidates: array<Best, 64>;

@compute @workgroup_size(64)
fn lm_head(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let lane = local % LANES;
    let index = group.y * groups.x + group.x;
    if (index * (64u / LANES) * OUTPUTS >= params.n) { return; } // a grid folded into two dimensions has some to spare
    let first = (index * (64u / LANES) + local / LANES) * OUTPUTS;
    let sums = reduce(row_sums_of(0u, params.base, params.stride, first, params.n - 1u, 0u, 0u, lane), lane, local);
    let rows = min(logit_rows_in_use(), ROWS);
    for (var t = 0u; t < rows; t++) {
        let slot = slot_of(gathered(t));
        let flags = sampling_of(slot).flags;
        var scale = params.scale;
        if (NORM == 1u) { scale *= inverseSqrt(sums[SUMS - ROWS + t] / f32(params.k) + params.epsilon); }
        var best = Best(0u, 0u);
        for (var o = 0u; o < OUTPUTS; o++) {
            let output = first + o;
            if (lane_of(t * OUTPUTS + o) != lane || output >= params.n) { continue; }
            let id = params.n_offset + output;
            var z = sums[t * OUTPUTS + o] * scale;
            if (BIAS == 1u) { z += bias[id] * params.scale; }
            // Beyond ±9 tanh is ±1 to f32; some implementations overflow further out.
            // NaN and infinity stay: it would make numbers of them.
            if (CAP == 1u) { z = select(z, params.cap * tanh(clamp(z / params.cap, -9.0, 9.0)), is_finite(z)); }
            logits[t * params.logits_stride + id] = z;
            best = better(best, Best(candidate_key(z, slot, flags, params.vocab, id), id));
        }
        candidates[local] = best;
        workgroupBarrier();
        if (local == 0u) {
            for (var i = 1u; i < 64u; i++) { best = better(best, candidates[i]); }
            partials[t * params.partial_stride2 + params.partial_offset + index] = vec2u(best.key, best.id);
        }
        workgroupBarrier(); // the next row's candidates take the place of these
    }
}
