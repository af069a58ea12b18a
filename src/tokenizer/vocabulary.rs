//! A GGUF vocabulary, checked: its sizes, its ids, and which tokens are more than text.

use std::collections::{HashMap, HashSet};

use tokenizers::AddedToken;

use super::build::Vocab;
use super::bytes::fallback_byte;
use super::ends::{END_TOKENS, known_ends};
use super::malformed::malformed;
use super::parts::Parts;
use super::pipeline::Pipeline;
use super::table::{MAX_TOKENS, TokenKind};
use crate::Result;

/// GGUF's vocabulary keys, unchecked. `None` where the file has no such key; an id of `u32::MAX` means none as well.
#[derive(Debug, Clone, Copy, Default)]
pub struct GgufVocab<'a> {
    /// `general.name`, which tells Phi-3's control tokens from others.
    pub name: Option<&'a str>,
    /// `tokenizer.ggml.model`: `gpt2`, `llama`, `bert`, `t5` or `gemma4`.
    pub model: &'a str,
    /// `tokenizer.ggml.pre`: the pre-tokenizer's name.
    pub pre: Option<&'a str>,
    /// By id.
    pub tokens: &'a [String],
    /// By id: log-probabilities, or the order of merges.
    pub scores: Option<&'a [f32]>,
    /// By id: the types of GGUF's specification.
    pub token_types: Option<&'a [i32]>,
    /// `left right`, in order of rank.
    pub merges: Option<&'a [String]>,
    /// The id that begins a text.
    pub bos: Option<u32>,
    /// The id that ends a text.
    pub eos: Option<u32>,
    /// The id that ends a turn.
    pub eot: Option<u32>,
    /// The id that ends a message.
    pub eom: Option<u32>,
    /// The id of what has no token.
    pub unk: Option<u32>,
    /// BERT's `[SEP]`.
    pub sep: Option<u32>,
    /// BERT's `[CLS]`.
    pub cls: Option<u32>,
    /// Whether a text gets a BOS.
    pub add_bos: Option<bool>,
    /// Whether a text gets an EOS.
    pub add_eos: Option<bool>,
    /// Whether a text gets a SEP.
    pub add_sep: Option<bool>,
    /// Whether a text gets a space in front.
    pub add_space_prefix: Option<bool>,
    /// Whether runs of spaces become one.
    pub remove_extra_whitespaces: Option<bool>,
    /// SentencePiece's table of rewriting rules.
    pub precompiled_charsmap: Option<&'a [u8]>,
    /// BERT's clean-up.
    pub lowercase: Option<bool>,
    /// Whether letters lose their accents.
    pub strip_accents: Option<bool>,
}

/// GGUF's token types.
pub(super) const NORMAL: i32 = 1;
pub(super) const UNKNOWN: i32 = 2;
pub(super) const CONTROL: i32 = 3;
pub(super) const USER_DEFINED: i32 = 4;
pub(super) const UNUSED: i32 = 5;
pub(super) const BYTE: i32 = 6;
/// Not GGUF's: a piece that is written, but never found in a text.
pub(super) const HIDDEN: i32 = -1;

/// The mark that stands for a space in SentencePiece's vocabularies, and before a word in WordPiece's.
pub(super) const MARK: &str = "▁";

/// The properties of one kind of vocabulary.
pub(super) struct Made<'a> {
    pub(super) pipeline: Pipeline,
    pub(super) pre: &'a str,
    /// The bytes that a token contributes to a text, by id.
    pub(super) bytes: &'a dyn Fn(usize) -> Vec<u8>,
    pub(super) strip_first_space: bool,
}

/// Whether a token that the file may call text can be nothing but a control token: ends, places of pictures and sound, and what
/// llama.cpp's converter takes for one if it was added by hand.
fn is_control(token: &str, kind: i32) -> bool {
    let inside = |[open, close]: [&str; 2]| {
        token.len() > open.len() + close.len() && token.starts_with(open) && token.ends_with(close)
    };
    let piped = [["<|", "|>"], ["<｜", "｜>"]].into_iter().any(inside);
    let added = kind == USER_DEFINED && (piped || ["<pad>", "<mask>", "<2mass>", "[@BOS@]"].contains(&token));
    let named = [["<start_of_", ">"], ["<end_of_", ">"], ["<unused", ">"], ["<", "_soft_token>"]];
    let ends = ["<|", "<｜"].iter().any(|open| token.starts_with(open)) && END_TOKENS.contains(&token);
    named.into_iter().any(inside) || added || ends
}

