//! The kinds of vocabulary that GGUF files hold, each built from the `tokenizers` crate's parts.

use cresset_numerics::sort_by;
use std::collections::HashSet;

use tokenizers::NormalizerWrapper;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{BertNormalizer, Prepend, Replace};
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;

use super::build::{self, BpeParts};
use super::bytes::decode_alphabet;
use super::malformed::malformed;
use super::parts::Parts;
use super::pipeline::Pipeline;
use super::pre::pre_tokenizer;
use super::split::SplitStep;
use super::vocabulary::{CONTROL, HIDDEN, MARK, Made, NORMAL, UNKNOWN, UNUSED, USER_DEFINED, Vocabulary};
use crate::Result;

/// Characters of a token that merges are looked for in; published ones have up to 32.
const MAX_MERGED: usize = 128;
/// Spaces of a merge rule that are tried as the one between its two tokens.
const MAX_SPACES: usize = 64;

fn replace(from: &str, to: &str) -> NormalizerWrapper {
    Replace::new(from, to).expect("a text is a valid pattern").into()
}

/// Merges by rank: over GPT-2's byte alphabet, or over SentencePiece's text.
pub(super) fn byte_pair(vocab: &Vocabulary) -> Result<Parts> {
    let file = vocab.file;
    let name = if file.model == "gemma4" { "gemma4" } else { file.pre.unwrap_or("default") };
    let pre = pre_tokenizer(name)?;
    let unknown = vocab.special(file.unk, None);
    let control = vocab.control();
    let bpe = build::bpe(
        BpeParts {
            vocab: vocab.without(&control, unknown),
            merges: ranked_merges(vocab, &control)?,
            unknown: unknown.map(|id| vocab.text(id)),
            fuse_unknown: false,
            byte_fallback: pre.sentencepiece,
            whole_words: pre.whole_words,
        },
        &control,
    )?;
    let mut steps: Vec<SplitStep> =
        pre.patterns.iter().map(|pattern| SplitStep::isolated(pattern)).collect::<Result<_>>()?;
    let add_space = file.add_space_prefix == Some(true);
    let mut normalizer = Vec::new();
    if pre.sentencepiece {
        normalizer.push(replace(" ", MARK));
    } else {
        steps.push(SplitStep::bytes());
        if add_space {
            steps.insert(0, SplitStep::SpaceBefore);
        }
    }
    let bytes = |id: usize| match &vocab.tokens[id] {
        _ if pre.sentencepiece => vocab.sentencepiece_bytes(id),
        token if vocab.is_added(id) => token.as_bytes().to_vec(),
        token => decode_alphabet(token),
    };
    let pipeline = Pipeline::new(vocab.added(), normalizer, steps, bpe)?;
    let made = Made { pipeline, pre: name, bytes: &bytes, strip_first_space: add_space && !pre.sentencepiece };
    let bos = (vocab.special(file.bos, None), file.add_bos.unwrap_or(pre.add_bos));
    let eos = (vocab.special(file.eos, None), file.add_eos.unwrap_or(false));
    vocab.parts(if pre.sentencepiece { "BPE" } else { "byte-level BPE" }, [bos, eos], made)
}

/// The file's merge rules, `left right`, in order. The first of two rules for the same pair counts. A rule about what is
/// no token is passed over, as llama.cpp does: vocabularies are pruned without their rules, and it could make no token.
fn ranked_merges(vocab: &Vocabulary, control: &HashSet<u32>) -> Result<Vec<(String, String)>> {
    let rules = vocab.file.merges.ok_or_else(|| malformed("tokenizer.ggml.merges is missing"))?;
    let mut seen = HashSet::with_capacity(rules.len());
    let mut merges = Vec::with_capacity(rules.len());
    let id = |token: &str| vocab.ids.get(token).copied();
    for (rank, rule) in rules.iter().enumerate() {
        // A token may hold spaces itself: take the first place where both sides and the whole are tokens.
        let joined = rule.match_indices(' ').take(MAX_SPACES).find_map(|(at, _)| {
            let (left, right) = (&rule[..at], &rule[at + 1..]);
            Some((left, right, [id(left)?, id(right)?, id(&[left, right].concat())?]))
        });
        let Some((left, right, ids)) = joined else {
            match rule.trim().contains(' ') {
                true => continue,
                false => return Err(malformed(format!("merge {rank} ({rule:?}) is not two texts"))),
            }
        };
        if !ids.iter().any(|id| control.contains(id)) && seen.insert((ids[0], ids[1])) {
            merges.push((left.to_owned(), right.to_owned()));
        }
    }
    Ok(merges)
}

