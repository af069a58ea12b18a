//! The vocabulary inside a GGUF file (`tokenizer.ggml.*`; the GGUF specification in ggml's `docs/gguf.md`, behaviour
//! as in llama.cpp), built from the `tokenizers` crate's parts.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{BertNormalizer, Prepend, Replace};
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{AddedToken, NormalizerWrapper, PreTokenizerWrapper};

use super::build::{self, BpeParts};
use super::bytes::{decode_alphabet, fallback_byte};
use super::pipeline::Pipeline;
use super::pre::pre_tokenizer;
use super::split::Step;
use super::table::{Kind, MAX_TOKENS};
use super::{END_TOKENS, Parts, Tokenizer, known_ends, malformed};
use crate::weights::{Array, Metadata, Value};
use crate::{Error, Result};

/// What GGUF's keys say, unchecked. `None` where the file has no such key; an id of `u32::MAX` means none as well.
#[derive(Debug, Clone, Copy, Default)]
pub struct GgufVocab<'a> {
    /// `general.name`, which tells Phi-3's control tokens from others.
    pub name: Option<&'a str>,
    /// `tokenizer.ggml.model`: `gpt2`, `llama`, `bert`, `t5` or `gemma4`.
    pub model: &'a str,
    pub pre: Option<&'a str>,
    pub tokens: &'a [String],
    pub scores: Option<&'a [f32]>,
    pub token_types: Option<&'a [i32]>,
    pub merges: Option<&'a [String]>,
    pub bos: Option<u32>,
    pub eos: Option<u32>,
    pub eot: Option<u32>,
    pub eom: Option<u32>,
    pub unk: Option<u32>,
    pub sep: Option<u32>,
    pub cls: Option<u32>,
    pub add_bos: Option<bool>,
    pub add_eos: Option<bool>,
    pub add_sep: Option<bool>,
    pub add_space_prefix: Option<bool>,
    pub remove_extra_whitespaces: Option<bool>,
    /// SentencePiece's table of rewriting rules.
    pub precompiled_charsmap: Option<&'a [u8]>,
    /// BERT's clean-up.
    pub lowercase: Option<bool>,
    pub strip_accents: Option<bool>,
}

/// GGUF's token types.
const NORMAL: i32 = 1;
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;
const BYTE: i32 = 6;

/// Characters of a token that merges are looked for in; published ones have up to 32.
const MAX_MERGED: usize = 128;
/// Spaces of a merge rule that are tried as the one between its two tokens.
const MAX_SPACES: usize = 64;

/// The mark that stands for a space in SentencePiece's vocabularies, and before a word in WordPiece's.
const MARK: &str = "▁";

pub(super) fn from_metadata(metadata: &Metadata) -> Result<Tokenizer> {
    let key = |name: &str| format!("tokenizer.ggml.{name}");
    let id = |name: &str| -> Result<Option<u32>> {
        let key = key(name);
        if matches!(metadata.get(&key), Some(Value::I32(-1) | Value::I64(-1))) {
            return Ok(Some(u32::MAX)); // "none" in a signed type
        }
        let id = metadata.u64(&key)?.map(u32::try_from).transpose();
        id.map_err(|_| malformed(format!("{key} is past any vocabulary")))
    };
    let model = metadata.str(&key("model"))?.ok_or_else(|| malformed("tokenizer.ggml.model is missing"))?;
    let tokens = metadata.strings(&key("tokens"))?.ok_or_else(|| malformed("tokenizer.ggml.tokens is missing"))?;
    let charsmap = match metadata.get(&key("precompiled_charsmap")) {
        Some(Value::Array(Array::U8(bytes))) => Some(Cow::Borrowed(bytes.as_slice())),
        Some(Value::Array(Array::I8(bytes))) => Some(bytes.iter().map(|byte| *byte as u8).collect()),
        Some(_) => return Err(malformed("tokenizer.ggml.precompiled_charsmap is no array of bytes")),
        None => None,
    };
    let scores = metadata.f32s(&key("scores"))?;
    let token_types = metadata.i32s(&key("token_type"))?;
    let vocab = GgufVocab {
        name: metadata.str("general.name")?,
        model,
        pre: metadata.str(&key("pre"))?,
        tokens,
        scores: scores.as_deref(),
        token_types: token_types.as_deref(),
        merges: metadata.strings(&key("merges"))?,
        bos: id("bos_token_id")?,
        eos: id("eos_token_id")?,
        eot: id("eot_token_id")?,
        eom: id("eom_token_id")?,
        unk: id("unknown_token_id")?,
        sep: id("seperator_token_id")?, // the specification's spelling
        cls: id("cls_token_id")?,
        add_bos: metadata.bool(&key("add_bos_token"))?,
        add_eos: metadata.bool(&key("add_eos_token"))?,
        add_sep: metadata.bool(&key("add_sep_token"))?,
        add_space_prefix: metadata.bool(&key("add_space_prefix"))?,
        remove_extra_whitespaces: metadata.bool(&key("remove_extra_whitespaces"))?,
        precompiled_charsmap: charsmap.as_deref(),
        lowercase: metadata.bool(&key("normalizer.lowercase"))?,
        strip_accents: metadata.bool(&key("normalizer.strip_accents"))?,
    };
    Tokenizer::from_vocab(&vocab)
}

