//! Notices a text that has fallen into endless repetition: its end is one block of tokens over and over.
//!
//! Sensible texts repeat themselves too, and the fewer different tokens a block has, the longer: lists of zeros, rules drawn with
//! dashes, blank tables, a bitmap of 16 rows. Blocks with the variety of a sentence do not. So both kinds have their limit,
//! in tokens and in whole repetitions; the wider holds. What varies, be it by a counter, never counts as repeated.

use std::collections::BTreeSet;

/// The longest block that is looked for, in tokens: about a paragraph.
const LONGEST: usize = 64;
/// Different tokens from which on a block has the variety of a sentence.
const VARIED: usize = 8;

/// Bounds of what counts as sensible: tokens that repeat the block before them, and how many times the block that is.
struct Limit {
    tokens: usize,
    times: usize,
}

const OF_SENTENCES: Limit = Limit { tokens: 128, times: 6 };
const OF_PATTERNS: Limit = Limit { tokens: 512, times: 16 };

/// Follows a text token by token.
#[derive(Debug, Clone)]
pub struct Repetition {
    /// By the length of a block, less one: how many of the last tokens equal those so many tokens before.
    runs: [usize; LONGEST],
}

impl Repetition {
    /// Nothing was written yet.
    pub fn new() -> Self {
        Repetition { runs: [0; LONGEST] }
    }

    /// Takes note of the last of `ids`; whether the text repeats itself endlessly.
    pub fn push(&mut self, ids: &[u32]) -> bool {
        let Some((last, before)) = ids.split_last() else { return false };
        let mut endless = false;
        for (run, length) in self.runs.iter_mut().zip(1..) {
            let repeats = before.len() >= length && before[before.len() - length] == *last;
            *run = if repeats { *run + 1 } else { 0 };
            endless |= *run >= OF_SENTENCES.least(length) && *run >= limit_of(&ids[ids.len() - length..]).least(length);
        }
        endless
    }
}

impl Limit {
    /// The least run of blocks of this length that is too long.
    fn least(&self, length: usize) -> usize {
        self.tokens.max(self.times * length)
    }
}

fn limit_of(block: &[u32]) -> Limit {
    let different = block.iter().collect::<BTreeSet<_>>().len();
    if different < VARIED { OF_PATTERNS } else { OF_SENTENCES }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After how many tokens a text counts as endless.
    fn noticed(text: impl IntoIterator<Item = u32>) -> Option<usize> {
        let (mut repetition, mut ids) = (Repetition::new(), Vec::new());
        text.into_iter().position(|id| {
            ids.push(id);
            repetition.push(&ids)
        })
    }

    fn repeated(block: &[u32], times: usize) -> Vec<u32> {
        block.repeat(times)
    }

    #[test]
    fn loops_are_noticed_whatever_their_length() {
        let prose = (1000..1100).chain((0..u32::MAX).map(|_| 7));
        assert_eq!(noticed(prose), Some(100 + 512), "one token for ever");
        for length in [8, 20, 32, 64] {
            let sentence: Vec<u32> = (0..length as u32).collect();
            let at = noticed(repeated(&sentence, 100)).expect("a loop");
            assert_eq!(at, length + 128.max(6 * length) - 1, "{length}");
        }
        let loop_in_loop = repeated(&[repeated(&[1, 2], 5), vec![3]].concat(), 100);
        assert!(noticed(loop_in_loop).is_some());
    }

    #[test]
    fn what_people_ask_for_is_left_alone() {
        let zeros = |n: usize| repeated(&[15, 11], n); // "0,"
        let row_of_bitmap = [vec![58], zeros(16), vec![60, 198]].concat();
        let blank_row = [91, 220, 91, 220, 91, 220, 91, 198];
        let numbered = (0..400u32).flat_map(|i| [500 + i, 13, 77, 78, 79, 198]);
        let chorus: Vec<u32> = (0..40).collect();
        assert_eq!(noticed(zeros(256)), None, "a list of 256 zeros");
        assert_eq!(noticed(repeated(&row_of_bitmap, 16)), None, "16 equal rows of 16 numbers");
        assert_eq!(noticed(repeated(&blank_row, 60)), None, "a blank table");
        assert_eq!(noticed(vec![12; 500]), None, "a long rule");
        assert_eq!(noticed(numbered), None, "a list whose lines differ by their number alone");
        assert_eq!(noticed(repeated(&chorus, 6)), None, "a chorus");
        assert_eq!(noticed([]), None);
    }
}
