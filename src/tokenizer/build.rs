//! Builds parts of the `tokenizers` crate from what a file claims. The crate trusts its input: it panics on merges and
//! rule tables that do not hold together, and recurses as deep as a token is long. So everything is checked here first.

use cresset_numerics::sort_by;
use std::collections::HashSet;
use std::sync::OnceLock;

use tokenizers::models::bpe::BPE;
pub(super) use tokenizers::models::bpe::Vocab;
use tokenizers::models::unigram::Unigram;
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::normalizers::Precompiled;
use tokenizers::{AddedToken, AddedVocabulary, NormalizedString, Normalizer, NormalizerWrapper};

use super::malformed::malformed;
use crate::Result;

/// Added tokens, and their bytes together: the largest published vocabularies have about 1e5 of them.
const MAX_ADDED: usize = 1 << 18;
const MAX_ADDED_BYTES: usize = 1 << 21;
/// Characters of a Unigram piece; SentencePiece's limit for training is 16 unless told otherwise.
const MAX_PIECE: usize = 128;
/// Nodes of the tree that holds a Unigram model's pieces; 250,000 pieces of XLM-R make about 7e5.
const MAX_NODES: usize = 1 << 21;
/// Bytes of SentencePiece's table of rewriting rules; NFKC's has about 2.4e5.
const MAX_CHARSMAP: usize = 1 << 22;
/// How often its own length a text may grow to; compatibility forms reach eighteen times.
const MAX_GROWTH: usize = 32;

pub(super) struct BpeParts {
    pub(super) vocab: Vocab,
    /// In order of rank. A merge that would make a token of `control` is left out: a visitor's text must not become one.
    pub(super) merges: Vec<(String, String)>,
    pub(super) unknown: Option<String>,
    pub(super) fuse_unknown: bool,
    pub(super) byte_fallback: bool,
    /// A word that is a token is not taken apart.
    pub(super) whole_words: bool,
}

/// Byte-pair encoding (Sennrich et al. 2016).
pub(super) fn bpe(mut parts: BpeParts, control: &HashSet<u32>) -> Result<BPE> {
    let mut broken = None;
    let mut rank = 0;
    parts.merges.retain(|(left, right)| {
        let merged = parts.vocab.get(&[left.as_str(), right].concat());
        let known = parts.vocab.contains_key(left) && parts.vocab.contains_key(right);
        if !known || merged.is_none() {
            broken.get_or_insert_with(|| (rank, left.clone(), right.clone()));
        }
        rank += 1;
        merged.is_some_and(|id| !control.contains(id))
    });
    if let Some((rank, left, right)) = broken {
        return Err(malformed(format!("merge {rank} ({left:?}, {right:?}) does not join two tokens to a third")));
    }
    // No cache: the crate keeps it per thread and never frees it, and without one text is fast enough.
    let mut builder = BPE::builder()
        .vocab_and_merges(parts.vocab, parts.merges)
        .cache_capacity(0)
        .fuse_unk(parts.fuse_unknown)
        .byte_fallback(parts.byte_fallback)
        .ignore_merges(parts.whole_words);
    if let Some(unknown) = parts.unknown {
        builder = builder.unk_token(unknown);
    }
    builder.build().map_err(|error| malformed(error.to_string()))
}

/// A Unigram model (Kudo 2018): pieces with their log-probabilities, by id. A piece with no text is never found in text.
pub(super) fn unigram(pieces: Vec<(String, f64)>, unknown: Option<u32>, byte_fallback: bool) -> Result<Unigram> {
    if let Some(id) = pieces.iter().position(|(_, score)| !score.is_finite()) {
        return Err(malformed(format!("the score of token {id} is not a number")));
    }
    if let Some((piece, _)) = pieces.iter().find(|(piece, _)| piece.chars().count() > MAX_PIECE) {
        return Err(malformed(format!("the token {piece:?} has more than {MAX_PIECE} characters")));
    }
    let mut sorted: Vec<&[u8]> = pieces.iter().map(|(piece, _)| piece.as_bytes()).collect();
    sort_by(&mut sorted, Ord::cmp);
    let shared = |a: &[u8], b: &[u8]| a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let nodes: usize = sorted.windows(2).map(|pair| pair[1].len() - shared(pair[0], pair[1])).sum();
    if nodes > MAX_NODES {
        return Err(malformed(format!("the tokens make a tree of {nodes} nodes; {MAX_NODES} are supported")));
    }
    Unigram::from(pieces, unknown.map(|id| id as usize), byte_fallback).map_err(|error| malformed(error.to_string()))
}

