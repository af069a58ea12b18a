//! The vocabulary inside a GGUF file (`tokenizer.ggml.*`; the GGUF specification in ggml's `docs/gguf.md`, behaviour
//! as in llama.cpp).

use std::collections::{HashMap, HashSet};

use super::added::{AddedToken, Finder};
use super::bpe::{Bpe, Merges, Symbols};
use super::bytes::{byte_to_char, decode_alphabet, fallback_byte};
use super::normalize::Step;
use super::split::{GPT2, LLAMA3, QWEN2, Split};
use super::table::{Kind, MAX_TOKENS};
use super::{END_TOKENS, Model, Parts, Pipeline, Prefix, Tokenizer, Vocabulary, WordPiece, malformed};
use crate::weights::{Metadata, Value};
use crate::{Error, Result};

/// What GGUF's keys say, unchecked. `None` where the file has no such key; an id of `u32::MAX` means none as well.
#[derive(Debug, Clone, Copy, Default)]
pub struct GgufVocab<'a> {
    /// `tokenizer.ggml.model`: `gpt2`, `llama` or `bert`.
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
    pub add_space_prefix: Option<bool>,
}

/// GGUF's token types.
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const BYTE: i32 = 6;

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
    let scores = metadata.f32s(&key("scores"))?;
    let token_types = metadata.i32s(&key("token_type"))?;
    let vocab = GgufVocab {
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
        add_space_prefix: metadata.bool(&key("add_space_prefix"))?,
    };
    Tokenizer::from_vocab(&vocab)
}

/// What sets one pre-tokenizer apart: its patterns in order, whether a word that is a token stays whole, and whether a
/// text begins with BOS unless the file says otherwise.
struct Pre {
    patterns: &'static [&'static str],
    whole_words: bool,
    add_bos: bool,
}

/// The pre-tokenizer of a `gpt2` vocabulary by GGUF's name for it.
fn pre_tokenizer(name: &str) -> Result<Pre> {
    let plain = |patterns| Pre { patterns, whole_words: false, add_bos: false };
    Ok(match name {
        "gpt-2" | "phi-2" | "mpt" | "olmo" | "jais" | "trillion" | "granite-docling" => plain(&[GPT2]),
        "default" => plain(&[r"[\p{P}$+<=>^~|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"]),
        "smollm" | "starcoder" | "refact" | "command-r" | "codeshell" | "exaone" | "minerva-7b" => {
            plain(&[r"\p{N}", GPT2])
        }
        "qwen2" | "deepseek-r1-qwen" | "stablelm2" | "hunyuan" => plain(&[QWEN2]),
        "llama3" | "llama-v3" | "llama-bpe" | "falcon3" => {
            Pre { patterns: &[LLAMA3], whole_words: true, add_bos: true }
        }
        "dbrx" | "smaug-bpe" => plain(&[LLAMA3]),
        _ => return Err(Error::unsupported(format!("the pre-tokenizer `{name}` of the tokenizer"))),
    })
}

pub(super) fn parts(vocab: &GgufVocab) -> Result<Parts> {
    check(vocab)?;
    match vocab.model {
        "gpt2" => byte_level(vocab),
        "llama" => sentencepiece(vocab),
        "bert" => wordpiece(vocab),
        other => Err(Error::unsupported(format!("the tokenizer model `{other}`"))),
    }
}

/// Sizes that have to agree.
fn check(vocab: &GgufVocab) -> Result<()> {
    let n = vocab.tokens.len();
    if n == 0 || n > MAX_TOKENS {
        return Err(malformed(format!("{n} tokens; 1 to {MAX_TOKENS} are supported")));
    }
    for (what, len) in [("scores", vocab.scores.map(<[_]>::len)), ("token types", vocab.token_types.map(<[_]>::len))] {
        if let Some(len) = len.filter(|len| *len != n) {
            return Err(malformed(format!("{n} tokens, but {len} {what}")));
        }
    }
    Ok(())
}

impl GgufVocab<'_> {
    fn token_type(&self, id: usize) -> i32 {
        self.token_types.map_or(1, |types| types[id])
    }

    fn kind(&self, id: usize) -> Kind {
        if matches!(self.token_type(id), CONTROL | UNKNOWN) { Kind::Special } else { Kind::Plain }
    }

    /// Whether the token is matched as a whole before the text is split.
    fn is_added(&self, id: usize) -> bool {
        matches!(self.token_type(id), CONTROL | UNKNOWN | USER_DEFINED)
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

    /// Token text to id; of two tokens with the same text the later one counts.
    fn vocabulary(&self) -> Vocabulary {
        Vocabulary::new((0u32..).zip(self.tokens).map(|(id, token)| (token.as_str().into(), id)).collect())
    }

    fn finders(&self) -> Result<[Finder; 2]> {
        let added = |control: bool| {
            let ids = (0..self.tokens.len()).filter(|&id| self.is_added(id));
            let tokens = ids.filter(|&id| control || self.kind(id) == Kind::Plain).map(|id| AddedToken {
                id: id as u32, // below MAX_TOKENS
                content: self.tokens[id].clone(),
                single_word: false,
                lstrip: false,
                rstrip: false,
            });
            Finder::new(tokens.collect())
        };
        Ok([added(true)?, added(false)?])
    }

    /// The ids that end a generation: those the file names, and control tokens with a well-known name.
    fn stop_ids(&self, eos: Option<u32>, vocabulary: &Vocabulary) -> Result<Vec<u32>> {
        let named =
            [eos, self.special("end-of-turn", self.eot, None)?, self.special("end-of-message", self.eom, None)?];
        let known = END_TOKENS.iter().filter_map(|name| vocabulary.id(name));
        let known = known.filter(|id| self.kind(*id as usize) == Kind::Special);
        Ok(named.into_iter().flatten().chain(known).collect())
    }
}