pub(super) fn parts(vocab: &GgufVocab) -> Result<Parts> {
    let vocab = Vocabulary::new(vocab)?;
    match vocab.file.model {
        "gpt2" | "gemma4" => byte_pair(&vocab),
        "llama" => sentencepiece(&vocab),
        "bert" => wordpiece(&vocab),
        "t5" => unigram(&vocab),
        other => Err(Error::Unsupported {
            what: format!("the tokenizer model `{other}`"),
            hint: "; known are gpt2, llama, bert, t5, gemma4".into(),
        }),
    }
}

/// A file's vocabulary, its sizes checked.
struct Vocabulary<'a> {
    file: &'a GgufVocab<'a>,
    tokens: &'a [String],
    types: Vec<i32>,
    /// Token text to id; of two tokens with the same text the later one counts.
    ids: HashMap<&'a str, u32>,
}

impl<'a> Vocabulary<'a> {
    fn new(file: &'a GgufVocab<'a>) -> Result<Self> {
        let tokens = file.tokens;
        let n = tokens.len();
        if n == 0 || n > MAX_TOKENS {
            return Err(malformed(format!("{n} tokens; 1 to {MAX_TOKENS} are supported")));
        }
        let lengths = [("scores", file.scores.map(<[_]>::len)), ("token types", file.token_types.map(<[_]>::len))];
        for (what, len) in lengths {
            if let Some(len) = len.filter(|len| *len != n) {
                return Err(malformed(format!("{n} tokens, but {len} {what}")));
            }
        }
        let mut types = file.token_types.map_or_else(|| vec![NORMAL; n], <[_]>::to_vec);
        for (token, kind) in tokens.iter().zip(&mut types) {
            // Some files declare a marker that can be nothing else as text.
            let marker = token.starts_with("<|") || token.starts_with("<｜") || token == "<end_of_turn>";
            if marker && END_TOKENS.contains(&token.as_str()) {
                *kind = CONTROL;
            }
        }
        let ids = (0u32..).zip(tokens).map(|(id, token)| (token.as_str(), id)).collect();
        Ok(Vocabulary { file, tokens, types, ids })
    }

    fn kind(&self, id: usize) -> Kind {
        if matches!(self.types[id], CONTROL | UNKNOWN) { Kind::Special } else { Kind::Plain }
    }

    /// Whether the token is matched as a whole before the text is split.
    fn is_added(&self, id: usize) -> bool {
        matches!(self.types[id], CONTROL | UNKNOWN | USER_DEFINED)
    }

    fn control(&self) -> HashSet<u32> {
        (0u32..).zip(&self.types).filter(|(_, kind)| **kind == CONTROL).map(|(id, _)| id).collect()
    }

    /// An id the file names, or the default of its kind of vocabulary; an id past the end is an error.
    fn special(&self, what: &str, id: Option<u32>, default: Option<u32>) -> Result<Option<u32>> {
        match id {
            Some(u32::MAX) => Ok(None),
            Some(id) if id as usize >= self.tokens.len() => {
                Err(malformed(format!("the {what} token has id {id}, but there are {} tokens", self.tokens.len())))
            }
            Some(id) => Ok(Some(id)),
            None => Ok(default.filter(|id| (*id as usize) < self.tokens.len() && self.is_added(*id as usize))),
        }
    }

    fn text(&self, id: u32) -> String {
        self.tokens[id as usize].clone()
    }

    /// The tokens that are cut out of a text first.
    fn added(&self) -> Vec<(u32, AddedToken)> {
        // The files don't say which tokens take white space along; these are known to.
        let name = self.file.name.unwrap_or_default().to_lowercase();
        let phi3 = name.contains("phi-3") || name.contains("phi3");
        let jina = self.file.pre.is_some_and(|pre| pre.starts_with("jina-v2"));
        let ids = (0..self.tokens.len()).filter(|id| self.is_added(*id));
        let token = |id: usize| {
            let text = self.tokens[id].as_str();
            let token = AddedToken::from(text, self.kind(id) == Kind::Special).normalized(false);
            let takes_after = phi3 && !matches!(text, "<unk>" | "<s>" | "<|endoftext|>");
            (id as u32, token.rstrip(takes_after).lstrip(jina && text == "<mask>")) // below MAX_TOKENS
        };
        ids.map(token).collect()
    }

