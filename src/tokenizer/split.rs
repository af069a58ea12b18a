//! Pre-tokenization: text to words, by regular expressions. No merge crosses a word's border.
//!
//! The published patterns end in `\s+(?!\S)|\s+`: a run of spaces leaves its last one to the word after it. Look-ahead
//! needs a backtracking matcher, which gives up on long runs; so that tail is matched as `\s+` by the linear-time
//! matcher and its last space handed back here. Only patterns that look around elsewhere are left to backtracking.

use regex::Regex;

use crate::{Error, Result};

/// GPT-2's pattern (Radford et al. 2019).
pub(super) const GPT2: &str = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// Llama 3's pattern: contractions in any case, at most three digits, line breaks by themselves.
pub(super) const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Qwen 2's pattern: Llama 3's with single digits.
pub(super) const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// BERT's punctuation: ASCII's and Unicode's.
pub(super) const PUNCTUATION: &str = r"[[:punct:]\p{P}]";

const TAIL: &str = r"|\s+(?!\S)|\s+";
/// Steps the backtracking matcher may take for one match.
pub(super) const BACKTRACK_LIMIT: usize = 100_000;

/// What becomes of the matches; names and meanings are those of `tokenizer.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behavior {
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

pub(super) struct Split {
    pattern: Pattern,
    behavior: Behavior,
    /// The matches are the words and what lies between is the delimiter.
    invert: bool,
}

enum Pattern {
    /// `body`: the pattern without [`TAIL`], anchored, for a pattern that ended in it.
    Linear {
        regex: Regex,
        body: Option<Regex>,
    },
    Backtracking(Box<fancy_regex::Regex>),
}

impl Split {
    pub(super) fn new(pattern: &str, behavior: Behavior, invert: bool) -> Result<Self> {
        Ok(Split { pattern: Pattern::new(pattern)?, behavior, invert })
    }

    /// A pattern whose matches are words of their own, like everything between them.
    pub(super) fn isolated(pattern: &str) -> Result<Self> {
        Split::new(pattern, Behavior::Isolated, false)
    }

    /// Calls `each` with the words of `text` in order.
    pub(super) fn split<'t>(&self, text: &'t str, each: &mut dyn FnMut(&'t str) -> Result<()>) -> Result<()> {
        let mut join = Joiner { text, behavior: self.behavior, start: 0, end: 0, last_delimiter: None, each };
        let mut done = 0;
        self.pattern.for_each_match(text, &mut |start, end| {
            join.push(done, start, self.invert)?;
            join.push(start, end, !self.invert)?;
            done = end;
            Ok(())
        })?;
        join.push(done, text.len(), self.invert)?;
        join.finish()
    }
}

/// Puts neighbouring ranges together as the behaviour asks. Ranges come in order and without gaps.
struct Joiner<'a, 't> {
    text: &'t str,
    behavior: Behavior,
    /// The word being put together.
    start: usize,
    end: usize,
    /// Whether the last range was a delimiter; `None` before the first.
    last_delimiter: Option<bool>,
    each: &'a mut dyn FnMut(&'t str) -> Result<()>,
}

impl Joiner<'_, '_> {
    fn push(&mut self, start: usize, end: usize, delimiter: bool) -> Result<()> {
        if start == end {
            return Ok(());
        }
        let last = self.last_delimiter.replace(delimiter);
        let joins = match self.behavior {
            Behavior::Removed | Behavior::Isolated => false,
            Behavior::MergedWithPrevious => delimiter && last == Some(false),
            Behavior::MergedWithNext => !delimiter && last == Some(true),
            Behavior::Contiguous => last == Some(delimiter),
        };
        if !joins {
            self.finish()?;
            self.start = start;
        }
        let dropped = delimiter && self.behavior == Behavior::Removed;
        self.end = if dropped { self.start } else { end };
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        if self.start < self.end {
            (self.each)(&self.text[self.start..self.end])?;
        }
        self.start = self.end;
        Ok(())
    }
}

impl Pattern {
    fn new(pattern: &str) -> Result<Self> {
        let backtracking = || {
            let regex = fancy_regex::RegexBuilder::new(pattern).backtrack_limit(BACKTRACK_LIMIT).build();
            let regex = regex.map_err(|error| {
                Error::format("tokenizer", format!("the pre-tokenizer's pattern is invalid: {error}"))
            })?;
            Ok(Pattern::Backtracking(Box::new(regex)))
        };
        // A possessive quantifier means something else to the linear matcher.
        if is_possessive(pattern) {
            return backtracking();
        }
        if let Some(body) = pattern.strip_suffix(TAIL) {
            // The body is matched a second time on a slice, which an assertion about what comes before would notice.
            let asserts = ["\\b", "\\B", "\\A", "$"].iter().any(|assertion| body.contains(assertion));
            let anchor = body.starts_with('^') || body.contains("(^") || body.contains("|^");
            let regexes = (Regex::new(&format!(r"(?:{body})|\s+")), Regex::new(&format!(r"\A(?:{body})")));
            if let (false, false, (Ok(regex), Ok(body))) = (asserts, anchor, regexes) {
                return Ok(Pattern::Linear { regex, body: Some(body) });
            }
            return backtracking();
        }
        match Regex::new(pattern) {
            Ok(regex) => Ok(Pattern::Linear { regex, body: None }),
            Err(_) => backtracking(),
        }
    }

