//! Pre-tokenization by regular expressions, as a pre-tokenizer of the `tokenizers` crate: text to words. No merge
//! crosses a word's border.
//!
//! The crate has such a step itself, but its matcher backtracks, and where it gives up on a long run the rest of the
//! text is lost without a word. The published patterns end in `\s+(?!\S)|\s+`: a run of spaces leaves its last one to
//! the word after it. Here that tail is matched as `\s+` by the linear-time matcher and its last space handed back.
//! Only patterns that look around elsewhere are left to backtracking, and giving up is an error.

use std::collections::HashSet;

use regex::Regex;
use tokenizers::pattern::Pattern;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{Offsets, PreTokenizedString, PreTokenizer, PreTokenizerWrapper, SplitDelimiterBehavior};

use crate::{Error, Result};

const TAIL: &str = r"|\s+(?!\S)|\s+";
/// Steps the backtracking matcher may take for one match.
const BACKTRACK_LIMIT: usize = 100_000;

/// One step from text to words.
pub(super) enum SplitStep {
    Split(Split),
    /// GPT-2's `add_prefix_space`.
    SpaceBefore,
    /// Characters that stand side by side in some token. Text is cut between all others, where no merge can happen:
    /// that changes no id and keeps text that nothing else cuts from being one huge word.
    Seams(HashSet<(char, char)>),
    Crate(PreTokenizerWrapper),
}

impl SplitStep {
    /// The pattern's matches are words of their own, like everything between them.
    pub(super) fn isolated(pattern: &str) -> Result<Self> {
        Split::new(pattern, SplitDelimiterBehavior::Isolated, false).map(SplitStep::Split)
    }

    /// Characters to GPT-2's byte alphabet.
    pub(super) fn bytes() -> Self {
        SplitStep::Crate(ByteLevel::new(false, false, false).into())
    }

    pub(super) fn is_bytes(&self) -> bool {
        matches!(self, SplitStep::Crate(PreTokenizerWrapper::ByteLevel(_)))
    }

    pub(super) fn seams<'t>(tokens: impl Iterator<Item = &'t str>) -> Self {
        SplitStep::Seams(tokens.flat_map(|token| token.chars().zip(token.chars().skip(1))).collect())
    }
}

impl PreTokenizer for SplitStep {
    fn pre_tokenize(&self, text: &mut PreTokenizedString) -> tokenizers::Result<()> {
        match self {
            SplitStep::Split(split) => text.split(|_, part| part.split(split, split.behavior)),
            SplitStep::Seams(pairs) => text.split(|_, part| part.split(Seams(pairs), SplitDelimiterBehavior::Isolated)),
            SplitStep::SpaceBefore => text.split(|_, mut part| {
                if !part.get().starts_with(' ') {
                    part.prepend(" ");
                }
                Ok([part])
            }),
            SplitStep::Crate(step) => step.pre_tokenize(text),
        }
    }
}

struct Seams<'a>(&'a HashSet<(char, char)>);

impl Pattern for Seams<'_> {
    fn find_matches(&self, text: &str) -> tokenizers::Result<Vec<(Offsets, bool)>> {
        let chars = text.char_indices().zip(text.chars().skip(1));
        let cuts = chars.filter(|((_, left), right)| !self.0.contains(&(*left, *right)));
        let mut start = 0;
        let ends = cuts.map(|((at, left), _)| at + left.len_utf8()).chain([text.len()]);
        Ok(ends.map(|end| ((std::mem::replace(&mut start, end), end), true)).collect())
    }
}

/// A pattern and what becomes of its matches.
pub(super) struct Split {
    matcher: Matcher,
    behavior: SplitDelimiterBehavior,
    /// The matches are the words and what lies between is the delimiter.
    invert: bool,
}

enum Matcher {
    /// `body`: the pattern without [`TAIL`], anchored, for a pattern that ended in it.
    Linear {
        regex: Regex,
        body: Option<Regex>,
    },
    Backtracking(Box<fancy_regex::Regex>),
}