    /// The bytes a token of SentencePiece contributes to a text.
    fn sentencepiece_bytes(&self, id: usize) -> Vec<u8> {
        let token = &self.tokens[id];
        match fallback_byte(token).filter(|_| self.types[id] == BYTE) {
            Some(byte) => vec![byte],
            None if self.is_added(id) => token.as_bytes().to_vec(),
            None => token.replace(MARK, " ").into_bytes(),
        }
    }

    fn scores(&self) -> Result<&'a [f32]> {
        let scores = self.file.scores.ok_or_else(|| malformed("tokenizer.ggml.scores is missing"))?;
        match scores.iter().position(|score| score.is_nan()) {
            Some(id) => Err(malformed(format!("the score of token {id} is not a number"))),
            None => Ok(scores),
        }
    }

    fn has_byte_tokens(&self) -> bool {
        self.tokens.iter().any(|token| fallback_byte(token).is_some())
    }

    /// What all kinds of vocabulary have in common. `ends`: BOS and EOS, and whether a text gets them.
    fn parts(&self, kind: &'static str, ends: [(Option<u32>, bool); 2], made: Made) -> Result<Parts> {
        let [(bos, add_bos), (eos, add_eos)] = ends;
        let named = [
            eos,
            self.special("end-of-turn", self.file.eot, None)?,
            self.special("end-of-message", self.file.eom, None)?,
        ];
        let control = |name: &str| self.ids.get(name).copied().filter(|id| self.kind(*id as usize) == Kind::Special);
        Ok(Parts {
            tokens: (0..self.tokens.len()).map(|id| (self.kind(id), (made.bytes)(id))).collect(),
            strip_first_space: made.strip_first_space,
            pipeline: made.pipeline,
            prefix: bos.filter(|_| add_bos).into_iter().collect(),
            suffix: eos.filter(|_| add_eos).into_iter().collect(),
            bos,
            eos,
            stop_ids: named.into_iter().flatten().chain(known_ends(control)).collect(),
            kind,
            pre: made.pre.to_owned(),
        })
    }
}

/// What sets one kind of vocabulary apart.
struct Made<'a> {
    pipeline: Pipeline,
    pre: &'a str,
    /// The bytes that a token contributes to a text, by id.
    bytes: &'a dyn Fn(usize) -> Vec<u8>,
    strip_first_space: bool,
}

fn replace(from: &str, to: &str) -> NormalizerWrapper {
    Replace::new(from, to).expect("a text is a valid pattern").into()
}

/// Merges by rank: over GPT-2's byte alphabet, or over SentencePiece's text.
fn byte_pair(vocab: &Vocabulary) -> Result<Parts> {
    let file = vocab.file;
    let name = if file.model == "gemma4" { "gemma4" } else { file.pre.unwrap_or("default") };
    let pre = pre_tokenizer(name)?;
    let unknown = vocab.special("unknown", file.unk, None)?;
    let control = vocab.control();
    let bpe = build::bpe(
        BpeParts {
            vocab: (0u32..)
                .zip(vocab.tokens)
                .filter(|(id, _)| !control.contains(id) || Some(*id) == unknown)
                .map(|(id, token)| (token.clone(), id))
                .collect(),
            merges: ranked_merges(vocab, &control)?,
            unknown: unknown.map(|id| vocab.text(id)),
            fuse_unknown: false,
            byte_fallback: pre.sentencepiece,
            whole_words: pre.whole_words,
        },
        &control,
    )?;
    let mut steps: Vec<Step> = pre.patterns.iter().map(|pattern| Step::isolated(pattern)).collect::<Result<_>>()?;
    let add_space = file.add_space_prefix == Some(true);
    let mut normalizer = Vec::new();
    if pre.sentencepiece {
        normalizer.push(replace(" ", MARK));
    } else {
        steps.push(Step::bytes());
        if add_space {
            steps.insert(0, Step::SpaceBefore);
        }
    }
    let bytes = |id: usize| match &vocab.tokens[id] {
        _ if pre.sentencepiece => vocab.sentencepiece_bytes(id),
        token if vocab.is_added(id) => token.as_bytes().to_vec(),
        token => decode_alphabet(token),
    };
    let pipeline = Pipeline::new(vocab.added(), normalizer, steps, bpe)?;
    let made = Made { pipeline, pre: name, bytes: &bytes, strip_first_space: add_space && !pre.sentencepiece };
    let bos = (vocab.special("BOS", file.bos, None)?, file.add_bos.unwrap_or(pre.add_bos));
    let eos = (vocab.special("EOS", file.eos, None)?, file.add_eos.unwrap_or(false));
    vocab.parts(if pre.sentencepiece { "BPE" } else { "byte-level BPE" }, [bos, eos], made)
}

