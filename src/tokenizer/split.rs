//! Pre-tokenization by regular expressions, as a pre-tokenizer of the `tokenizers` crate: text to words. No merge
//! crosses a word's border.
//!
//! The crate has such a step itself, but its matcher backtracks, and where it gives up on a long run the rest of the
//! text is lost without a word. The published patterns end in `\s+(?!\S)|\s+`: a run of spaces leaves its last one to
//! the word after it. Here that tail is matched as `\s+` by the linear-time matcher and its last space handed back.
//! Only patterns that look around elsewhere are left to backtracking, whose steps are bounded for a match and for all
//! of a text; giving up is an error. A pattern is bounded in length and in what it is compiled to.

use std::collections::HashSet;

use regex::{Regex, RegexBuilder};
use tokenizers::pattern::Pattern;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{Offsets, PreTokenizedString, PreTokenizer, SplitDelimiterBehavior};

use super::malformed::malformed;
use crate::Result;

const TAIL: &str = r"|\s+(?!\S)|\s+";
/// Bytes of a pattern; the longest that is published has about 1,000.
pub(super) const MAX_PATTERN: usize = 4096;
/// Bytes that a pattern is compiled to; of one that backtracks, each part without backtracking.
const MAX_COMPILED: usize = 1 << 22;
const MAX_COMPILED_PART: usize = 1 << 20;
/// The sum of the counts of a pattern that backtracks, such as 3 of `{1,3}`: its parts are compiled one by one.
const MAX_COUNTS: usize = 400;
/// Steps that the backtracking matcher may take for any match of a text.
const QUICK_LIMIT: usize = 200;
/// Steps that it may take for some: of a text, `MOST_LONG` and one more for each `TEXT_A_LONG` bytes.
const LONG_LIMIT: usize = 100_000;
const MOST_LONG: usize = 8;
const TEXT_A_LONG: usize = 1024;

/// One step from text to words.
pub(super) enum SplitStep {
    Split(Split),
    /// GPT-2's `add_prefix_space`.
    SpaceBefore,
    /// Characters that stand side by side in some token. Text is cut between all others, where no merge can happen:
    /// that changes no id and keeps text that nothing else cuts from being one huge word.
    Seams(HashSet<(char, char)>),
    Crate(Box<dyn PreTokenizer + Send + Sync>),
}

impl SplitStep {
    /// The pattern's matches are words of their own, like everything between them.
    pub(super) fn isolated(pattern: &str) -> Result<Self> {
        Split::new(pattern, SplitDelimiterBehavior::Isolated, false).map(SplitStep::Split)
    }

    /// Characters to GPT-2's byte alphabet.
    pub(super) fn bytes() -> Self {
        SplitStep::Crate(Box::new(ByteLevel::new(false, false, false)))
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
    Linear { regex: Regex, body: Option<Regex> },
    /// The pattern, compiled with [`QUICK_LIMIT`] and with [`LONG_LIMIT`].
    Backtracking(Box<[fancy_regex::Regex; 2]>),
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
        check_length(pattern)?;
        let invalid =
            |error: &dyn std::fmt::Display| malformed(format!("the pre-tokenizer's pattern is invalid: {error}"));
        let backtracking = || {
            if counts(pattern) > MAX_COUNTS {
                return Err(invalid(&format!("its counts add up to more than {MAX_COUNTS}")));
            }
            let regex = |limit| {
                let mut builder = fancy_regex::RegexBuilder::new(pattern);
                builder.backtrack_limit(limit).delegate_size_limit(MAX_COMPILED_PART);
                builder.delegate_dfa_size_limit(MAX_COMPILED_PART).build().map_err(|error| invalid(&error))
            };
            Ok(Matcher::Backtracking(Box::new([regex(QUICK_LIMIT)?, regex(LONG_LIMIT)?])))
        };
        let linear = |pattern: &str| RegexBuilder::new(pattern).size_limit(MAX_COMPILED).build();
        // A possessive quantifier means something else to the linear matcher.
        if is_possessive(pattern) {
            return backtracking();
        }
        if let Some(body) = pattern.strip_suffix(TAIL) {
            // The body is matched a second time on a slice, which an assertion about what comes before would notice.
            let asserts = ["\\b", "\\B", "\\A", "^", "$"].iter().any(|assertion| skeleton(body).contains(assertion));
            let regexes = (linear(&format!(r"(?:{body})|\s+")), linear(&format!(r"\A(?:{body})")));
            if let (false, (Ok(regex), Ok(body))) = (asserts, regexes) {
                return Ok(Matcher::Linear { regex, body: Some(body) });
            }
            return backtracking();
        }
        match linear(pattern) {
            Ok(regex) => Ok(Matcher::Linear { regex, body: None }),
            Err(error @ regex::Error::CompiledTooBig(_)) => Err(invalid(&error)),
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
            Matcher::Backtracking(regexes) => {
                let [quick, long] = &**regexes;
                let gave_up =
                    |error: &dyn std::fmt::Display| format!("the tokenizer's pattern gave up on this text: {error}");
                let (mut at, mut long_ones) = (0, MOST_LONG + text.len() / TEXT_A_LONG);
                loop {
                    let found = quick.find_from_pos(text, at).or_else(|error| {
                        // Too many steps; other errors come again.
                        long_ones = long_ones.checked_sub(1).ok_or(error)?;
                        long.find_from_pos(text, at)
                    });
                    let Some(m) = found.map_err(|error| gave_up(&error))? else { break };
                    at = m.end();
                    if m.start() < m.end() {
                        each(m.start(), m.end());
                    } else {
                        let Some(c) = text[at..].chars().next() else { break };
                        at += c.len_utf8();
                    }
                }
            }
        }
        Ok(())
    }
}