/// The ids of `<0x00>` … `<0xFF>`, if the vocabulary has any.
fn byte_tokens(vocab: &GgufVocab) -> Option<Box<[Option<u32>; 256]>> {
    let mut ids = Box::new([None; 256]);
    for (id, token) in (0u32..).zip(vocab.tokens) {
        if let Some(byte) = fallback_byte(token) {
            ids[usize::from(byte)] = Some(id);
        }
    }
    ids.iter().any(Option::is_some).then_some(ids)
}

fn byte_level(vocab: &GgufVocab) -> Result<Parts> {
    let name = vocab.pre.unwrap_or("default");
    let pre = pre_tokenizer(name)?;
    let vocabulary = vocab.vocabulary();
    let merges = vocab.merges.ok_or_else(|| malformed("tokenizer.ggml.merges is missing"))?;
    let mut ids = Box::new([None; 256]);
    for (byte, id) in (0u8..=255).zip(ids.iter_mut()) {
        *id = vocabulary.id(byte_to_char(byte).encode_utf8(&mut [0; 4]));
    }
    let bpe = Bpe {
        symbols: Symbols::Bytes(ids),
        merges: Merges::Ranked(ranked(merges, &vocabulary)?),
        unknown: vocab.special("unknown", vocab.unk, None)?,
        whole_words: pre.whole_words,
        seams: None,
    };
    let tokens = vocab.tokens.iter().enumerate().map(|(id, token)| {
        let bytes = if vocab.is_added(id) { token.as_bytes().to_vec() } else { decode_alphabet(token) };
        (vocab.kind(id), bytes)
    });
    let pipeline = Pipeline {
        raw: vocab.finders()?,
        normalized: Default::default(),
        normalizer: Vec::new(),
        prefix: if vocab.add_space_prefix == Some(true) { Prefix::Space } else { Prefix::None },
        splits: pre.patterns.iter().map(|pattern| Split::isolated(pattern)).collect::<Result<_>>()?,
        model: Model::Bpe(Box::new(bpe)),
    };
    let bos = vocab.special("BOS", vocab.bos, None)?;
    let eos = vocab.special("EOS", vocab.eos, None)?;
    Ok(Parts {
        tokens: tokens.collect(),
        strip_first_space: vocab.add_space_prefix == Some(true),
        pipeline,
        prefix: bos.filter(|_| vocab.add_bos.unwrap_or(pre.add_bos)).into_iter().collect(),
        suffix: eos.filter(|_| vocab.add_eos.unwrap_or(false)).into_iter().collect(),
        bos,
        eos,
        stop_ids: vocab.stop_ids(eos, &vocabulary)?,
        kind: "byte-level BPE",
        pre: name.to_owned(),
        vocabulary,
    })
}

/// Spaces of a merge rule that are tried as the one between its two tokens.
const MAX_SPACES: usize = 64;

/// Merge rules, `left right`, to (left id, right id) → (rank, merged id).
fn ranked(merges: &[String], vocabulary: &Vocabulary) -> Result<HashMap<(u32, u32), (u32, u32)>> {
    let mut ranks = HashMap::with_capacity(merges.len());
    for (rank, rule) in (0u32..).zip(merges) {
        // A token may hold spaces itself: take the first place where both sides and the whole are tokens.
        let joined = rule.match_indices(' ').take(MAX_SPACES).find_map(|(at, _)| {
            let (left, right) = (&rule[..at], &rule[at + 1..]);
            let merged = vocabulary.id(&[left, right].concat())?;
            Some(((vocabulary.id(left)?, vocabulary.id(right)?), (rank, merged)))
        });
        let Some((pair, merge)) = joined else {
            return Err(malformed(format!("merge {rank} ({rule:?}) does not join two tokens to a third")));
        };
        ranks.entry(pair).or_insert(merge);
    }
    Ok(ranks)
}

