//! WordPiece (Schuster & Nakajima 2012, as in BERT): a word is covered by the longest tokens from left to right; those
//! after the first carry a prefix (`##`). A word that cannot be covered is the unknown token as a whole.

use super::Vocabulary;
use crate::Result;

pub(super) struct WordPiece {
    pub(super) unknown: u32,
    /// What marks a token that continues a word.
    pub(super) prefix: String,
    /// Words with more characters are unknown without a look, as in BERT.
    pub(super) max_chars: usize,
}

impl WordPiece {
    /// Appends the ids of one word.
    pub(super) fn encode(&self, word: &str, vocabulary: &Vocabulary, out: &mut Vec<u32>) -> Result<()> {
        if word.chars().count() > self.max_chars {
            out.push(self.unknown);
            return Ok(());
        }
        let before = out.len();
        let mut rest = word;
        let mut key = String::new();
        while !rest.is_empty() {
            let prefix = if rest.len() == word.len() { "" } else { self.prefix.as_str() };
            key.clear();
            key.push_str(prefix);
            key.push_str(rest);
            // Shorten from the right until it is a token.
            let id = loop {
                if key.len() == prefix.len() {
                    break None;
                }
                if let Some(id) = vocabulary.id(&key) {
                    break Some(id);
                }
                key.pop();
            };
            let Some(id) = id else {
                out.truncate(before);
                out.push(self.unknown);
                return Ok(());
            };
            out.push(id);
            rest = &rest[key.len() - prefix.len()..];
        }
        Ok(())
    }
}