/// SentencePiece's byte-pair encoding (Kudo & Richardson 2018): two neighbours join if their text is a token, the best
/// score first. As merges by rank: every way to make a token of two others, in the order of the tokens' scores.
pub(super) fn sentencepiece(vocab: &Vocabulary) -> Result<Parts> {
    let file = vocab.file;
    let scores = vocab.scores()?;
    let unknown = vocab.special(file.unk, Some(0));
    let byte_fallback = vocab.has_byte_tokens();
    let joins = |id: usize| matches!(vocab.types[id], NORMAL | USER_DEFINED | UNUSED | 0);
    let mut order: Vec<usize> = (0..vocab.tokens.len()).filter(|id| joins(*id)).collect();
    sort_by(&mut order, |a, b| (scores[*b] + 0.0).total_cmp(&(scores[*a] + 0.0))); // -0 and 0 are one score
    let is_part = |text: &str| vocab.ids.get(text).is_some_and(|id| joins(*id as usize));
    let mut merges = Vec::new();
    for token in order.iter().map(|id| &vocab.tokens[*id]) {
        let cuts = token.char_indices().skip(1).map(|(at, _)| token.split_at(at));
        if token.char_indices().nth(MAX_MERGED).is_none() {
            let cuts = cuts.filter(|(left, right)| is_part(left) && is_part(right));
            merges.extend(cuts.map(|(left, right)| (left.to_owned(), right.to_owned())));
        }
    }
    let control = vocab.control();
    let parts = BpeParts {
        vocab: vocab.without(&control, unknown),
        merges,
        unknown: unknown.map(|id| vocab.text(id)),
        fuse_unknown: false,
        byte_fallback,
        whole_words: false,
    };
    let add_space = file.add_space_prefix.unwrap_or(true);
    let mut normalizer = vec![replace(" ", MARK)];
    if add_space {
        normalizer.insert(0, Prepend::new(MARK.into()).into());
    }
    let steps = vec![SplitStep::seams(vocab.tokens.iter().map(String::as_str))];
    let pipeline = Pipeline::new(vocab.added(), normalizer, steps, build::bpe(parts, &control)?)?;
    let bytes = |id| vocab.sentencepiece_bytes(id);
    let made = Made { pipeline, pre: file.pre.unwrap_or("none"), bytes: &bytes, strip_first_space: add_space };
    let bos = (vocab.special(file.bos, Some(1)), file.add_bos.unwrap_or(true));
    let eos = (vocab.special(file.eos, Some(2)), file.add_eos.unwrap_or(false));
    vocab.parts("SentencePiece BPE", [bos, eos], made)
}

