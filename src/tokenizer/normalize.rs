//! Normalization: what happens to text before it is cut into words. The Unicode forms and BERT's clean-up are those of
//! the `tokenizers` crate; the rest is plain string work.

use std::borrow::Cow;

use fancy_regex::Regex;
use tokenizers::normalizers::{BertNormalizer, NFC, NFD, NFKC, NFKD, StripAccents};
use tokenizers::{NormalizedString, Normalizer};

use crate::{Error, Result};

/// How often its own length a text may grow to; compatibility forms reach eleven times.
const MAX_GROWTH: usize = 32;

/// `text` after all steps.
pub(super) fn normalize<'t>(steps: &[Step], text: &'t str) -> Result<Cow<'t, str>> {
    let mut normalized = Cow::Borrowed(text);
    for step in steps {
        normalized = step.apply(normalized)?;
        if normalized.len() > text.len().saturating_mul(MAX_GROWTH).saturating_add(1024) {
            return Err(Error::invalid("text", "the tokenizer's normalizer makes it too long"));
        }
    }
    Ok(normalized)
}

/// One step, in `tokenizer.json`'s terms.
pub(super) enum Step {
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
    Lowercase,
    StripAccents,
    Strip { left: bool, right: bool },
    Prepend(String),
    Replace { from: String, to: String },
    ReplaceRegex { from: Box<Regex>, to: String },
    Bert(BertNormalizer),
}

impl Step {
    /// `text` after this step.
    fn apply<'t>(&self, text: Cow<'t, str>) -> Result<Cow<'t, str>> {
        Ok(match self {
            // ASCII is its own normal form.
            Step::Nfc | Step::Nfd | Step::Nfkc | Step::Nfkd | Step::StripAccents if text.is_ascii() => text,
            Step::Nfc => with_crate(&NFC, &text)?,
            Step::Nfd => with_crate(&NFD, &text)?,
            Step::Nfkc => with_crate(&NFKC, &text)?,
            Step::Nfkd => with_crate(&NFKD, &text)?,
            Step::StripAccents => with_crate(&StripAccents, &text)?,
            Step::Bert(bert) => with_crate(bert, &text)?,
            // Character by character: unlike str::to_lowercase, a final sigma is a sigma.
            Step::Lowercase => text.chars().flat_map(char::to_lowercase).collect::<String>().into(),
            Step::Strip { left, right } => {
                let mut rest = text.as_ref();
                rest = if *left { rest.trim_start() } else { rest };
                rest = if *right { rest.trim_end() } else { rest };
                rest.to_owned().into()
            }
            Step::Prepend(_) if text.is_empty() => text,
            Step::Prepend(prefix) => format!("{prefix}{text}").into(),
            Step::Replace { from, .. } if from.is_empty() => text,
            Step::Replace { from, to } => text.replace(from.as_str(), to).into(),
            Step::ReplaceRegex { from, to } => {
                let replaced = from.try_replacen(&text, 0, fancy_regex::NoExpand(to)).map_err(|error| {
                    Error::invalid("text", format!("the tokenizer's normalizer gave up on this text: {error}"))
                })?;
                replaced.into_owned().into()
            }
        })
    }
}

fn with_crate(normalizer: &impl Normalizer, text: &str) -> Result<Cow<'static, str>> {
    let mut normalized = NormalizedString::from(text);
    normalizer
        .normalize(&mut normalized)
        .map_err(|error| Error::invalid("text", format!("the tokenizer's normalizer failed: {error}")))?;
    Ok(normalized.get().to_owned().into())
}
