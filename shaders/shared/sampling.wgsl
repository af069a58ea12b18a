// A slot's sampling parameters: the words of `SamplingSlot` in src/device/control.rs.
struct Sampling {
    seed: vec2u,
    temperature: f32, // 0 is greedy
    top_k: u32,       // 0 keeps all
    top_p: f32,
    min_p: f32,
    repetition_penalty: f32,
    frequency_penalty: f32,
    presence_penalty: f32,
    penalized_from: u32,
    flags: u32,
    penalty_last_n: u32, // 0: all since penalized_from
}

const USES_BIAS: u32 = 1u;
const USES_PENALTIES: u32 = 2u;
const USES_MASK: u32 = 4u;

// The slot of a row. `row_at` gives it too, but with `state` mixed in it no longer counts as uniform.
fn slot_of(row: u32) -> u32 { return control[16u + 4u * row]; }

fn sampling_of(slot: u32) -> Sampling {
    let at = control[3] + 16u * slot;
    return Sampling(
        vec2u(control[at], control[at + 1u]),
        bitcast<f32>(control[at + 2u]),
        control[at + 3u],
        bitcast<f32>(control[at + 4u]),
        bitcast<f32>(control[at + 5u]),
        bitcast<f32>(control[at + 6u]),
        bitcast<f32>(control[at + 7u]),
        bitcast<f32>(control[at + 8u]),
        control[at + 9u],
        control[at + 10u],
        control[at + 11u],
    );
}