/// Refuses a pattern of a length that no tokenizer has.
pub(super) fn check_length(pattern: &str) -> Result<()> {
    if pattern.len() > MAX_PATTERN {
        return Err(malformed(format!("a pattern of {} bytes; {MAX_PATTERN} are supported", pattern.len())));
    }
    Ok(())
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

/// The sum of the largest numbers in `{n,m}`.
fn counts(pattern: &str) -> usize {
    let skeleton = skeleton(&pattern.replace(r"\x{", "x"));
    let bodies = skeleton.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    let count = |body: &str| body.split(',').filter_map(|number| number.trim().parse().ok()).max().unwrap_or(0);
    bodies.map(|(body, _)| count(body)).fold(0, usize::saturating_add)
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
            let regex = || fancy_regex::Regex::new(pattern).expect("compiles");
            let published = Split { matcher: Matcher::Backtracking(Box::new([regex(), regex()])), ..linear };
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

    /// A file's pattern is compiled, or refused with its reason, in little time and memory.
    #[test]
    fn patterns_are_bounded() {
        let refused = [
            "a".repeat(MAX_PATTERN + 1),
            "(a{1000}){1000}".into(),
            r"(\p{L}{1000}){1000}".into(),
            r"(?=a)(\p{L}{1000}){1000}".into(),
            r"(?:\p{L}{1000}){1000}|\s+(?!\S)|\s+".into(),
            r"(?<=(\p{L}{1000}){9})b".into(),
            "(".repeat(4000),
            format!("{}(?=a){}", "(".repeat(2000), ")".repeat(2000)),
        ];
        for pattern in refused {
            let start = std::time::Instant::now();
            let error = Matcher::new(&pattern).err().unwrap_or_else(|| panic!("{pattern} is compiled"));
            assert!(error.code() == "MODEL_FORMAT" && error.to_string().contains("pattern"), "{error}");
            assert!(start.elapsed().as_secs() < 5, "{pattern}: {:?}", start.elapsed());
        }
        assert_eq!(counts(r"a{3}\p{L}{1,30}\x{1234}[{7}]\{9}b{4,}"), 37);
        let costly = [r"(?=\p{L}{99})".repeat(280), r"(?=\p{L})".repeat(400), "(?:(?=a)a){1000000}".into()];
        for pattern in costly {
            let start = std::time::Instant::now();
            let _ = Matcher::new(&pattern);
            assert!(start.elapsed().as_secs() < 10, "{pattern}: {:?}", start.elapsed());
        }
    }

    /// Each match alone stays within its limit, but the text does not.
    #[test]
    fn steps_are_bounded_for_a_text() {
        let split = Split::new("(?:(?:a|a)*(?=b)|a)", SplitDelimiterBehavior::Isolated, false).expect("compiles");
        let unit = "aaaaaaaaaaaax";
        let error = (&split).find_matches(&unit.repeat(20_000)).expect_err("an error");
        assert!(error.to_string().contains("gave up"), "{error}");
        assert!((&split).find_matches(unit).is_ok());
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
