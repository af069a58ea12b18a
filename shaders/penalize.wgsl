// Penalties for the last ids of the slot's history, in place on logits [L, V]. A thread takes one position of the history;
// the one with an id's last occurrence does that id's work, so no two threads touch the same logit.
struct Params { vocab: u32, stride: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> state: array<u32>;
@group(0) @binding(3) var<storage, read_write> logits: array<f32>; // [L, V]

@compute @workgroup_size(64)
fn penalize(@builtin(global_invocation_id) at: vec3u, @builtin(num_workgroups) groups: vec3u) {
    if (at.y >= logit_rows_in_use()) { return; }
    let row = row_at(gathered(at.y));
    let sampling = sampling_of(row.slot);
    if ((sampling.flags & USES_PENALTIES) == 0u || row.position >= context()) { return; }
    let history = history_at(row.slot, 0u);
    var first = sampling.penalized_from;
    if (sampling.penalty_last_n > 0u && row.position >= sampling.penalty_last_n) {
        first = max(first, row.position + 1u - sampling.penalty_last_n);
    }
    for (var position = first + at.x; position <= row.position; position += groups.x * 64u) {
        let id = state[history + position];
        if (id >= params.vocab) { continue; }
        var is_last = true;
        for (var later = position + 1u; later <= row.position; later++) {
            if (state[history + later] == id) {
                is_last = false;
                break;
            }
        }
        if (!is_last) { continue; }
        var count = 0.0;
        for (var earlier = first; earlier <= position; earlier++) {
            if (state[history + earlier] == id) { count += 1.0; }
        }
        var z = logits[at.y * params.stride + id];
        z = select(z * sampling.repetition_penalty, z / sampling.repetition_penalty, z > 0.0);
        z -= count * sampling.frequency_penalty + sampling.presence_penalty;
        logits[at.y * params.stride + id] = z;
    }
}
