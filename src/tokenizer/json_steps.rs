//! The small objects of `tokenizer.json`, each `{"type": …}`: normalizer, pre-tokenizer, decoder, post-processor.

use fancy_regex::RegexBuilder;
use serde_json::Value;
use tokenizers::normalizers::BertNormalizer;

use super::bytes::{decode_alphabet, fallback_byte};
use super::normalize::Step;
use super::split::{BACKTRACK_LIMIT, Behavior, GPT2, PUNCTUATION, Split};
use super::{Prefix, Vocabulary, malformed};
use crate::{Error, Result};

/// Nested sequences deeper than this are no tokenizer.
const MAX_DEPTH: usize = 8;

/// Bytes that a step may put in the place of one match: `▁` has three. Short, so that no file makes text explode.
const MAX_REPLACEMENT: usize = 16;
/// Bytes of a decoded token.
const MAX_TOKEN: usize = 1 << 16;

/// What the normalizer and the pre-tokenizer add up to.
pub(super) struct Steps {
    pub(super) normalizer: Vec<Step>,
    pub(super) prefix: Prefix,
    pub(super) splits: Vec<Split>,
    /// The model sees bytes.
    pub(super) byte_level: bool,
}

impl Default for Steps {
    fn default() -> Self {
        Steps { normalizer: Vec::new(), prefix: Prefix::None, splits: Vec::new(), byte_level: false }
    }
}

/// The `type` of a step.
fn kind(step: &Value) -> Result<&str> {
    step["type"].as_str().ok_or_else(|| malformed("a step of tokenizer.json has no type"))
}

/// The name of a step for a person: `Sequence(Split, ByteLevel)`.
pub(super) fn name(step: &Value) -> String {
    let kind = kind(step).unwrap_or("unknown");
    match step["pretokenizers"].as_array() {
        Some(list) => {
            format!("{kind}({})", list.iter().map(|s| self::kind(s).unwrap_or("?")).collect::<Vec<_>>().join(", "))
        }
        None => kind.to_owned(),
    }
}

fn flag(step: &Value, name: &str, default: bool) -> bool {
    step[name].as_bool().unwrap_or(default)
}

fn text<'v>(step: &'v Value, name: &str) -> Result<&'v str> {
    step[name].as_str().ok_or_else(|| malformed(format!("a step of tokenizer.json has no {name}")))
}

/// A text that a step puts in.
fn replacement(step: &Value, name: &str) -> Result<String> {
    let text = text(step, name)?;
    if text.len() > MAX_REPLACEMENT {
        return Err(Error::unsupported(format!("a tokenizer step that puts in {} bytes at once", text.len())));
    }
    Ok(text.to_owned())
}

/// The steps of a `Sequence`, or the step itself.
fn each(step: &Value, list: &str, depth: usize, visit: &mut dyn FnMut(&Value) -> Result<()>) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(malformed("the sequences of tokenizer.json are nested too deeply"));
    }
    if kind(step)? != "Sequence" {
        return visit(step);
    }
    let steps =
        step[list].as_array().ok_or_else(|| malformed(format!("a Sequence of tokenizer.json has no {list}")))?;
    steps.iter().try_for_each(|step| each(step, list, depth + 1, visit))
}

pub(super) fn normalizer(step: &Value, steps: &mut Steps) -> Result<()> {
    each(step, "normalizers", 0, &mut |step| {
        steps.normalizer.push(match kind(step)? {
            "NFC" => Step::Nfc,
            "NFD" => Step::Nfd,
            "NFKC" => Step::Nfkc,
            "NFKD" => Step::Nfkd,
            "Lowercase" => Step::Lowercase,
            "StripAccents" => Step::StripAccents,
            "Strip" => Step::Strip { left: flag(step, "strip_left", true), right: flag(step, "strip_right", true) },
            "Prepend" => Step::Prepend(replacement(step, "prepend")?),
            "Replace" => {
                let to = replacement(step, "content")?;
                match (step["pattern"]["String"].as_str(), step["pattern"]["Regex"].as_str()) {
                    (Some(from), _) => Step::Replace { from: from.into(), to },
                    (None, Some(regex)) => {
                        let from = RegexBuilder::new(regex).backtrack_limit(BACKTRACK_LIMIT).build();
                        let from = from.map_err(|error| malformed(format!("the normalizer's pattern: {error}")))?;
                        Step::ReplaceRegex { from: Box::new(from), to }
                    }
                    (None, None) => return Err(malformed("a Replace step has no pattern")),
                }
            }
            "BertNormalizer" => Step::Bert(BertNormalizer::new(
                flag(step, "clean_text", true),
                flag(step, "handle_chinese_chars", true),
                step["strip_accents"].as_bool(),
                flag(step, "lowercase", true),
            )),
            other => return Err(Error::unsupported(format!("the normalizer `{other}` of tokenizer.json"))),
        });
        Ok(())
    })
}