impl Split {
    pub(super) fn new(pattern: &str, behavior: SplitDelimiterBehavior, invert: bool) -> Result<Self> {
        Ok(Split { matcher: Matcher::new(pattern)?, behavior, invert })
    }
}

impl Pattern for &Split {
    fn find_matches(&self, text: &str) -> tokenizers::Result<Vec<(Offsets, bool)>> {
        let mut ranges = Vec::new();
        let mut done = 0;
        let mut push = |range: Offsets, is_match: bool| {
            if range.0 < range.1 {
                ranges.push((range, is_match != self.invert));
            }
        };
        self.matcher.for_each_match(text, &mut |start, end| {
            push((done, start), false);
            push((start, end), true);
            done = end;
        })?;
        push((done, text.len()), false);
        Ok(ranges)
    }
}

impl Matcher {
    fn new(pattern: &str) -> Result<Self> {
        let backtracking = || {
            let regex = fancy_regex::RegexBuilder::new(pattern).backtrack_limit(BACKTRACK_LIMIT).build();
            let regex = regex.map_err(|error| {
                Error::format("tokenizer", format!("the pre-tokenizer's pattern is invalid: {error}"))
            })?;
            Ok(Matcher::Backtracking(Box::new(regex)))
        };
        // A possessive quantifier means something else to the linear matcher.
        if is_possessive(pattern) {
            return backtracking();
        }
        if let Some(body) = pattern.strip_suffix(TAIL) {
            // The body is matched a second time on a slice, which an assertion about what comes before would notice.
            let asserts = ["\\b", "\\B", "\\A", "^", "$"].iter().any(|assertion| skeleton(body).contains(assertion));
            let regexes = (Regex::new(&format!(r"(?:{body})|\s+")), Regex::new(&format!(r"\A(?:{body})")));
            if let (false, (Ok(regex), Ok(body))) = (asserts, regexes) {
                return Ok(Matcher::Linear { regex, body: Some(body) });
            }
            return backtracking();
        }
        match Regex::new(pattern) {
            Ok(regex) => Ok(Matcher::Linear { regex, body: None }),
            Err(_) => backtracking(),
        }
    }

    /// Calls `each` with the byte range of each match that is not empty, from left to right.
    fn for_each_match(&self, text: &str, each: &mut dyn FnMut(usize, usize)) -> tokenizers::Result<()> {
        match self {
            Matcher::Linear { regex, body: None } => {
                regex.find_iter(text).filter(|m| !m.is_empty()).for_each(|m| each(m.start(), m.end()));
            }
            Matcher::Linear { regex, body: Some(body) } => {
                let mut at = 0;
                while let Some(m) = regex.find_at(text, at) {
                    let mut end = m.end();
                    if let Some(shorter) = without_last_space(text, m.as_str(), end) {
                        let by_tail = !body.is_match(&text[m.start()..]);
                        end = if by_tail { m.start() + shorter } else { end };
                    }
                    if end > m.start() {
                        each(m.start(), end);
                        at = end;
                    } else {
                        let Some(c) = text[end..].chars().next() else { break };
                        at = end + c.len_utf8();
                    }
                }
            }
            Matcher::Backtracking(regex) => {
                for m in regex.find_iter(text) {
                    let m = m.map_err(|error| format!("the tokenizer's pattern gave up on this text: {error}"))?;
                    if m.start() < m.end() {
                        each(m.start(), m.end());
                    }
                }
            }
        }
        Ok(())
    }
}

/// A pattern with `x` for every class and every escaped character, except assertions.
fn skeleton(pattern: &str) -> String {
    let (mut skeleton, mut class) = (String::new(), 0);
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' { chars.next() } else { None };
        match (c, escaped) {
            (_, Some(assertion @ ('b' | 'B' | 'A'))) if class == 0 => skeleton.extend(['\\', assertion]),
            (_, Some(_)) if class == 0 => skeleton.push('x'),
            (_, Some(_)) => {}
            ('[', _) => {
                class += 1;
                skeleton.extend((class == 1).then_some('x'));
            }
            (']', _) if class > 0 => class -= 1,
            _ => skeleton.extend((class == 0).then_some(c)),
        }
    }
    skeleton
}