fn sentencepiece(vocab: &GgufVocab) -> Result<Parts> {
    let scores = vocab.scores.ok_or_else(|| malformed("tokenizer.ggml.scores is missing"))?;
    if let Some(id) = scores.iter().position(|score| score.is_nan()) {
        return Err(malformed(format!("the score of token {id} is not a number")));
    }
    let vocabulary = vocab.vocabulary();
    let add_space = vocab.add_space_prefix.unwrap_or(true);
    let bos = vocab.special("BOS", vocab.bos, Some(1))?;
    let eos = vocab.special("EOS", vocab.eos, Some(2))?;
    let bpe = Bpe {
        symbols: Symbols::Chars { fallback: byte_tokens(vocab), fuse_unknown: false },
        merges: Merges::Scored(scores.iter().map(|score| score + 0.0).collect()), // -0 and 0 are one score
        unknown: vocab.special("unknown", vocab.unk, Some(0))?,
        whole_words: false,
        seams: Some(pairs_within(vocab.tokens)),
    };
    let tokens = vocab.tokens.iter().enumerate().map(|(id, token)| {
        let byte = fallback_byte(token).filter(|_| vocab.token_type(id) == BYTE);
        let bytes = match byte {
            Some(byte) => vec![byte],
            None if vocab.is_added(id) => token.as_bytes().to_vec(),
            None => token.replace(MARK, " ").into_bytes(),
        };
        (vocab.kind(id), bytes)
    });
    let mut normalizer = Vec::new();
    if add_space {
        normalizer.push(Step::Prepend(MARK.into()));
    }
    normalizer.push(Step::Replace { from: " ".into(), to: MARK.into() });
    let pipeline = Pipeline {
        raw: vocab.finders()?,
        normalized: Default::default(),
        normalizer,
        prefix: Prefix::None,
        splits: Vec::new(),
        model: Model::Bpe(Box::new(bpe)),
    };
    Ok(Parts {
        tokens: tokens.collect(),
        strip_first_space: add_space,
        pipeline,
        prefix: bos.filter(|_| vocab.add_bos.unwrap_or(true)).into_iter().collect(),
        suffix: eos.filter(|_| vocab.add_eos.unwrap_or(false)).into_iter().collect(),
        bos,
        eos,
        stop_ids: vocab.stop_ids(eos, &vocabulary)?,
        kind: "SentencePiece BPE",
        pre: vocab.pre.unwrap_or("none").to_owned(),
        vocabulary,
    })
}

/// Characters that stand side by side in some token: only between them can a scored merge happen.
fn pairs_within(tokens: &[String]) -> HashSet<(char, char)> {
    tokens.iter().flat_map(|token| token.chars().zip(token.chars().skip(1))).collect()
}

fn wordpiece(vocab: &GgufVocab) -> Result<Parts> {
    // GGUF stores `▁word` for a word's beginning and `ing` for what BERT writes `##ing`. Keys here: `word`, `##ing`.
    const PREFIX: &str = "##";
    let mut keys = HashMap::with_capacity(vocab.tokens.len());
    let mut tokens = Vec::with_capacity(vocab.tokens.len());
    for (id, token) in vocab.tokens.iter().enumerate() {
        let (key, text) = match token.strip_prefix(MARK) {
            _ if vocab.is_added(id) => (token.clone(), token.clone()),
            Some(word) => (word.to_owned(), format!(" {word}")),
            None => (format!("{PREFIX}{token}"), token.clone()),
        };
        keys.insert(key.into_boxed_str(), id as u32); // below MAX_TOKENS
        tokens.push((vocab.kind(id), text.into_bytes()));
    }
    let vocabulary = Vocabulary::new(keys);
    let unknown = vocab.special("unknown", vocab.unk, Some(100))?;
    let unknown = unknown.ok_or_else(|| malformed("a WordPiece vocabulary needs an unknown token"))?;
    let cls = vocab.special("CLS", vocab.cls.or(vocab.bos), Some(101))?;
    let sep = vocab.special("SEP", vocab.sep.or(vocab.eos), Some(102))?;
    let pipeline = Pipeline {
        raw: vocab.finders()?,
        normalized: Default::default(),
        normalizer: vec![Step::Bert(tokenizers::normalizers::BertNormalizer::default())],
        prefix: Prefix::None,
        splits: vec![
            Split::new(r"\s", super::split::Behavior::Removed, false)?,
            Split::isolated(super::split::PUNCTUATION)?,
        ],
        model: Model::WordPiece(WordPiece { unknown, prefix: PREFIX.into(), max_chars: 100 }),
    };
    Ok(Parts {
        tokens,
        strip_first_space: true,
        pipeline,
        prefix: cls.filter(|_| vocab.add_bos.unwrap_or(true)).into_iter().collect(),
        suffix: sep.filter(|_| vocab.add_eos.unwrap_or(true)).into_iter().collect(),
        bos: cls,
        eos: sep,
        stop_ids: Vec::new(),
        kind: "WordPiece",
        pre: vocab.pre.unwrap_or("bert").to_owned(),
        vocabulary,
    })
}