    /// Calls `each` with the byte range of each match that is not empty, from left to right.
    fn for_each_match(&self, text: &str, each: &mut dyn FnMut(usize, usize) -> Result<()>) -> Result<()> {
        match self {
            Pattern::Linear { regex, body: None } => {
                for m in regex.find_iter(text).filter(|m| !m.is_empty()) {
                    each(m.start(), m.end())?;
                }
            }
            Pattern::Linear { regex, body: Some(body) } => {
                let mut at = 0;
                while let Some(m) = regex.find_at(text, at) {
                    let mut end = m.end();
                    if let Some(shorter) = without_last_space(text, m.as_str(), end) {
                        let by_tail = !body.is_match(&text[m.start()..]);
                        end = if by_tail { m.start() + shorter } else { end };
                    }
                    if end > m.start() {
                        each(m.start(), end)?;
                        at = end;
                    } else {
                        let Some(c) = text[end..].chars().next() else { break };
                        at = end + c.len_utf8();
                    }
                }
            }
            Pattern::Backtracking(regex) => {
                for m in regex.find_iter(text) {
                    let m = m.map_err(|error| {
                        Error::invalid("text", format!("the tokenizer's pattern gave up on this text: {error}"))
                    })?;
                    if m.start() < m.end() {
                        each(m.start(), m.end())?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether a quantifier is followed by `+`, as in `a?+` or `a{1,3}+` (but not in `\p{L}+`).
fn is_possessive(pattern: &str) -> bool {
    let counted = pattern.match_indices("}+").any(|(at, _)| {
        let body = pattern[..at].rfind('{').map_or("", |open| &pattern[open + 1..at]);
        !body.is_empty() && body.bytes().all(|b| b.is_ascii_digit() || b == b',')
    });
    counted || ["?+", "*+", "++"].iter().any(|quantifier| pattern.contains(quantifier))
}

/// The length of a run of at least two spaces without its last one, if something other than a space follows at `end`.
fn without_last_space(text: &str, run: &str, end: usize) -> Option<usize> {
    let followed = text[end..].chars().next().is_some_and(|c| !c.is_whitespace());
    let last = run.chars().next_back().filter(|c| c.is_whitespace())?;
    let shorter = run.len() - last.len_utf8();
    (followed && shorter > 0 && run.chars().all(char::is_whitespace)).then_some(shorter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(split: &Split, text: &str) -> Vec<String> {
        let mut words = Vec::new();
        let mut push = |word: &str| {
            words.push(word.to_owned());
            Ok(())
        };
        split.split(text, &mut push).expect("the pattern matches");
        words
    }

    /// The rewritten tail against the pattern as it was published, run by the backtracking matcher.
    #[test]
    fn rewritten_tail_is_the_published_pattern() {
        let texts = [
            "",
            " ",
            "  ",
            "a",
            " a",
            "  a",
            "   a  ",
            "\n\na",
            " \n a",
            "\r\n\r\n  b \t\n",
            "it's  I'LL 1234567  x",
            "\u{3000}\u{a0} x",
            "\t\tdef f():\n\t\treturn  1\n\n\n",
            "…  ¿qué?  été\u{301}  😀  ",
            "\u{85}\u{85}a",
        ];
        for pattern in [GPT2, LLAMA3, QWEN2] {
            let linear = Split::isolated(pattern).expect("compiles");
            assert!(matches!(linear.pattern, Pattern::Linear { body: Some(_), .. }));
            let regex = fancy_regex::Regex::new(pattern).expect("compiles");
            let published =
                Split { pattern: Pattern::Backtracking(Box::new(regex)), behavior: Behavior::Isolated, invert: false };
            for text in texts {
                assert_eq!(words(&linear, text), words(&published, text), "{pattern} on {text:?}");
            }
        }
    }

    #[test]
    fn possessive_quantifiers_backtrack() {
        for (pattern, want) in [("a?+b", true), (r"\p{N}{1,3}+", true), ("a{2}+", true), (GPT2, false), (LLAMA3, false)]
        {
            assert_eq!(is_possessive(pattern), want, "{pattern}");
        }
    }

    #[test]
    fn behaviors() {
        let text = "-the-final--countdown";
        let grid: [(Behavior, &[&str]); 5] = [
            (Behavior::Removed, &["the", "final", "countdown"]),
            (Behavior::Isolated, &["-", "the", "-", "final", "-", "-", "countdown"]),
            (Behavior::MergedWithPrevious, &["-", "the-", "final-", "-", "countdown"]),
            (Behavior::MergedWithNext, &["-the", "-final", "-", "-countdown"]),
            (Behavior::Contiguous, &["-", "the", "-", "final", "--", "countdown"]),
        ];
        for (behavior, want) in grid {
            let split = Split::new("-", behavior, false).expect("compiles");
            assert_eq!(words(&split, text), want, "{behavior:?}");
        }
        let inverted = Split::new(r"\w+", Behavior::Removed, true).expect("compiles");
        assert_eq!(words(&inverted, "a, b"), ["a", "b"]);
    }

    #[test]
    fn long_runs_of_spaces_are_linear() {
        let text = " ".repeat(2_000_000) + "x";
        let split = Split::isolated(GPT2).expect("compiles");
        assert_eq!(words(&split, &text).len(), 2);
    }
}
