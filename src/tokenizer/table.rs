//! Token id to bytes, and a stream of ids to text. Decoding is concatenation: what a token contributes does not depend
//! on its neighbours (byte-level alphabet, byte fallback and word joins are resolved when the table is built), except
//! for one space that some tokenizers put before a text and take away again when they decode it.

use std::sync::Arc;

use crate::{Error, Result};

/// More tokens than any published vocabulary has (the largest hold 2.6e5).
pub(super) const MAX_TOKENS: usize = 1 << 21;
/// Bytes of all tokens together.
pub(super) const MAX_BYTES: usize = 1 << 28;

/// The role of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// No token has this id.
    Hole,
    /// Text.
    Plain,
    /// A control token: left out of decoded text.
    Special,
}

/// The bytes of each token, back to back.
pub(super) struct TokenTable {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    kinds: Vec<TokenKind>,
    /// Whether `encode` puts a space before a text, which `decode` has to take away.
    strip_first_space: bool,
}

impl TokenTable {
    /// `tokens[id]` is the token's kind and bytes.
    pub(super) fn new(tokens: Vec<(TokenKind, Vec<u8>)>, strip_first_space: bool) -> Result<Self> {
        if tokens.len() > MAX_TOKENS {
            let reason = format!("{} tokens, at most {MAX_TOKENS} are supported", tokens.len());
            return Err(Error::format("tokenizer", reason));
        }
        let total: usize = tokens.iter().map(|(_, bytes)| bytes.len()).sum();
        if total > MAX_BYTES {
            let reason = format!("the tokens hold {total} bytes, at most {MAX_BYTES} are supported");
            return Err(Error::format("tokenizer", reason));
        }
        let mut table = TokenTable {
            bytes: Vec::with_capacity(total),
            ends: Vec::with_capacity(tokens.len()),
            kinds: Vec::with_capacity(tokens.len()),
            strip_first_space,
        };
        for (kind, bytes) in tokens {
            table.bytes.extend_from_slice(&bytes);
            table.ends.push(table.bytes.len() as u32); // total ≤ MAX_BYTES < 2^32
            table.kinds.push(kind);
        }
        Ok(table)
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The kind and bytes of a token; `None` if no token has this id.
    pub(super) fn get(&self, id: u32) -> Option<(TokenKind, &[u8])> {
        let i = id as usize;
        let kind = *self.kinds.get(i).filter(|kind| **kind != TokenKind::Hole)?;
        let start = if i == 0 { 0 } else { self.ends[i - 1] as usize };
        Some((kind, &self.bytes[start..self.ends[i] as usize]))
    }
}

/// Turns ids into text as they come, never giving out half a character.
///
/// Decodes a stream of tokens. They continue a prompt, so a leading space is kept; see
/// [`StreamDecoder::at_text_start`]. Bytes that are no UTF-8 become U+FFFD exactly as [`String::from_utf8_lossy`] would
/// have it, wherever the tokens are cut.
pub struct StreamDecoder {
    table: Arc<TokenTable>,
    /// The beginning of a character: at most three bytes between two calls.
    pending: Vec<u8>,
    piece: String,
    skip_special: bool,
    /// Control tokens that appear all the same.
    shown: Vec<u32>,
    at_text_start: bool,
}

impl StreamDecoder {
    pub(super) fn new(table: Arc<TokenTable>) -> Self {
        StreamDecoder {
            table,
            pending: Vec::new(),
            piece: String::new(),
            skip_special: true,
            shown: Vec::new(),
            at_text_start: false,
        }
    }

    /// Control tokens appear in the text instead of being skipped.
    pub fn with_special(mut self) -> Self {
        self.skip_special = false;
        self
    }

    /// Control tokens of these texts appear although others are skipped.
    pub fn showing(mut self, texts: impl Iterator<Item = &'static str>) -> Self {
        let texts: Vec<&str> = texts.collect();
        let is_shown = |id: &u32| match self.table.get(*id) {
            Some((TokenKind::Special, bytes)) => texts.iter().any(|text| text.as_bytes() == bytes),
            _ => false,
        };
        self.shown = (0..self.table.len() as u32).filter(is_shown).collect();
        self
    }

    /// The ids are a whole text rather than the continuation of a prompt: the space that `encode` put before it goes.
    pub fn at_text_start(mut self) -> Self {
        self.at_text_start = true;
        self
    }

    /// Takes the next id and gives the text that is complete now, which may be empty.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for an id that no token has, which leaves the stream as it was.
    pub fn push(&mut self, id: u32) -> Result<&str> {
        let Some((kind, bytes)) = self.table.get(id) else {
            let reason = format!("{id} is not a token of this vocabulary of {}", self.table.len());
            return Err(Error::invalid("ids", reason));
        };
        self.piece.clear();
        if kind == TokenKind::Special && self.skip_special && !self.shown.contains(&id) {
            return Ok(&self.piece);
        }
        let strip = self.at_text_start && self.table.strip_first_space && bytes.first() == Some(&b' ');
        self.pending.extend_from_slice(&bytes[usize::from(strip)..]);
        self.at_text_start &= bytes.is_empty();
        self.take_complete();
        Ok(&self.piece)
    }

    /// Ends the stream: a character that was never finished becomes U+FFFD.
    pub fn flush(&mut self) -> &str {
        self.piece.clear();
        if !self.pending.is_empty() {
            self.pending.clear();
            self.piece.push(char::REPLACEMENT_CHARACTER);
        }
        &self.piece
    }

    /// Moves all whole characters from `pending` to `piece`.
    fn take_complete(&mut self) {
        let mut rest = self.pending.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    self.piece.push_str(text);
                    rest = &[];
                    break;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    self.piece.push_str(&String::from_utf8_lossy(valid));
                    rest = after;
                    let Some(invalid) = error.error_len() else { break };
                    self.piece.push(char::REPLACEMENT_CHARACTER);
                    rest = &rest[invalid..];
                }
            }
        }
        let done = self.pending.len() - rest.len();
        self.pending.drain(..done);
    }
}