/// The file's merge rules, `left right`, in order. The first of two rules for the same pair counts.
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
            return Err(malformed(format!("merge {rank} ({rule:?}) does not join two tokens to a third")));
        };
        if !ids.iter().any(|id| control.contains(id)) && seen.insert((ids[0], ids[1])) {
            merges.push((left.to_owned(), right.to_owned()));
        }
    }
    Ok(merges)
}

/// SentencePiece's byte-pair encoding (Kudo & Richardson 2018): two neighbours join if their text is a token, the best
/// score first. As merges by rank: every way to make a token of two others, in the order of the tokens' scores.
fn sentencepiece(vocab: &Vocabulary) -> Result<Parts> {
    let file = vocab.file;
    let scores = vocab.scores()?;
    let unknown = vocab.special("unknown", file.unk, Some(0))?;
    let byte_fallback = vocab.has_byte_tokens();
    let joins = |id: usize| matches!(vocab.types[id], NORMAL | USER_DEFINED | UNUSED | 0);
    let mut order: Vec<usize> = (0..vocab.tokens.len()).filter(|id| joins(*id)).collect();
    order.sort_by(|a, b| (scores[*b] + 0.0).total_cmp(&(scores[*a] + 0.0))); // -0 and 0 are one score
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
        vocab: (0u32..)
            .zip(vocab.tokens)
            .filter(|(id, _)| !control.contains(id) || Some(*id) == unknown)
            .map(|(id, token)| (token.clone(), id))
            .collect(),
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
    let steps = vec![Step::seams(vocab.tokens.iter().map(String::as_str))];
    let pipeline = Pipeline::new(vocab.added(), normalizer, steps, build::bpe(parts, &control)?)?;
    let bytes = |id| vocab.sentencepiece_bytes(id);
    let made = Made { pipeline, pre: file.pre.unwrap_or("none"), bytes: &bytes, strip_first_space: add_space };
    let bos = (vocab.special("BOS", file.bos, Some(1))?, file.add_bos.unwrap_or(true));
    let eos = (vocab.special("EOS", file.eos, Some(2))?, file.add_eos.unwrap_or(false));
    vocab.parts("SentencePiece BPE", [bos, eos], made)
}

/// BERT's WordPiece. GGUF stores `▁word` for a word's beginning and `ing` for what BERT writes `##ing`; the model here
/// has `word` and `##ing`.
fn wordpiece(vocab: &Vocabulary) -> Result<Parts> {
    const PREFIX: &str = "##";
    let file = vocab.file;
    let unknown = vocab.special("unknown", file.unk, Some(100))?;
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
    let steps = vec![Step::Crate(PreTokenizerWrapper::BertPreTokenizer(BertPreTokenizer))];
    let pipeline = Pipeline::new(vocab.added(), vec![clean_up.into()], steps, model)?;
    let bytes = |id: usize| match vocab.tokens[id].strip_prefix(MARK) {
        _ if vocab.is_added(id) => format!(" {}", vocab.tokens[id]).into_bytes(),
        Some(word) => format!(" {word}").into_bytes(),
        None => vocab.tokens[id].clone().into_bytes(),
    };
    let made = Made { pipeline, pre: file.pre.unwrap_or("bert"), bytes: &bytes, strip_first_space: true };
    let cls = (vocab.special("CLS", file.cls.or(file.bos), Some(101))?, file.add_bos.unwrap_or(true));
    let sep = (vocab.special("SEP", file.sep.or(file.eos), Some(102))?, file.add_sep.unwrap_or(true));
    let parts = vocab.parts("WordPiece", [cls, sep], made)?;
    Ok(Parts { stop_ids: Vec::new(), ..parts })
}

/// SentencePiece's Unigram model, as in T5 and XLM-R.
fn unigram(vocab: &Vocabulary) -> Result<Parts> {
    let file = vocab.file;
    let scores = vocab.scores()?;
    let unknown = vocab.special("unknown", file.unk, Some(2))?;
    // A control token is found in text only as an added token, never as a piece.
    let piece = |id: usize| match vocab.types[id] {
        CONTROL | UNKNOWN => (String::new(), f64::from(scores[id])),
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
    let pipeline = Pipeline::new(vocab.added(), normalizer, Vec::new(), model)?;
    let bytes = |id| vocab.sentencepiece_bytes(id);
    let made = Made { pipeline, pre: file.pre.unwrap_or("none"), bytes: &bytes, strip_first_space: add_space };
    let bos = (vocab.special("BOS", file.bos, None)?, file.add_bos.unwrap_or(false));
    let eos = (vocab.special("EOS", file.eos, Some(1))?, file.add_eos.unwrap_or(true));
    vocab.parts("Unigram", [bos, eos], made)
}
