//! The small objects of `tokenizer.json`, each `{"type": …}`, built by the `tokenizers` crate: normalizer,
//! pre-tokenizer, decoder, post-processor. The crate would panic at, hang on or guess about some of what a file may say;
//! that is refused here first, and a type that is not built in by its name.

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::delimiter::CharDelimiterSplit;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::metaspace::Metaspace;
use tokenizers::pre_tokenizers::punctuation::Punctuation;
use tokenizers::pre_tokenizers::whitespace::{Whitespace, WhitespaceSplit};
use tokenizers::{
    Decoder as _, DecoderWrapper, Encoding, NormalizerWrapper, PostProcessor, PostProcessorWrapper, PreTokenizer,
    SplitDelimiterBehavior, Token,
};

use super::build;
use super::bytes::{decode_alphabet, fallback_byte};
use super::malformed::malformed;
use super::pre::GPT2;
use super::split::{Split, SplitStep, check_length, is_possessive};

use crate::{Error, Result};

/// Nested sequences deeper than this are no tokenizer, nor are more steps; published files have up to about six.
const MAX_DEPTH: usize = 8;
const MAX_STEPS: usize = 32;
/// Bytes that a step may put in the place of one match: `▁` has three. Short, so that no file makes text explode.
const MAX_REPLACEMENT: usize = 16;
/// Bytes of a decoded token.
const MAX_TOKEN: usize = 1 << 16;
/// Ids that a post-processor may put around a text.
const MAX_ENDS: usize = 64;

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

/// The steps of a `Sequence`, or the step itself; none for `null`.
pub(super) fn flatten<'v>(step: &'v Value, list: &str) -> Result<Vec<&'v Value>> {
    let mut steps = Vec::new();
    let mut open = vec![(step, 0)];
    while let Some((step, depth)) = open.pop() {
        if depth > MAX_DEPTH || steps.len() + open.len() > MAX_STEPS {
            return Err(malformed(format!("more than {MAX_STEPS} steps in tokenizer.json, or nested too deeply")));
        }
        if step.is_null() {
            continue;
        } else if kind(step)? != "Sequence" {
            steps.push(step);
        } else {
            let inner = step[list].as_array();
            let inner = inner.ok_or_else(|| malformed(format!("a Sequence of tokenizer.json has no {list}")))?;
            open.extend(inner.iter().rev().map(|step| (step, depth + 1)));
        }
    }
    Ok(steps)
}

/// A step as the crate reads it.
fn parse<T: DeserializeOwned>(step: &Value) -> Result<T> {
    serde_json::from_value(step.clone()).map_err(|error| malformed(format!("the step {}: {error}", name(step))))
}

fn flag(step: &Value, name: &str, default: bool) -> bool {
    step[name].as_bool().unwrap_or(default)
}

/// Text that a step puts in must be short, and its pattern one that takes linear time and never matches nothing: the
/// crate loses count of characters that are put in where none was, and panics.
fn check_replacement(step: &Value) -> Result<()> {
    let content = step["content"].as_str().or(step["prepend"].as_str()).unwrap_or_default();
    if content.len() > MAX_REPLACEMENT {
        return Err(Error::unsupported(format!("a tokenizer step that puts in {} bytes at once", content.len())));
    }
    step["pattern"]["Regex"].as_str().map_or(Ok(()), check_length)?;
    let is_empty = match (step["pattern"]["String"].as_str(), step["pattern"]["Regex"].as_str()) {
        (Some(text), _) => text.is_empty(),
        (None, Some(pattern)) if is_possessive(pattern) => {
            return Err(Error::unsupported(format!("the tokenizer's pattern {pattern:?}, which is possessive,")));
        }
        (None, Some(pattern)) => {
            let parsed = regex_syntax::parse(pattern);
            let parsed = parsed.map_err(|error| malformed(format!("the tokenizer's pattern: {error}")))?;
            parsed.properties().minimum_len() == Some(0)
        }
        (None, None) => false,
    };
    if is_empty {
        return Err(Error::unsupported("a tokenizer's Replace step whose pattern matches the empty text"));
    }
    Ok(())
}