pub(super) fn pre_tokenizer(step: &Value, steps: &mut Steps) -> Result<()> {
    let is_first = |steps: &Steps| steps.splits.is_empty() && matches!(steps.prefix, Prefix::None);
    each(step, "pretokenizers", 0, &mut |step| {
        let kind = kind(step)?;
        if steps.byte_level {
            return Err(Error::unsupported(format!("the pre-tokenizer `{kind}` after ByteLevel")));
        }
        match kind {
            "ByteLevel" => {
                steps.byte_level = true;
                if flag(step, "add_prefix_space", true) {
                    if !is_first(steps) {
                        return Err(Error::unsupported("ByteLevel with add_prefix_space after another pre-tokenizer"));
                    }
                    steps.prefix = Prefix::Space;
                }
                if flag(step, "use_regex", true) {
                    steps.splits.push(Split::isolated(GPT2)?);
                }
            }
            "Metaspace" => {
                if !is_first(steps) {
                    return Err(Error::unsupported("Metaspace after another pre-tokenizer"));
                }
                let mark = match step["replacement"].as_str().map(|mark| (mark, mark.chars().next())) {
                    Some((mark, Some(c))) if c.len_utf8() == mark.len() => c,
                    _ => return Err(malformed("Metaspace needs one character as its replacement")),
                };
                let scheme = match (step["prepend_scheme"].as_str(), step["add_prefix_space"].as_bool()) {
                    (Some(scheme), _) => scheme,
                    (None, Some(false)) => "never",
                    (None, _) => "always",
                };
                steps.prefix = Prefix::Metaspace { mark, always: scheme == "always", first: scheme == "first" };
                if flag(step, "split", true) {
                    let pattern = regex::escape(mark.encode_utf8(&mut [0; 4]));
                    steps.splits.push(Split::new(&pattern, Behavior::MergedWithNext, false)?);
                }
            }
            "Split" => {
                let pattern = match (step["pattern"]["String"].as_str(), step["pattern"]["Regex"].as_str()) {
                    (Some(text), _) => regex::escape(text),
                    (None, Some(regex)) => regex.to_owned(),
                    (None, None) => return Err(malformed("a Split step has no pattern")),
                };
                steps.splits.push(Split::new(&pattern, behavior(step)?, flag(step, "invert", false))?);
            }
            "Digits" => {
                let pattern = if flag(step, "individual_digits", false) { r"\p{N}" } else { r"\p{N}+" };
                steps.splits.push(Split::isolated(pattern)?);
            }
            "Punctuation" => steps.splits.push(Split::new(PUNCTUATION, behavior(step)?, false)?),
            "Whitespace" => steps.splits.push(Split::new(r"\w+|[^\w\s]+", Behavior::Removed, true)?),
            "WhitespaceSplit" => steps.splits.push(Split::new(r"\s", Behavior::Removed, false)?),
            "BertPreTokenizer" => {
                steps.splits.push(Split::new(r"\s", Behavior::Removed, false)?);
                steps.splits.push(Split::isolated(PUNCTUATION)?);
            }
            other => return Err(Error::unsupported(format!("the pre-tokenizer `{other}` of tokenizer.json"))),
        }
        Ok(())
    })
}

fn behavior(step: &Value) -> Result<Behavior> {
    Ok(match step["behavior"].as_str().unwrap_or("Isolated") {
        "Removed" => Behavior::Removed,
        "Isolated" => Behavior::Isolated,
        "MergedWithPrevious" => Behavior::MergedWithPrevious,
        "MergedWithNext" => Behavior::MergedWithNext,
        "Contiguous" => Behavior::Contiguous,
        other => return Err(malformed(format!("the split behaviour `{other}` does not exist"))),
    })
}

/// How a token's text becomes bytes.
pub(super) struct Decoder {
    steps: Vec<Unmap>,
    pub(super) strip_first_space: bool,
}

/// One step from token text to bytes.
enum Unmap {
    ByteLevel,
    ByteFallback,
    Replace {
        from: String,
        to: String,
    },
    /// A token that continues a word loses its prefix; any other gets a space before it.
    WordPiece {
        prefix: String,
        cleanup: bool,
    },
}

