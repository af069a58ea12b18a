//! Edits of logits by request, for each slot: which ids may be drawn, and biases added to some ids' logits.
//!
//! A buffer of u32 words. Each slot has, with W = ⌈V / 32⌉: `allowed` [W], a bit per id; `biased` [W], a bit per id; `ranks`
//! [W], the number of biased ids before each word; `biases` [V] f32, those of the biased ids in ascending order. So a bias is
//! found without a search. The slot's flags say which parts count; the others are not read
//! (`shaders/shared/edits.wgsl` and [`Edits`]).

use super::control::SamplingSlot;
use cresset_numerics::sort_by;

/// The logit of an id that may not be drawn: below those of all others, NaN included.
pub const FORBIDDEN: f32 = -3.4e38;

/// The layout of the edits.
#[derive(Debug, Clone, Copy)]
pub struct EditsLayout {
    /// V, the ids that the model knows.
    pub vocabulary: usize,
}

impl EditsLayout {
    /// W, the words of a mask.
    pub fn mask_words(self) -> usize {
        self.vocabulary.div_ceil(32)
    }

    fn slot_words(self) -> usize {
        3 * self.mask_words() + self.vocabulary
    }

    /// Bytes of the buffer for this many slots.
    pub fn bytes(self, slots: usize) -> u64 {
        4 * (slots * self.slot_words()) as u64
    }

    /// The byte at which `allowed` of a slot begins.
    pub fn mask_at(self, slot: usize) -> u64 {
        4 * (slot * self.slot_words()) as u64
    }

    /// The byte at which `biased` of a slot begins; `ranks` and `biases` follow it.
    pub fn bias_at(self, slot: usize) -> u64 {
        self.mask_at(slot) + 4 * self.mask_words() as u64
    }

    /// `biased`, `ranks` and `biases` for (id, bias) pairs with ids below V. If an id is there twice, the last counts.
    pub fn bias_words(self, pairs: &[(u32, f32)]) -> Vec<u32> {
        let mut sorted = pairs.to_vec();
        sort_by(&mut sorted, |a, b| a.0.cmp(&b.0)); // stable
        let mut words = vec![0u32; 2 * self.mask_words()];
        let (biased, ranks) = words.split_at_mut(self.mask_words());
        let mut biases = Vec::new();
        for (i, &(id, bias)) in sorted.iter().enumerate() {
            if sorted.get(i + 1).is_some_and(|(next, _)| *next == id) {
                continue;
            }
            biased[id as usize / 32] |= 1 << (id % 32);
            biases.push(bias.to_bits());
        }
        let mut before = 0;
        for (bits, rank) in biased.iter().zip(ranks) {
            *rank = before;
            before += bits.count_ones();
        }
        words.extend(biases);
        words
    }
}

/// The edits as a twin reads them.
pub struct Edits<'a> {
    /// The whole buffer.
    pub words: &'a [u32],
    /// V, the ids that the model knows.
    pub vocabulary: usize,
}

impl Edits<'_> {
    /// Edits the finite logits `z` of the ids from `first` on as the slot's flags say; `finite` is applied to each sum.
    pub fn apply(&self, z: &mut [f32], first: usize, slot: u32, flags: u32, finite: fn(f32) -> f32) {
        if flags & (SamplingSlot::MASK | SamplingSlot::BIAS) == 0 {
            return;
        }
        let layout = EditsLayout { vocabulary: self.vocabulary };
        let words = &self.words[slot as usize * layout.slot_words()..][..layout.slot_words()];
        let (allowed, rest) = words.split_at(layout.mask_words());
        let (biased, rest) = rest.split_at(layout.mask_words());
        let (ranks, biases) = rest.split_at(layout.mask_words());
        for (id, z) in (first..).zip(z) {
            let (word, bit) = (id / 32, 1 << (id % 32));
            if flags & SamplingSlot::MASK != 0 && allowed[word] & bit == 0 {
                *z = FORBIDDEN;
            } else if flags & SamplingSlot::BIAS != 0 && biased[word] & bit != 0 {
                let rank = ranks[word] + (biased[word] & (bit - 1)).count_ones();
                *z = finite(*z + f32::from_bits(biases[rank as usize]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn biases_and_masks_of_slots() {
        let layout = EditsLayout { vocabulary: 70 };
        let pairs = [(65, 2.0), (3, 1.0), (31, -4.0), (65, 8.0), (32, 0.5)];
        let mut words = vec![0u32; layout.bytes(2) as usize / 4];
        let bias = layout.bias_words(&pairs);
        assert_eq!(bias.len(), 2 * 3 + 4, "of two biases for an id the last counts");
        words[layout.bias_at(1) as usize / 4..][..bias.len()].copy_from_slice(&bias);
        words[layout.mask_at(1) as usize / 4..][..3].copy_from_slice(&[!(1 << 31), !0, !0]);
        let edits = Edits { words: &words, vocabulary: 70 };
        let edited = |first: usize, n: usize, flags| {
            let mut z = vec![0.0; n];
            edits.apply(&mut z, first, 1, flags, |z| z);
            z
        };
        let mut want = vec![0.0; 70];
        for (id, bias) in [(3, 1.0), (31, -4.0), (32, 0.5), (65, 8.0)] {
            want[id] = bias;
        }
        assert_eq!(edited(0, 70, SamplingSlot::BIAS), want);
        assert_eq!(edited(30, 5, SamplingSlot::BIAS), want[30..35]);
        assert_eq!(edited(0, 70, SamplingSlot::PENALTIES), [0.0; 70]);
        want[31] = FORBIDDEN;
        assert_eq!(edited(0, 70, SamplingSlot::BIAS | SamplingSlot::MASK), want);
    }
}
