//! Byte-pair encoding: a word to ids. Merging takes O(n log n) for a word of n symbols.
//!
//! Two families share it. *Ranked* merges join a pair of ids in the order in which training found them (Sennrich et
//! al. 2016; GPT-2 over bytes, Hugging Face's conversions over characters). *Scored* merges are SentencePiece's: two
//! neighbours join if their text is a token, the best score first, the leftmost of equals first.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use super::Vocabulary;
use super::bytes::byte_to_char;
use crate::{Error, Result};

/// What a word is made of before merging.
pub(super) enum Symbols {
    /// Bytes, each a token: ids by byte.
    Bytes(Box<[Option<u32>; 256]>),
    /// Characters. One that is no token becomes its bytes (`<0x0A>`) if all of them are tokens, or else `unknown`.
    Chars { fallback: Option<Box<[Option<u32>; 256]>>, fuse_unknown: bool },
}

/// Which neighbours join, and in what order.
pub(super) enum Merges {
    /// (left id, right id) to (rank, merged id); the lowest rank joins first.
    Ranked(HashMap<(u32, u32), (u32, u32)>),
    /// The score of each id; the highest joins first.
    Scored(Vec<f32>),
}

pub(super) struct Bpe {
    pub(super) symbols: Symbols,
    pub(super) merges: Merges,
    pub(super) unknown: Option<u32>,
    /// A word that is a token as a whole is not taken apart.
    pub(super) whole_words: bool,
    /// Pairs of characters that some merge can join; text is cut between all others, which keeps long text linear
    /// without changing a single id. `None`: the text is taken as it is.
    pub(super) seams: Option<HashSet<(char, char)>>,
}

/// A stretch of the word. Symbols form a linked list; one that was merged into its left neighbour has length 0.
struct Symbol {
    start: usize,
    len: usize,
    /// `None`: a character that is no token by itself, but may become part of one.
    id: Option<u32>,
    prev: Option<usize>,
    next: Option<usize>,
}

/// Lowest key first, then leftmost. `len` is that of the merged text, which any later merge on either side outgrows.
type Candidate = Reverse<(u32, usize, usize, u32)>;

impl Bpe {
    /// Cuts `word` where nothing can merge and calls `each` with the parts.
    pub(super) fn cut<'t>(&self, word: &'t str, each: &mut dyn FnMut(&'t str) -> Result<()>) -> Result<()> {
        let Some(seams) = &self.seams else { return each(word) };
        let mut start = 0;
        let mut chars = word.char_indices();
        let Some((_, mut previous)) = chars.next() else { return Ok(()) };
        for (at, c) in chars {
            if !seams.contains(&(previous, c)) {
                each(&word[start..at])?;
                start = at;
            }
            previous = c;
        }
        each(&word[start..])
    }

    /// Appends the ids of one word. A part of the word that no token covers is an error if there is no unknown token.
    pub(super) fn encode(&self, word: &str, vocabulary: &Vocabulary, out: &mut Vec<u32>) -> Result<()> {
        if self.whole_words {
            let whole = match self.symbols {
                Symbols::Bytes(_) => vocabulary.id(&word.bytes().map(byte_to_char).collect::<String>()),
                Symbols::Chars { .. } => vocabulary.id(word),
            };
            if let Some(id) = whole {
                out.push(id);
                return Ok(());
            }
        }
        let mut symbols = self.split(word, vocabulary)?;
        self.merge(word, vocabulary, &mut symbols);
        for symbol in symbols.iter().filter(|symbol| symbol.len > 0) {
            match symbol.id {
                Some(id) => out.push(id),
                None => self.fall_back(&word[symbol.start..symbol.start + symbol.len], out)?,
            }
        }
        Ok(())
    }