/// Whether a quantifier is followed by `+`, as in `a?+` or `a{1,3}+` (but not in `\p{L}+` or `[*+]`).
pub(super) fn is_possessive(pattern: &str) -> bool {
    let skeleton = skeleton(pattern);
    let counted = skeleton.match_indices("}+").any(|(at, _)| {
        let body = skeleton[..at].rfind('{').map_or("", |open| &skeleton[open + 1..at]);
        !body.is_empty() && body.bytes().all(|b| b.is_ascii_digit() || b == b',')
    });
    counted || ["?+", "*+", "++"].iter().any(|quantifier| skeleton.contains(quantifier))
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
    use super::super::pre::PRE_TOKENIZERS;
    use super::*;

    fn words<'t>(split: &Split, text: &'t str) -> Vec<&'t str> {
        let ranges = split.find_matches(text).expect("the pattern matches");
        ranges.into_iter().map(|((start, end), _)| &text[start..end]).collect()
    }

    /// Every pattern of the table, and its rewritten tail against the pattern as published, run by backtracking.
    #[test]
    fn patterns_are_linear_and_mean_what_they_say() {
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
            "ABCdef GhI  ñÑ'S 中文abc",
        ];
        for pattern in PRE_TOKENIZERS.iter().flat_map(|pre| pre.patterns) {
            let Ok(SplitStep::Split(linear)) = SplitStep::isolated(pattern) else {
                panic!("{pattern} does not compile")
            };
            assert!(matches!(linear.matcher, Matcher::Linear { .. }), "{pattern}");
            let regex = fancy_regex::Regex::new(pattern).expect("compiles");
            let published = Split { matcher: Matcher::Backtracking(Box::new(regex)), ..linear };
            let linear = Split::new(pattern, SplitDelimiterBehavior::Isolated, false).expect("compiles");
            for text in texts {
                assert_eq!(words(&linear, text), words(&published, text), "{pattern} on {text:?}");
            }
        }
    }

    #[test]
    fn possessive_quantifiers_backtrack() {
        let possessive = ["a?+b", r"\p{N}{1,3}+", "a{2}+", "[ab]++", r"\]*+"];
        let others = [r" ?\p{L}+|\s+", "[*+,?+]", r"a\?+", r"\*+", "(a?)+"];
        let grid = possessive.map(|pattern| (pattern, true)).into_iter().chain(others.map(|pattern| (pattern, false)));
        for (pattern, want) in grid {
            assert_eq!(is_possessive(pattern), want, "{pattern}");
        }
    }

    #[test]
    fn seams() {
        let SplitStep::Seams(pairs) = SplitStep::seams(["ab", "bc"].into_iter()) else { unreachable!() };
        let cut = |text: &'static str| -> Vec<&str> {
            Seams(&pairs).find_matches(text).expect("cuts").into_iter().map(|((s, e), _)| &text[s..e]).collect()
        };
        assert_eq!(cut("xabcab"), ["x", "abc", "ab"]);
        assert_eq!(cut("éé"), ["é", "é"]);
        assert_eq!(cut("a"), ["a"]);
    }

    #[test]
    fn long_runs_are_linear() {
        for unit in [" ", "a", "1", "\n", "é", "中"] {
            let text = unit.repeat((1 << 20) / unit.len()) + "x";
            for pre in PRE_TOKENIZERS {
                for pattern in pre.patterns {
                    let Ok(SplitStep::Split(split)) = SplitStep::isolated(pattern) else {
                        panic!("{pattern} does not compile")
                    };
                    assert_eq!(words(&split, &text).concat().len(), text.len(), "{pattern} loses text");
                }
            }
        }
    }
}