/// A file's vocabulary, its sizes checked.
pub(super) struct Vocabulary<'a> {
    pub(super) file: &'a GgufVocab<'a>,
    pub(super) tokens: &'a [String],
    pub(super) types: Vec<i32>,
    /// Token text to id; of two tokens with the same text the later one counts.
    pub(super) ids: HashMap<&'a str, u32>,
}

impl<'a> Vocabulary<'a> {
    pub(super) fn new(file: &'a GgufVocab<'a>) -> Result<Self> {
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
            if is_control(token, *kind) {
                *kind = CONTROL;
            }
        }
        let ids = (0u32..).zip(tokens).map(|(id, token)| (token.as_str(), id)).collect();
        Ok(Vocabulary { file, tokens, types, ids })
    }

    fn kind(&self, id: usize) -> TokenKind {
        if matches!(self.types[id], CONTROL | UNKNOWN) { TokenKind::Special } else { TokenKind::Plain }
    }

    /// Whether the token is matched as a whole before the text is split.
    pub(super) fn is_added(&self, id: usize) -> bool {
        matches!(self.types[id], CONTROL | UNKNOWN | USER_DEFINED)
    }

    pub(super) fn control(&self) -> HashSet<u32> {
        (0u32..).zip(&self.types).filter(|(_, kind)| **kind == CONTROL).map(|(id, _)| id).collect()
    }

    /// An id that the file names, or the default of its kind of vocabulary; as in llama.cpp, an id past the end says nothing.
    pub(super) fn special(&self, id: Option<u32>, default: Option<u32>) -> Option<u32> {
        let is_there = |id: u32| (id as usize) < self.tokens.len();
        match id {
            Some(u32::MAX) => None,
            Some(id) if is_there(id) => Some(id),
            _ => default.filter(|id| is_there(*id) && self.is_added(*id as usize)),
        }
    }

    pub(super) fn text(&self, id: u32) -> String {
        self.tokens[id as usize].clone()
    }

    /// The tokens that are cut out of a text first.
    pub(super) fn added(&self) -> Vec<(u32, AddedToken)> {
        // The files don't say which tokens take white space along; these are known to.
        let name = self.file.name.unwrap_or_default().to_lowercase();
        let phi3 = name.contains("phi-3") || name.contains("phi3");
        let jina = self.file.pre.is_some_and(|pre| pre.starts_with("jina-v2"));
        let ids = (0..self.tokens.len()).filter(|id| self.is_added(*id));
        let token = |id: usize| {
            let text = self.tokens[id].as_str();
            let token = AddedToken::from(text, self.kind(id) == TokenKind::Special).normalized(false);
            let takes_after = phi3 && !matches!(text, "<unk>" | "<s>" | "<|endoftext|>");
            (id as u32, token.rstrip(takes_after).lstrip(jina && text == "<mask>")) // below MAX_TOKENS
        };
        ids.map(token).collect()
    }

    /// The bytes a token of SentencePiece contributes to a text.
    pub(super) fn sentencepiece_bytes(&self, id: usize) -> Vec<u8> {
        let token = &self.tokens[id];
        match fallback_byte(token).filter(|_| self.types[id] == BYTE) {
            Some(byte) => vec![byte],
            None if self.is_added(id) => token.as_bytes().to_vec(),
            None => token.replace(MARK, " ").into_bytes(),
        }
    }

    pub(super) fn scores(&self) -> Result<&'a [f32]> {
        let scores = self.file.scores.ok_or_else(|| malformed("tokenizer.ggml.scores is missing"))?;
        match scores.iter().position(|score| score.is_nan()) {
            Some(id) => Err(malformed(format!("the score of token {id} is not a number"))),
            None => Ok(scores),
        }
    }

    /// The tokens that byte-pair encoding may produce: all but those of `control`.
    pub(super) fn without(&self, control: &HashSet<u32>, unknown: Option<u32>) -> Vocab {
        let kept = |id: &u32| !control.contains(id) || Some(*id) == unknown;
        let tokens = (0u32..).zip(self.tokens).filter(|(id, _)| kept(id));
        tokens.map(|(id, token)| (token.clone(), id)).collect()
    }

    pub(super) fn has_byte_tokens(&self) -> bool {
        self.tokens.iter().any(|token| fallback_byte(token).is_some())
    }

    /// The parts that all kinds of vocabulary share. `ends`: BOS and EOS, and whether a text gets them.
    pub(super) fn parts(&self, kind: &'static str, ends: [(Option<u32>, bool); 2], made: Made) -> Result<Parts> {
        let [(bos, add_bos), (eos, add_eos)] = ends;
        let named = [eos, self.special(self.file.eot, None), self.special(self.file.eom, None)];
        let control =
            |name: &str| self.ids.get(name).copied().filter(|id| self.kind(*id as usize) == TokenKind::Special);
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