/// SentencePiece's `precompiled_charsmap`: the length of a double-array tree, the tree, and the replacements it points
/// to, each ended by a zero byte. Every node that some text can reach must lead to a place inside.
pub(super) fn precompiled(blob: &[u8]) -> Result<Precompiled> {
    let bad = || malformed("the table of rewriting rules (precompiled_charsmap) is damaged");
    let (size, rest) = blob.split_first_chunk().ok_or_else(bad)?;
    let size = u32::from_le_bytes(*size) as usize;
    if size == 0 || !size.is_multiple_of(4) || size > rest.len() || blob.len() > MAX_CHARSMAP {
        return Err(bad());
    }
    let (tree, replacements) = rest.split_at(size);
    let replacements = std::str::from_utf8(replacements).map_err(|_| bad())?;
    let units: Vec<usize> = tree.as_chunks().0.iter().map(|unit| u32::from_le_bytes(*unit) as usize).collect();
    let offset = |unit: usize| (unit >> 10) << ((unit & (1 << 9)) >> 6);
    let mut seen = vec![false; units.len()];
    let mut reachable = vec![0];
    while let Some(node) = reachable.pop() {
        let first = node ^ offset(units[node]);
        if first | 0xFF >= units.len() {
            return Err(bad());
        }
        let is_leaf = node != 0 && units[node] >> 8 & 1 == 1;
        if is_leaf && !replacements.is_char_boundary(units[first] & 0x7FFF_FFFF) {
            return Err(bad());
        }
        for byte in 1..=0xFF {
            let child = first ^ byte;
            if units[child] & (1 << 31 | 0xFF) == byte && !std::mem::replace(&mut seen[child], true) {
                reachable.push(child);
            }
        }
    }
    Precompiled::from(blob).map_err(|_| bad())
}

/// The tokens that are cut out of a text before anything else happens, with the ids that the file gives them.
pub(super) fn added(tokens: Vec<(u32, AddedToken)>, normalizer: &[NormalizerWrapper]) -> Result<AddedVocabulary> {
    let bytes: usize = tokens.iter().map(|(_, token)| token.content.len()).sum();
    if tokens.len() > MAX_ADDED || bytes > MAX_ADDED_BYTES {
        return Err(malformed(format!("{} added tokens of {bytes} bytes are more than is supported", tokens.len())));
    }
    let normalizer = Normalize::new(normalizer);
    let mut checked = Vec::with_capacity(tokens.len());
    let mut ids = Vocab::new();
    let mut forms = HashSet::new();
    for (id, mut token) in tokens {
        let mut form = NormalizedString::from(token.content.as_str());
        if token.normalized {
            normalizer.normalize(&mut form).map_err(|error| malformed(error.to_string()))?;
        }
        ids.insert(token.content.clone(), id);
        // If two tokens look the same in a text, the first is found; an empty one never is.
        if form.get().is_empty() || !forms.insert((token.normalized, form.get().to_owned())) {
            continue;
        }
        // A run of white space belongs to one token. Of tokens that are white space themselves the crate would let each
        // take all that follows, again and again, and panics where what comes before was already taken.
        let is_space = form.get().trim_start().is_empty();
        (token.lstrip, token.rstrip) = (token.lstrip && !is_space, token.rstrip && !is_space);
        checked.push(token);
    }
    // The crate asks a model for the ids; the tokens alone make one.
    let model = WordLevel::builder().vocab(ids).build().map_err(|error| malformed(error.to_string()))?;
    let mut added = AddedVocabulary::new();
    added.add_tokens(checked, &model, Some(&normalizer)).map_err(|error| malformed(error.to_string()))?;
    Ok(added)
}

/// Normalizers in order. The crate passes over their errors, so the first is kept here for whoever asks afterwards.
pub(super) struct Normalize<'a> {
    steps: &'a [NormalizerWrapper],
    failure: OnceLock<String>,
}

impl<'a> Normalize<'a> {
    pub(super) fn new(steps: &'a [NormalizerWrapper]) -> Self {
        Normalize { steps, failure: OnceLock::new() }
    }

    pub(super) fn failure(self) -> Option<String> {
        self.failure.into_inner()
    }
}

impl Normalizer for Normalize<'_> {
    fn normalize(&self, text: &mut NormalizedString) -> tokenizers::Result<()> {
        let longest = text.len().saturating_mul(MAX_GROWTH).saturating_add(1024);
        let result = self.steps.iter().try_for_each(|step| match step.normalize(text) {
            Ok(()) if text.len() > longest => Err("the tokenizer's normalizer makes it too long".into()),
            result => result,
        });
        result.inspect_err(|error: &tokenizers::Error| {
            self.failure.get_or_init(|| error.to_string());
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree of one rule, `a` to `bc`, as SentencePiece lays it out.
    fn charsmap() -> Vec<u8> {
        let mut units = vec![0u32; 512];
        units[0] = 256 << 10; // children from 256
        units[256 ^ 0x61] = 0x61 | 1 << 8; // `a`, a leaf, its value at the same place
        let here = 256 ^ 0x61;
        units[here] |= (here as u32 ^ 300) << 10;
        units[300] = 1 << 31 | 1;
        let mut blob = (units.len() as u32 * 4).to_le_bytes().to_vec();
        blob.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        blob.extend(b"\0bc\0");
        blob
    }

    #[test]
    fn rules_are_checked_before_they_are_used() {
        let good = charsmap();
        let rules = precompiled(&good).expect("a table");
        assert_eq!((rules.transform("a"), rules.transform("b")), (Some("bc"), None));
        let text = "a\u{1}\u{ff}\u{7ff}\u{ffff}😀".repeat(2);
        let mut accepted = 0;
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                if let Ok(rules) = precompiled(&bad) {
                    accepted += 1;
                    let mut text = NormalizedString::from(text.as_str());
                    rules.normalize(&mut text).expect("no error, and no panic");
                }
            }
        }
        assert!(accepted > 0 && accepted < good.len() * 8);
        for len in 0..good.len() {
            let _ = precompiled(&good[..len]);
        }
    }
}
