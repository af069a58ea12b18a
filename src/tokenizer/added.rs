//! Added and special tokens: text in which they appear is cut there before anything else happens.

use aho_corasick::{AhoCorasick, MatchKind};

use crate::{Error, Result};

const MAX_ADDED: usize = 1 << 18;
const MAX_ADDED_BYTES: usize = 1 << 23;

/// A token that is found in text as a whole.
#[derive(Debug, Clone)]
pub(super) struct AddedToken {
    pub(super) id: u32,
    pub(super) content: String,
    /// Found only where no word character touches it.
    pub(super) single_word: bool,
    /// Takes the spaces before it along.
    pub(super) lstrip: bool,
    /// Takes the spaces after it along.
    pub(super) rstrip: bool,
}

/// A stretch of text between added tokens, or one of them.
#[derive(Debug, PartialEq)]
pub(super) enum Part<'t> {
    Text(&'t str),
    Token(u32),
}

/// Finds tokens in text, the longest first among those that begin at the same place.
#[derive(Default)]
pub(super) struct Finder {
    matcher: Option<AhoCorasick>,
    tokens: Vec<AddedToken>,
}

impl Finder {
    pub(super) fn new(tokens: Vec<AddedToken>) -> Result<Self> {
        let bytes: usize = tokens.iter().map(|token| token.content.len()).sum();
        if tokens.len() > MAX_ADDED || bytes > MAX_ADDED_BYTES {
            let reason = format!("{} added tokens of {bytes} bytes are more than is supported", tokens.len());
            return Err(Error::format("tokenizer", reason));
        }
        let tokens: Vec<_> = tokens.into_iter().filter(|token| !token.content.is_empty()).collect();
        let matcher = (!tokens.is_empty())
            .then(|| {
                AhoCorasick::builder()
                    .match_kind(MatchKind::LeftmostLongest)
                    .build(tokens.iter().map(|token| &token.content))
            })
            .transpose()
            .map_err(|error| Error::format("tokenizer", format!("added tokens: {error}")))?;
        Ok(Finder { matcher, tokens })
    }

    /// Calls `each` with the parts of `text` in order.
    pub(super) fn cut<'t>(&self, text: &'t str, each: &mut dyn FnMut(Part<'t>) -> Result<()>) -> Result<()> {
        let mut done = 0;
        for found in self.matcher.iter().flat_map(|matcher| matcher.find_iter(text)) {
            let token = &self.tokens[found.pattern().as_usize()];
            let (mut start, mut end) = (found.start(), found.end());
            if start < done || (token.single_word && !stands_alone(text, start, end)) {
                continue; // taken along by the token before it, or part of a word
            }
            if token.lstrip {
                start = text[..start].trim_end().len().max(done);
            }
            if token.rstrip {
                end = text.len() - text[end..].trim_start().len();
            }
            if done < start {
                each(Part::Text(&text[done..start]))?;
            }
            each(Part::Token(token.id))?;
            done = end;
        }
        if done < text.len() {
            each(Part::Text(&text[done..]))?;
        }
        Ok(())
    }
}

fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    !text[..start].chars().next_back().is_some_and(is_word) && !text[end..].chars().next().is_some_and(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_first_and_strips() {
        let token = |id, content: &str| AddedToken {
            id,
            content: content.into(),
            single_word: false,
            lstrip: false,
            rstrip: false,
        };
        let tokens = vec![
            token(1, "<a>"),
            token(2, "<a><b>"),
            AddedToken { lstrip: true, rstrip: true, ..token(3, "<m>") },
            AddedToken { single_word: true, ..token(4, "of") },
        ];
        let finder = Finder::new(tokens).expect("builds");
        let cut = |text: &'static str| {
            let mut parts = Vec::new();
            let mut push = |part: Part<'static>| {
                parts.push(part);
                Ok(())
            };
            finder.cut(text, &mut push).expect("cuts");
            parts
        };
        use Part::{Text, Token};
        assert_eq!(cut("x<a><b><a>y"), [Text("x"), Token(2), Token(1), Text("y")]);
        assert_eq!(cut("x  <m>  <m> y"), [Text("x"), Token(3), Token(3), Text("y")]);
        assert_eq!(cut("off of"), [Text("off "), Token(4)]);
        assert_eq!(cut(""), []);
    }
}
