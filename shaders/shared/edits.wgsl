// Logits as a request changes them: the words of src/device/edits.rs. Wants `edits` and `vocab`, the V of its layout.

// Below every other logit.
const FORBIDDEN: f32 = -3.4e38;

// A logit as the sampler sees it: finite, with the slot's bias for the id, or forbidden by its mask.
fn edited(logit: f32, slot: u32, flags: u32, vocab: u32, id: u32) -> f32 {
    var z = finite(logit);
    if ((flags & (USES_MASK | USES_BIAS)) == 0u) { return z; }
    let words = (vocab + 31u) / 32u;
    let first = slot * (3u * words + vocab);
    let at = first + id / 32u;
    let bit = 1u << (id % 32u);
    if ((flags & USES_MASK) != 0u && (edits[at] & bit) == 0u) { return FORBIDDEN; }
    if ((flags & USES_BIAS) != 0u) {
        let biased = edits[at + words];
        if ((biased & bit) != 0u) {
            let rank = edits[at + 2u * words] + countOneBits(biased & (bit - 1u));
            z = finite(z + bitcast<f32>(edits[first + 3u * words + rank]));
        }
    }
    return z;
}

// The key of an edited logit. NaN and +∞ come of damaged weights, whatever the request allows; -∞ forbids.
fn candidate_key(logit: f32, slot: u32, flags: u32, vocab: u32, id: u32) -> u32 {
    let key = key_of(edited(logit, slot, flags, vocab, id));
    return select(key, NOT_A_NUMBER, is_nan(logit) || bitcast<u32>(logit) == 0x7f800000u);
}