pub(super) fn normalizers(step: &Value) -> Result<Vec<NormalizerWrapper>> {
    let build = |step: &&Value| match kind(step)? {
        "NFC" | "NFD" | "NFKC" | "NFKD" | "Nmt" | "Lowercase" | "Strip" | "StripAccents" | "BertNormalizer"
        | "ByteLevel" => parse(step),
        "Prepend" | "Replace" => check_replacement(step).and_then(|()| parse(step)),
        "Precompiled" => {
            let table = step["precompiled_charsmap"].as_str().unwrap_or_default();
            let table = base64::decode(table);
            let table = table.map_err(|error| malformed(format!("precompiled_charsmap: {error}")))?;
            Ok(build::precompiled(&table)?.into())
        }
        other => Err(Error::unsupported(format!("the normalizer `{other}` of tokenizer.json"))),
    };
    flatten(step, "normalizers")?.iter().map(build).collect()
}

/// The steps, and whether the model sees GPT-2's byte alphabet.
pub(super) fn pre_tokenizers(step: &Value) -> Result<(Vec<SplitStep>, bool)> {
    let mut steps = Vec::new();
    let mut byte_level = false;
    for step in flatten(step, "pretokenizers")? {
        let kind = kind(step)?;
        if byte_level {
            return Err(Error::unsupported(format!("the pre-tokenizer `{kind}` after ByteLevel")));
        }
        match kind {
            "ByteLevel" => {
                byte_level = true;
                if flag(step, "add_prefix_space", true) {
                    steps.push(SplitStep::SpaceBefore);
                }
                if flag(step, "use_regex", true) {
                    steps.push(SplitStep::isolated(GPT2)?);
                }
                steps.push(SplitStep::bytes());
            }
            "Split" => {
                let pattern = match (step["pattern"]["String"].as_str(), step["pattern"]["Regex"].as_str()) {
                    (Some(text), _) => regex::escape(text),
                    (None, Some(regex)) => regex.to_owned(),
                    (None, None) => return Err(malformed("a Split step has no pattern")),
                };
                let behavior = match &step["behavior"] {
                    Value::Null => SplitDelimiterBehavior::Isolated,
                    behavior => parse(behavior)?,
                };
                steps.push(SplitStep::Split(Split::new(&pattern, behavior, flag(step, "invert", false))?));
            }
            "Metaspace" => steps.push(of_crate::<Metaspace>(step)?),
            "Digits" => steps.push(of_crate::<Digits>(step)?),
            "Punctuation" => steps.push(of_crate::<Punctuation>(step)?),
            "Whitespace" => steps.push(of_crate::<Whitespace>(step)?),
            "WhitespaceSplit" => steps.push(of_crate::<WhitespaceSplit>(step)?),
            "BertPreTokenizer" => steps.push(of_crate::<BertPreTokenizer>(step)?),
            "CharDelimiterSplit" => steps.push(of_crate::<CharDelimiterSplit>(step)?),
            other => return Err(Error::unsupported(format!("the pre-tokenizer `{other}` of tokenizer.json"))),
        }
    }
    Ok((steps, byte_level))
}

/// A pre-tokenizer of the crate's. Each by itself: what holds any of them brings along the tables of those that nobody uses.
fn of_crate<T: PreTokenizer + DeserializeOwned + Send + Sync + 'static>(step: &Value) -> Result<SplitStep> {
    Ok(SplitStep::Crate(Box::new(parse::<T>(step)?)))
}

/// How a token's text becomes bytes.
pub(super) struct Decoder {
    /// `None`: tokens are words.
    steps: Option<Vec<DecoderWrapper>>,
    byte_level: bool,
    byte_fallback: bool,
}

/// A token put in front of the one that is decoded, since decoders treat the first token of a text differently.
const LEAD: &str = "a";

impl Decoder {
    pub(super) fn new(step: &Value) -> Result<Self> {
        if step.is_null() {
            return Ok(Decoder { steps: None, byte_level: false, byte_fallback: false });
        }
        let steps = flatten(step, "decoders")?;
        let has = |wanted: &str| steps.iter().any(|step| step["type"] == wanted);
        let build = |step: &&Value| match kind(step)? {
            "ByteLevel" | "ByteFallback" | "Fuse" | "Metaspace" | "WordPiece" => parse(step),
            "Replace" => check_replacement(step).and_then(|()| parse(step)),
            "Strip" => {
                let (content, start, stop) = (&step["content"], &step["start"], &step["stop"]);
                if (content, start, stop) != (&Value::from(" "), &Value::from(1), &Value::from(0)) {
                    return Err(Error::unsupported("a decoder that strips anything but one leading space"));
                }
                parse(step)
            }
            other => Err(Error::unsupported(format!("the decoder `{other}` of tokenizer.json"))),
        };
        Ok(Decoder {
            byte_level: has("ByteLevel"),
            byte_fallback: has("ByteFallback"),
            steps: Some(steps.iter().map(build).collect::<Result<_>>()?),
        })
    }