pub(super) fn decoder(step: Option<&Value>) -> Result<Decoder> {
    let mut decoder = Decoder { steps: Vec::new(), strip_first_space: false };
    let Some(step) = step else {
        // Without a decoder the tokens are words.
        decoder.steps.push(Unmap::WordPiece { prefix: String::new(), cleanup: false });
        decoder.strip_first_space = true;
        return Ok(decoder);
    };
    each(step, "decoders", 0, &mut |step| {
        match kind(step)? {
            "ByteLevel" => decoder.steps.push(Unmap::ByteLevel),
            "ByteFallback" => decoder.steps.push(Unmap::ByteFallback),
            "Fuse" => {}
            "Replace" => {
                let from = step["pattern"]["String"].as_str();
                let from = from.ok_or_else(|| Error::unsupported("a decoder that replaces by pattern"))?.to_owned();
                decoder.steps.push(Unmap::Replace { from, to: replacement(step, "content")? });
            }
            "Metaspace" => {
                let from = step["replacement"].as_str().unwrap_or("▁").to_owned();
                decoder.steps.push(Unmap::Replace { from, to: " ".into() });
                decoder.strip_first_space = step["prepend_scheme"] != "never" && step["add_prefix_space"] != false;
            }
            "Strip" => {
                let (content, start, stop) = (&step["content"], &step["start"], &step["stop"]);
                if (content, start, stop) != (&Value::from(" "), &Value::from(1), &Value::from(0)) {
                    return Err(Error::unsupported("a decoder that strips anything but one leading space"));
                }
                decoder.strip_first_space = true;
            }
            "WordPiece" => {
                let prefix = step["prefix"].as_str().unwrap_or("##").to_owned();
                decoder.steps.push(Unmap::WordPiece { prefix, cleanup: flag(step, "cleanup", true) });
                decoder.strip_first_space = true;
            }
            other => return Err(Error::unsupported(format!("the decoder `{other}` of tokenizer.json"))),
        }
        Ok(())
    })?;
    Ok(decoder)
}

impl Decoder {
    /// The bytes that a token of the model contributes to a text.
    pub(super) fn bytes(&self, token: &str) -> Result<Vec<u8>> {
        let mut text = token.to_owned();
        for step in &self.steps {
            match step {
                Unmap::ByteLevel => return Ok(decode_alphabet(&text)),
                Unmap::ByteFallback => {
                    if let Some(byte) = fallback_byte(&text) {
                        return Ok(vec![byte]);
                    }
                }
                Unmap::Replace { from, .. } if from.is_empty() => {}
                Unmap::Replace { from, to } => text = text.replace(from.as_str(), to),
                Unmap::WordPiece { prefix, cleanup } => {
                    text = match text.strip_prefix(prefix.as_str()).filter(|_| !prefix.is_empty()) {
                        Some(rest) => rest.to_owned(),
                        None => format!(" {text}"),
                    };
                    if *cleanup {
                        text = clean_up(&text);
                    }
                }
            }
            if text.len() > MAX_TOKEN {
                return Err(malformed(format!("a token decodes to more than {MAX_TOKEN} bytes")));
            }
        }
        Ok(text.into_bytes())
    }
}

/// Hugging Face's `cleanup` for English punctuation, on one token with the space before it.
fn clean_up(text: &str) -> String {
    const RULES: [(&str, &str); 11] = [
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" do not", " don't"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];
    RULES.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// The ids that a post-processor puts around a single text.
pub(super) fn post_processor(
    step: &Value,
    vocabulary: &Vocabulary,
    prefix: &mut Vec<u32>,
    suffix: &mut Vec<u32>,
) -> Result<()> {
    let known = |token: &str| {
        vocabulary
            .id(token)
            .ok_or_else(|| malformed(format!("the post-processor's {token:?} is not in the vocabulary")))
    };
    each(step, "processors", 0, &mut |step| {
        match kind(step)? {
            "ByteLevel" => {} // it only trims offsets
            "BertProcessing" | "RobertaProcessing" => {
                for (name, ids) in [("cls", &mut *prefix), ("sep", &mut *suffix)] {
                    let token = step[name][0].as_str();
                    ids.push(known(token.ok_or_else(|| malformed(format!("the post-processor has no {name}")))?)?);
                }
            }
            "TemplateProcessing" => {
                let pieces =
                    step["single"].as_array().ok_or_else(|| malformed("the post-processor has no template"))?;
                let mut before = true;
                for piece in pieces {
                    match piece["SpecialToken"]["id"].as_str() {
                        Some(token) => (if before { &mut *prefix } else { &mut *suffix }).push(known(token)?),
                        None => before = false,
                    }
                }
            }
            other => return Err(Error::unsupported(format!("the post-processor `{other}` of tokenizer.json"))),
        }
        Ok(())
    })
}
