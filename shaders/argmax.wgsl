// The best (key, id) of each chunk of 1024 logits: the first of the sampler's two stages. One workgroup a chunk.
@group(0) @binding(4) var<storage, read_write> partials: array<vec2u>; // [L, chunks] of (key, id)

var<workgroup> candidates: array<Best, 64>;

@compute @workgroup_size(64)
fn argmax(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    if (group.y >= logit_rows_in_use()) { return; }
    let slot = slot_of(gathered(group.y));
    let flags = sampling_of(slot).flags;
    let first = group.x * 1024u;
    let end = min(first + 1024u, params.vocab);
    var best = Best(0u, first);
    for (var id = first + local; id < end; id += 64u) {
        best = better(best, Best(candidate_key(logits[group.y * params.stride + id], slot, flags, params.vocab, id), id));
    }
    candidates[local] = best;
    workgroupBarrier();
    if (local > 0u) { return; }
    for (var i = 1u; i < 64u; i++) { best = better(best, candidates[i]); }
    partials[group.y * params.partial_stride2 + group.x] = vec2u(best.key, best.id);
}