    /// The word as single symbols.
    fn split(&self, word: &str, vocabulary: &Vocabulary) -> Result<Vec<Symbol>> {
        let mut symbols: Vec<Symbol> = Vec::with_capacity(word.len());
        let mut add = |start, len, id| {
            let i = symbols.len();
            symbols.push(Symbol { start, len, id, prev: i.checked_sub(1), next: Some(i + 1) });
        };
        match &self.symbols {
            Symbols::Bytes(ids) => {
                for (start, byte) in word.bytes().enumerate() {
                    let Some(id) = ids[usize::from(byte)].or(self.unknown) else {
                        return Err(no_token(&format!("byte 0x{byte:02X}")));
                    };
                    add(start, 1, Some(id));
                }
            }
            Symbols::Chars { fallback, fuse_unknown } => {
                let mut unknown_since = None;
                for (start, c) in word.char_indices() {
                    let len = c.len_utf8();
                    let text = &word[start..start + len];
                    let id = vocabulary.id(text);
                    let bytes = fallback_ids(fallback.as_deref(), text);
                    // Scored merges look at text, so an unknown character may still join; ranked ones look at ids.
                    let deferred = matches!(self.merges, Merges::Scored(_));
                    let unknown = id.is_none() && bytes.is_none() && !deferred;
                    if let Some(from) = unknown_since.filter(|_| !unknown || !fuse_unknown) {
                        add(from, start - from, self.unknown);
                        unknown_since = None;
                    }
                    match (id, bytes) {
                        (Some(id), _) => add(start, len, Some(id)),
                        (None, _) if deferred => add(start, len, None),
                        (None, Some(ids)) => ids.enumerate().for_each(|(i, id)| add(start + i, 1, Some(id))),
                        (None, None) if self.unknown.is_none() => return Err(no_token(text)),
                        (None, None) => unknown_since = unknown_since.or(Some(start)),
                    }
                }
                if let Some(from) = unknown_since {
                    add(from, word.len() - from, self.unknown);
                }
            }
        }
        if let Some(last) = symbols.last_mut() {
            last.next = None;
        }
        Ok(symbols)
    }

    fn merge(&self, word: &str, vocabulary: &Vocabulary, symbols: &mut [Symbol]) {
        let mut heap: BinaryHeap<Candidate> = BinaryHeap::with_capacity(symbols.len());
        for right in 1..symbols.len() {
            heap.extend(self.candidate(word, vocabulary, symbols, right - 1, right));
        }
        while let Some(Reverse((_, left, len, id))) = heap.pop() {
            let Some(right) = symbols[left].next else { continue };
            if symbols[left].len == 0 || symbols[left].len + symbols[right].len != len {
                continue; // one of the two has grown or gone since
            }
            let next = symbols[right].next;
            symbols[right].len = 0;
            symbols[left].len = len;
            symbols[left].id = Some(id);
            symbols[left].next = next;
            if let Some(next) = next {
                symbols[next].prev = Some(left);
                heap.extend(self.candidate(word, vocabulary, symbols, left, next));
            }
            if let Some(prev) = symbols[left].prev {
                heap.extend(self.candidate(word, vocabulary, symbols, prev, left));
            }
        }
    }

    fn candidate(
        &self,
        word: &str,
        vocabulary: &Vocabulary,
        symbols: &[Symbol],
        left: usize,
        right: usize,
    ) -> Option<Candidate> {
        let (l, r) = (&symbols[left], &symbols[right]);
        let len = l.len + r.len;
        let (key, id) = match &self.merges {
            Merges::Ranked(merges) => *merges.get(&(l.id?, r.id?))?,
            Merges::Scored(scores) => {
                if len > vocabulary.longest {
                    return None;
                }
                let id = vocabulary.id(&word[l.start..l.start + len])?;
                (descending(*scores.get(id as usize)?), id)
            }
        };
        Some(Reverse((key, left, len, id)))
    }

    /// The ids of a character that no merge took in.
    fn fall_back(&self, text: &str, out: &mut Vec<u32>) -> Result<()> {
        let Symbols::Chars { fallback, .. } = &self.symbols else { return Err(no_token(text)) };
        match (fallback_ids(fallback.as_deref(), text), self.unknown) {
            (Some(ids), _) => out.extend(ids),
            (None, Some(unknown)) => out.push(unknown),
            (None, None) => return Err(no_token(text)),
        }
        Ok(())
    }
}

/// The ids of the text's bytes, if every one of them has a token.
fn fallback_ids<'a>(ids: Option<&'a [Option<u32>; 256]>, text: &'a str) -> Option<impl Iterator<Item = u32> + 'a> {
    let ids = ids?;
    text.bytes().all(|byte| ids[usize::from(byte)].is_some()).then_some(())?;
    Some(text.bytes().filter_map(|byte| ids[usize::from(byte)]))
}

/// A key that orders scores from high to low; the vocabulary has no NaN.
fn descending(score: f32) -> u32 {
    let bits = score.to_bits();
    let ascending = if bits >> 31 == 0 { bits | 1 << 31 } else { !bits };
    !ascending
}

fn no_token(what: &str) -> Error {
    Error::invalid("text", format!("this model's vocabulary has no token for {what}"))
}

#[cfg(test)]
mod tests {
    use super::descending;

    #[test]
    fn scores_order() {
        let scores = [f32::INFINITY, 3.5, 1e-20, 0.0, -1e-20, -2.0, f32::NEG_INFINITY];
        for pair in scores.windows(2) {
            assert!(descending(pair[0]) < descending(pair[1]), "{pair:?}");
        }
    }
}
