//! Marian's vocabulary: SentencePiece's model of the language that is read (`source.spm`, a `ModelProto` of its
//! `sentencepiece_model.proto`), and the ids of both languages' pieces (`vocab.json`).

use std::collections::HashMap;

use serde_json::Value;

use super::kinds;
use super::malformed::malformed;
use super::parts::Parts;
use super::table::MAX_TOKENS;
use super::vocabulary::{CONTROL, GgufVocab, HIDDEN, NORMAL, UNKNOWN, USER_DEFINED, Vocabulary};
use crate::Result;

/// Scores lie above it: what SentencePiece gives to control pieces is 0, and log-probabilities are small numbers.
const LEAST_SCORE: f32 = -1e4;

/// The parts of a tokenizer that reads the source's language and writes the target's.
pub(super) fn parts(source: &[u8], ids: &Value) -> Result<Parts> {
    let source = Pieces::read(source)?;
    let ids = ids.as_object().ok_or_else(|| malformed("vocab.json is no object"))?;
    let size = ids.len();
    if size == 0 || size > MAX_TOKENS {
        return Err(malformed(format!("vocab.json has {size} tokens; 1 to {MAX_TOKENS} are supported")));
    }
    let least = source.scores.values().map(|(score, _)| *score).fold(0.0, f32::min);
    let (mut tokens, mut scores, mut types) = (vec![String::new(); size], vec![least; size], vec![HIDDEN; size]);
    for (token, id) in ids {
        let id = id.as_u64().and_then(|id| usize::try_from(id).ok()).filter(|id| *id < size && tokens[*id].is_empty());
        let id =
            id.ok_or_else(|| malformed(format!("vocab.json: the id of {token:?} is not one of {size} in a row")))?;
        tokens[id].clone_from(token);
        types[id] = match (token.as_str(), source.scores.get(token.as_str())) {
            ("<unk>", _) => UNKNOWN,
            ("</s>" | "<pad>" | "<s>", _) => CONTROL,
            _ if token.starts_with(">>") && token.ends_with("<<") => USER_DEFINED, // the language to write
            (_, Some((score, kind))) => {
                scores[id] = *score;
                *kind
            }
            (_, None) => HIDDEN,
        };
    }
    let of = |token: &str| ids.get(token).and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok());
    let vocab = GgufVocab {
        model: "t5",
        tokens: &tokens,
        scores: Some(&scores),
        token_types: Some(&types),
        eos: of("</s>"),
        unk: of("<unk>"),
        add_eos: Some(true),
        add_space_prefix: Some(source.adds_space),
        remove_extra_whitespaces: Some(source.removes_spaces),
        precompiled_charsmap: Some(source.rules),
        ..GgufVocab::default()
    };
    kinds::unigram(&Vocabulary::new(&vocab)?)
}

/// A SentencePiece model, as far as reading a text goes.
struct Pieces<'a> {
    /// By text: log-probability and type.
    scores: HashMap<&'a str, (f32, i32)>,
    rules: &'a [u8],
    adds_space: bool,
    removes_spaces: bool,
}

impl<'a> Pieces<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self> {
        let bad = || malformed("source.spm is no SentencePiece model, or it is damaged");
        let mut pieces = Pieces { scores: HashMap::new(), rules: &[], adds_space: true, removes_spaces: true };
        for field in Fields(bytes) {
            match field.ok_or_else(bad)? {
                (1, Field::Bytes(piece)) => {
                    let (mut text, mut score, mut kind) = ("", 0.0, NORMAL);
                    for field in Fields(piece) {
                        match field.ok_or_else(bad)? {
                            (1, Field::Bytes(bytes)) => text = std::str::from_utf8(bytes).map_err(|_| bad())?,
                            (2, Field::Word(bits)) => score = f32::from_bits(bits),
                            (3, Field::Number(number)) => kind = i32::try_from(number).map_err(|_| bad())?,
                            _ => {}
                        }
                    }
                    if !(LEAST_SCORE..=-LEAST_SCORE).contains(&score) || pieces.scores.len() == MAX_TOKENS {
                        return Err(bad());
                    }
                    pieces.scores.insert(text, (score, kind));
                }
                (2, Field::Bytes(trainer)) => {
                    let kinds = Fields(trainer).flatten().filter(|field| matches!(field, (3, Field::Number(2..))));
                    if kinds.count() > 0 {
                        return Err(crate::Error::unsupported("a source.spm that is no Unigram model"));
                    }
                }
                (3, Field::Bytes(normalizer)) => {
                    for field in Fields(normalizer) {
                        match field.ok_or_else(bad)? {
                            (2, Field::Bytes(rules)) => pieces.rules = rules,
                            (3, Field::Number(adds)) => pieces.adds_space = adds != 0,
                            (4, Field::Number(removes)) => pieces.removes_spaces = removes != 0,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        if pieces.scores.is_empty() { Err(bad()) } else { Ok(pieces) }
    }
}

/// A field's content by its wire type.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Word(u32),
    Other,
}

/// The fields of a protobuf message with their numbers; `None` where it is damaged, after which nothing comes.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (first, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn take(&mut self, n: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(n).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn field(&mut self) -> Option<(u64, Field<'a>)> {
        let key = self.number()?;
        let field = match key & 7 {
            0 => Field::Number(self.number()?),
            1 => self.take(8).map(|_| Field::Other)?,
            2 => {
                let n = self.number()?;
                Field::Bytes(self.take(n)?)
            }
            5 => Field::Word(u32::from_le_bytes(self.take(4)?.try_into().ok()?)),
            _ => return None,
        };
        Some((key >> 3, field))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u64, Field<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}