/// BERT's WordPiece. GGUF stores `▁word` for a word's beginning and `ing` for what BERT writes `##ing`; the model here
/// has `word` and `##ing`.
pub(super) fn wordpiece(vocab: &Vocabulary) -> Result<Parts> {
    const PREFIX: &str = "##";
    let file = vocab.file;
    let unknown = vocab.special(file.unk, Some(100));
    let unknown = unknown.ok_or_else(|| malformed("a WordPiece vocabulary needs an unknown token"))?;
    let key = |id: u32, token: &String| match token.strip_prefix(MARK) {
        _ if vocab.is_added(id as usize) || id == unknown => token.clone(),
        Some(word) => word.to_owned(),
        None => format!("{PREFIX}{token}"),
    };
    let model = WordPiece::builder()
        .vocab((0u32..).zip(vocab.tokens).map(|(id, token)| (key(id, token), id)).collect::<build::Vocab>())
        .unk_token(vocab.text(unknown))
        .continuing_subword_prefix(PREFIX.into())
        .max_input_chars_per_word(100)
        .build()
        .map_err(|error| malformed(error.to_string()))?;
    let clean_up = BertNormalizer::new(true, true, file.strip_accents, file.lowercase.unwrap_or(true));
    let steps = vec![SplitStep::Crate(Box::new(BertPreTokenizer))];
    let pipeline = Pipeline::new(vocab.added(), vec![clean_up.into()], steps, model)?;
    let bytes = |id: usize| match vocab.tokens[id].strip_prefix(MARK) {
        _ if vocab.is_added(id) => format!(" {}", vocab.tokens[id]).into_bytes(),
        Some(word) => format!(" {word}").into_bytes(),
        None => vocab.tokens[id].clone().into_bytes(),
    };
    let made = Made { pipeline, pre: file.pre.unwrap_or("bert"), bytes: &bytes, strip_first_space: true };
    let cls = (vocab.special(file.cls.or(file.bos), Some(101)), file.add_bos.unwrap_or(true));
    let sep = (vocab.special(file.sep.or(file.eos), Some(102)), file.add_sep.unwrap_or(true));
    let parts = vocab.parts("WordPiece", [cls, sep], made)?;
    Ok(Parts { stop_ids: Vec::new(), ..parts })
}

/// SentencePiece's Unigram model, as in T5 and XLM-R.
pub(super) fn unigram(vocab: &Vocabulary) -> Result<Parts> {
    let file = vocab.file;
    let scores = vocab.scores()?;
    let unknown = vocab.special(file.unk, Some(2));
    // A control token is found in text only as an added token, never as a piece.
    let piece = |id: usize| match vocab.types[id] {
        CONTROL | UNKNOWN | HIDDEN => (String::new(), f64::from(scores[id])),
        USER_DEFINED => (vocab.tokens[id].clone(), 0.0),
        _ => (vocab.tokens[id].clone(), f64::from(scores[id])),
    };
    let pieces = (0..vocab.tokens.len()).map(piece).collect();
    let model = build::unigram(pieces, unknown, vocab.has_byte_tokens())?;
    let mut normalizer: Vec<NormalizerWrapper> = Vec::new();
    if let Some(table) = file.precompiled_charsmap.filter(|table| !table.is_empty()) {
        normalizer.push(build::precompiled(table)?.into());
    }
    if file.remove_extra_whitespaces == Some(true) {
        for (pattern, to) in [("^ +| +$", ""), (" {2,}", " ")] {
            let pattern = ReplacePattern::Regex(pattern.into());
            normalizer.push(Replace::new(pattern, to).expect("a valid pattern").into());
        }
    }
    let add_space = file.add_space_prefix == Some(true);
    if add_space {
        normalizer.push(Prepend::new(MARK.into()).into());
    }
    normalizer.push(replace(" ", MARK));
    let mut pipeline = Pipeline::new(vocab.added(), normalizer, Vec::new(), model)?;
    if let Some(unknown) = unknown {
        let hidden = (0u32..).zip(vocab.tokens).zip(&vocab.types).filter(|(_, kind)| **kind == HIDDEN);
        pipeline.keep_known(unknown, hidden.map(|((id, token), _)| (token.clone(), id)).collect());
    }
    let bytes = |id| vocab.sentencepiece_bytes(id);
    let made = Made { pipeline, pre: file.pre.unwrap_or("none"), bytes: &bytes, strip_first_space: add_space };
    let bos = (vocab.special(file.bos, None), file.add_bos.unwrap_or(false));
    let eos = (vocab.special(file.eos, Some(1)), file.add_eos.unwrap_or(true));
    vocab.parts("Unigram", [bos, eos], made)
}