    /// The bytes that a token contributes to a text, wherever but at its beginning.
    pub(super) fn bytes(&self, token: &str) -> Result<Vec<u8>> {
        if self.byte_level {
            return Ok(decode_alphabet(token));
        }
        if let Some(byte) = fallback_byte(token).filter(|_| self.byte_fallback) {
            return Ok(vec![byte]);
        }
        let text = self.text(&[LEAD, token])?;
        let text = text.strip_prefix(&self.text(&[LEAD])?);
        let text = text.ok_or_else(|| Error::unsupported("a decoder that changes what came before a token"))?;
        Ok(text.to_owned().into_bytes())
    }

    /// An added token is text even where others are bytes.
    pub(super) fn added_bytes(&self, token: &str) -> Result<Vec<u8>> {
        if self.byte_level { Ok(token.as_bytes().to_vec()) } else { self.bytes(token) }
    }

    /// Whether a token loses its space at the beginning of a text.
    pub(super) fn strips_first_space(&self, token: &str) -> Result<bool> {
        Ok(!self.byte_level && !self.text(&[token])?.starts_with(' '))
    }

    fn text(&self, tokens: &[&str]) -> Result<String> {
        let Some(steps) = &self.steps else { return Ok(tokens.join(" ")) };
        let mut tokens: Vec<String> = tokens.iter().map(|token| (*token).to_owned()).collect();
        for step in steps {
            tokens = step.decode_chain(tokens).map_err(|error| malformed(format!("the decoder: {error}")))?;
            if tokens.iter().map(String::len).sum::<usize>() > MAX_TOKEN {
                return Err(malformed(format!("a token decodes to more than {MAX_TOKEN} bytes")));
            }
        }
        Ok(tokens.concat())
    }
}

/// The ids that a post-processor puts before and after a single text.
pub(super) fn ends(step: &Value) -> Result<[Vec<u32>; 2]> {
    if step.is_null() {
        return Ok(Default::default());
    }
    for step in flatten(step, "processors")? {
        match kind(step)? {
            "ByteLevel" | "BertProcessing" | "RobertaProcessing" => {}
            "TemplateProcessing" => check_template(step)?,
            other => return Err(Error::unsupported(format!("the post-processor `{other}` of tokenizer.json"))),
        }
    }
    // The processor at work on a text of one token shows what it adds.
    const TEXT: u32 = u32::MAX;
    let text = Encoding::from_tokens(vec![Token::new(TEXT, String::new(), (0, 0))], 0);
    let processed = parse::<PostProcessorWrapper>(step)?.process(text, None, true);
    let processed = processed.map_err(|error| malformed(format!("the post-processor: {error}")))?;
    let mut parts = processed.get_ids().split(|id| *id == TEXT).map(<[u32]>::to_vec);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(prefix), Some(suffix), None) if prefix.len() + suffix.len() <= MAX_ENDS => Ok([prefix, suffix]),
        _ => Err(malformed("the post-processor's template must hold the text once")),
    }
}

/// The crate panics at a template that names a token it does not list, or a second text where there is one.
fn check_template(step: &Value) -> Result<()> {
    let pieces = step["single"].as_array().ok_or_else(|| malformed("the post-processor has no template"))?;
    for piece in pieces {
        if piece["Sequence"]["id"] == "B" {
            return Err(malformed("the post-processor's template for one text names a second"));
        }
        let Some(token) = piece["SpecialToken"]["id"].as_str() else { continue };
        let ids = step["special_tokens"][token]["ids"].as_array();
        let ids = ids.ok_or_else(|| malformed(format!("the post-processor's {token:?} is not among its tokens")))?;
        if ids.len() + pieces.len() > MAX_ENDS {
            return Err(malformed("the post-processor puts too many tokens around a text"));
        }
    }
    Ok(())
}
