//! Hugging Face's `tokenizer.json` (the `tokenizers` crate's format), and what its companions say about the ids that
//! begin and end a text. A part that is not built in is refused by its name, never ignored.

use cresset_numerics::sort_by;
use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, json};
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::{AddedToken, ModelWrapper};

use super::build::{self, BpeParts};
use super::bytes::fallback_byte;
use super::ends::{END_TOKENS, known_ends};
use super::malformed::malformed;
use super::parts::Parts;
use super::pipeline::Pipeline;
use super::split::SplitStep;
use super::steps::{self, Decoder};
use super::table::{MAX_BYTES, MAX_TOKENS, TokenKind};
use crate::weights::{special_tokens, token_text};
use crate::{Error, Result};

/// Characters of a word that WordPiece looks at, whatever the file says; BERT's files say 100.
const MAX_WORD: usize = 200;
/// In the place of an id: the next one that is free.
const NEXT_ID: u32 = u32::MAX;

#[derive(Deserialize)]
pub(super) struct File {
    #[serde(default)]
    pub(super) added_tokens: Vec<Added>,
    #[serde(default)]
    pub(super) normalizer: Value,
    #[serde(default)]
    pub(super) pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    #[serde(default)]
    decoder: Value,
    pub(super) model: ModelFile,
}

#[derive(Deserialize)]
pub(super) struct Added {
    pub(super) id: u32,
    pub(super) content: String,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    #[serde(default)]
    normalized: bool,
    #[serde(default)]
    pub(super) special: bool,
}

#[derive(Deserialize)]
pub(super) struct ModelFile {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) vocab: Vocab,
    #[serde(default)]
    pub(super) merges: Vec<Merge>,
    pub(super) unk_token: Option<String>,
    unk_id: Option<u32>,
    dropout: Option<f64>,
    pub(super) continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    max_input_chars_per_word: Option<usize>,
    #[serde(default)]
    fuse_unk: Option<bool>,
    #[serde(default)]
    byte_fallback: Option<bool>,
    #[serde(default)]
    pub(super) ignore_merges: Option<bool>,
}

/// Tokens with their ids and, from Unigram's list, their scores.
#[derive(Default)]
pub(super) struct Vocab {
    pub(super) tokens: Vec<(String, u32)>,
    scores: Vec<f64>,
}

impl<'de> Deserialize<'de> for Vocab {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Vocab;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of token ids, or a list of tokens with scores")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocab, A::Error> {
                let mut vocab = Vocab::default();
                while let Some(entry) = map.next_entry()? {
                    vocab.tokens.push(entry);
                }
                Ok(vocab)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vocab, A::Error> {
                let mut vocab = Vocab::default();
                while let Some((token, score)) = seq.next_element::<(String, f64)>()? {
                    vocab.tokens.push((token, vocab.scores.len() as u32)); // checked below MAX_TOKENS
                    vocab.scores.push(score);
                }
                Ok(vocab)
            }
        }
        deserializer.deserialize_any(Entries)
    }
}

/// A merge rule: `"left right"` or `["left", "right"]`.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Merge {
    Pair(String, String),
    Line(String),
}

/// `companions`: `tokenizer_config.json`, `config.json`, `generation_config.json`.
pub(super) fn parts(text: &str, companions: [Option<&Value>; 3]) -> Result<Parts> {
    let mut file: File = serde_json::from_str(text)
        .map_err(|error| Error::format("tokenizer.json", format!("not a tokenizer: {error}")))?;
    let more = companions[0].map(|config| left_out(&file, config)).unwrap_or_default();
    file.added_tokens.extend(more);
    let ids = ids_by_text(&file)?;
    let normalizer = steps::normalizers(&file.normalizer)?;
    let (mut steps, byte_level) = steps::pre_tokenizers(&file.pre_tokenizer)?;
    let decoder = Decoder::new(&file.decoder)?;
    let tokens = tokens(&file, &decoder)?;
    let strip_first_space = strips_first_space(&file, &decoder, &tokens)?;
    let ends = Ends::read(&file, &ids, companions)?;
    let is_hole = |id: &&u32| tokens.get(**id as usize).is_none_or(|(kind, _)| *kind == TokenKind::Hole);
    if let Some(id) = ends.processed.iter().find(is_hole) {
        return Err(malformed(format!("the post-processor adds id {id}, which no token has")));
    }
    let control = file.added_tokens.iter().filter(|token| token.special).map(|token| token.id).collect();
    let (model, kind) = model(&mut file, &control, byte_level, &mut steps)?;
    let added = file.added_tokens.into_iter().map(|token| {
        let crates = AddedToken::from(token.content, token.special).normalized(token.normalized);
        (token.id, crates.single_word(token.single_word).lstrip(token.lstrip).rstrip(token.rstrip))
    });
    Ok(Parts {
        pipeline: Pipeline::new(added.collect(), normalizer, steps, model)?,
        tokens,
        strip_first_space,
        prefix: ends.prefix,
        suffix: ends.suffix,
        bos: ends.bos,
        eos: ends.eos,
        stop_ids: ends.stop_ids,
        kind,
        pre: if file.pre_tokenizer.is_null() { "none".into() } else { steps::name(&file.pre_tokenizer) },
    })
}

/// The tokens that tokenizer_config.json adds to those of the file: its `added_tokens_decoder`, then the special tokens that it
/// names. As transformers adds them: a text of the vocabulary keeps its id, another one takes the id that is given for it or, if
/// that is taken or none is given, the next one.
fn left_out(file: &File, config: &Value) -> Vec<Added> {
    let mut there: HashSet<String> = file.added_tokens.iter().map(|token| token.content.clone()).collect();
    let listed = config.get("added_tokens_decoder").and_then(Value::as_object).into_iter().flatten();
    let listed = listed.filter_map(|(id, token)| Added::read(token, id.parse().ok()?));
    let mut tokens: Vec<Added> = listed.filter(|token| !there.contains(&token.content)).collect();
    sort_by(&mut tokens, |a, b| a.id.cmp(&b.id));
    there.extend(tokens.iter().map(|token| token.content.clone()));
    let named = special_tokens(config).filter_map(|token| match token {
        Value::String(text) => Added::read(&json!({ "content": text }), NEXT_ID),
        token => Added::read(token, NEXT_ID),
    });
    let named = named.filter(|token| there.insert(token.content.clone()));
    tokens.extend(named.map(|token| Added { special: true, ..token }));
    if tokens.is_empty() {
        return tokens;
    }
    let by_text: HashMap<&str, u32> = file.model.vocab.tokens.iter().map(|(text, id)| (text.as_str(), *id)).collect();
    let mut taken: HashSet<u32> =
        by_text.values().copied().chain(file.added_tokens.iter().map(|token| token.id)).collect();
    let mut next = taken.iter().max().map_or(0, |id| id.saturating_add(1));
    for token in &mut tokens {
        token.id = match by_text.get(token.content.as_str()) {
            Some(id) => *id,
            None if token.id != NEXT_ID && !taken.contains(&token.id) => token.id,
            None => next,
        };
        next = next.max(token.id.saturating_add(1));
        taken.insert(token.id);
    }
    tokens
}

impl Added {
    /// From an object of a configuration without its id; `None` for what is no token.
    fn read(token: &Value, id: u32) -> Option<Added> {
        let mut fields = token.as_object()?.clone();
        fields.insert("id".into(), id.into());
        serde_json::from_value(fields.into()).ok().filter(|token: &Added| !token.content.is_empty())
    }
}

/// Token to id, model and added tokens together. A text that stands for two ids is an error, and so is an id past
/// [`MAX_TOKENS`].
fn ids_by_text(file: &File) -> Result<HashMap<String, u32>> {
    let mut ids = HashMap::with_capacity(file.model.vocab.tokens.len() + file.added_tokens.len());
    let model = file.model.vocab.tokens.iter().map(|(token, id)| (token, *id, false));
    let added = file.added_tokens.iter().map(|token| (&token.content, token.id, true));
    for (token, id, is_added) in model.chain(added) {
        if id as usize >= MAX_TOKENS {
            return Err(malformed(format!("the token {token:?} has id {id}; ids below {MAX_TOKENS} are supported")));
        }
        match ids.insert(token.clone(), id) {
            Some(other) if other != id || !is_added => {
                return Err(malformed(format!("the token {token:?} is listed twice, with ids {other} and {id}")));
            }
            _ => {}
        }
    }
    if ids.is_empty() {
        return Err(malformed("the vocabulary is empty"));
    }
    Ok(ids)
}

/// The bytes that each id decodes to.
fn tokens(file: &File, decoder: &Decoder) -> Result<Vec<(TokenKind, Vec<u8>)>> {
    let ids = file.model.vocab.tokens.iter().map(|(_, id)| *id).chain(file.added_tokens.iter().map(|token| token.id));
    let len = ids.max().map_or(0, |id| id as usize + 1); // below MAX_TOKENS, see `ids_by_text`
    let mut tokens = vec![(TokenKind::Hole, Vec::new()); len];
    let mut total = 0;
    for (token, id) in &file.model.vocab.tokens {
        let slot = &mut tokens[*id as usize];
        if slot.0 != TokenKind::Hole {
            return Err(malformed(format!("two tokens have id {id}, one of them {token:?}")));
        }
        let bytes = decoder.bytes(token)?;
        total += bytes.len();
        if total > MAX_BYTES {
            return Err(malformed(format!("the tokens decode to more than {MAX_BYTES} bytes")));
        }
        *slot = (TokenKind::Plain, bytes);
    }
    for token in &file.added_tokens {
        let bytes = decoder.added_bytes(&token.content)?;
        tokens[token.id as usize] = (if token.special { TokenKind::Special } else { TokenKind::Plain }, bytes);
    }
    Ok(tokens)
}

/// Asks the decoder about the first token that has one space, in front.
fn strips_first_space(file: &File, decoder: &Decoder, tokens: &[(TokenKind, Vec<u8>)]) -> Result<bool> {
    let has_one = |bytes: &[u8]| bytes.first() == Some(&b' ') && !bytes[1..].contains(&b' ');
    let mut tokens = file.model.vocab.tokens.iter().filter(|(_, id)| has_one(&tokens[*id as usize].1));
    tokens.next().map_or(Ok(false), |(token, _)| decoder.strips_first_space(token))
}

/// The model, and what to call it.
fn model(
    file: &mut File,
    control: &HashSet<u32>,
    byte_level: bool,
    steps: &mut Vec<SplitStep>,
) -> Result<(ModelWrapper, &'static str)> {
    let model = std::mem::take(&mut file.model.vocab);
    let vocab = || model.tokens.iter().cloned().collect::<build::Vocab>();
    let settings = &file.model;
    let unknown = |default: &str| {
        let token = settings.unk_token.as_deref().unwrap_or(default);
        let known = model.tokens.iter().any(|(text, _)| text == token);
        let missing = || malformed(format!("the unknown token {token:?} is not in the vocabulary"));
        known.then(|| token.to_owned()).ok_or_else(missing)
    };
    let kind = settings.kind.as_deref().unwrap_or("BPE"); // files older than the field hold BPE
    if (kind == "Unigram") == model.scores.is_empty() && !model.tokens.is_empty() {
        return Err(malformed(format!("a vocabulary of this form is not one of the model {kind}")));
    }
    let failed = |error: tokenizers::Error| malformed(error.to_string());
    Ok(match kind {
        "BPE" => {
            let affixes = [&settings.continuing_subword_prefix, &settings.end_of_word_suffix];
            if affixes.into_iter().flatten().any(|affix| !affix.is_empty()) {
                return Err(Error::unsupported("a BPE tokenizer with word prefixes or suffixes"));
            }
            if settings.dropout.is_some_and(|share| share != 0.0) {
                return Err(Error::unsupported("a BPE tokenizer that drops merges at random"));
            }
            let parts = BpeParts {
                vocab: vocab(),
                merges: settings.merges.iter().map(Merge::sides).collect(),
                unknown: settings.unk_token.as_deref().map(|_| unknown("")).transpose()?,
                fuse_unknown: settings.fuse_unk.unwrap_or(false),
                byte_fallback: settings.byte_fallback.unwrap_or(false),
                whole_words: settings.ignore_merges.unwrap_or(false),
            };
            // Unknown characters that are fused to one token must not be cut apart, nor may bytes that merge.
            let byte = |byte: u8| parts.vocab.contains_key(&format!("<0x{byte:02X}>"));
            let all_bytes = parts.byte_fallback && (0..=255).all(byte);
            let merges_bytes = || {
                parts.merges.iter().any(|(left, right)| fallback_byte(left).is_some() || fallback_byte(right).is_some())
            };
            if !byte_level && !parts.whole_words && (!parts.fuse_unknown || all_bytes) && !merges_bytes() {
                steps.push(SplitStep::seams(model.tokens.iter().map(|(token, _)| token.as_str())));
            }
            (build::bpe(parts, control)?.into(), if byte_level { "byte-level BPE" } else { "BPE" })
        }
        "Unigram" => {
            let byte_fallback = settings.byte_fallback.unwrap_or(false);
            let unknown = settings.unk_id;
            // A control token is found in text only as an added token, never as a piece.
            let pieces = model.tokens.into_iter().zip(model.scores);
            let pieces =
                pieces.map(|((token, id), score)| (if control.contains(&id) { String::new() } else { token }, score));
            (build::unigram(pieces.collect(), unknown, byte_fallback)?.into(), "Unigram")
        }
        "WordPiece" => {
            let prefix = settings.continuing_subword_prefix.clone().unwrap_or_else(|| "##".into());
            let longest = settings.max_input_chars_per_word.unwrap_or(100).min(MAX_WORD);
            let builder = WordPiece::builder().vocab(vocab()).unk_token(unknown("[UNK]")?);
            let builder = builder.continuing_subword_prefix(prefix).max_input_chars_per_word(longest);
            (builder.build().map_err(failed)?.into(), "WordPiece")
        }
        "WordLevel" => {
            let builder = WordLevel::builder().vocab(vocab()).unk_token(unknown("<unk>")?);
            (builder.build().map_err(failed)?.into(), "WordLevel")
        }
        other => return Err(Error::unsupported(format!("the tokenizer model `{other}`"))),
    })
}

impl Merge {
    pub(super) fn sides(&self) -> (String, String) {
        match self {
            Merge::Pair(left, right) => (left.clone(), right.clone()),
            Merge::Line(line) => {
                let (left, right) = line.split_once(' ').unwrap_or((line, ""));
                (left.to_owned(), right.to_owned())
            }
        }
    }
}

/// How a text begins and ends.
struct Ends {
    prefix: Vec<u32>,
    suffix: Vec<u32>,
    bos: Option<u32>,
    eos: Option<u32>,
    stop_ids: Vec<u32>,
    /// The ids that the post-processor adds.
    processed: Vec<u32>,
}

impl Ends {
    fn read(file: &File, ids: &HashMap<String, u32>, companions: [Option<&Value>; 3]) -> Result<Ends> {
        let [tokenizer_config, config, generation_config] = companions;
        let [mut prefix, mut suffix] = steps::ends(&file.post_processor)?;
        let processed = [prefix.as_slice(), &suffix].concat();
        // By name in tokenizer_config.json, else by number in one of the others.
        let find = |name: &str| {
            let by_name = tokenizer_config.and_then(|config| ids.get(token_text(config.get(name)?)?).copied());
            let key = format!("{name}_id");
            let mut by_id =
                [config, generation_config].into_iter().flatten().flat_map(|config| numbers(config.get(&key)));
            by_name.or_else(|| by_id.next())
        };
        let (bos, eos) = (find("bos_token"), find("eos_token"));
        let special: HashSet<u32> = file.added_tokens.iter().filter(|t| t.special).map(|t| t.id).collect();
        let control = |name: &str| ids.get(name).copied().filter(|id| special.contains(id));
        let mut stop_ids: Vec<u32> = known_ends(control).into_iter().chain(eos).collect();
        for config in [config, generation_config].into_iter().flatten() {
            stop_ids.extend(numbers(config.get("eos_token_id")));
        }
        // An explicit wish in tokenizer_config.json goes before the post-processor.
        let wish = |name: &str| tokenizer_config.and_then(|config| config.get(name)?.as_bool());
        override_end(&mut prefix, bos, wish("add_bos_token"));
        override_end(&mut suffix, eos, wish("add_eos_token"));
        // A file that names neither, alone: the control token that is known to end a text.
        let only_end = || END_TOKENS[..2].iter().find_map(|name| control(name));
        let eos = eos.or_else(only_end);
        Ok(Ends { bos: bos.or(prefix.first().copied()), prefix, suffix, eos, stop_ids, processed })
    }
}

fn override_end(ids: &mut Vec<u32>, token: Option<u32>, wish: Option<bool>) {
    let Some(token) = token else { return };
    match wish {
        Some(true) if !ids.contains(&token) => ids.insert(0, token),
        Some(false) => ids.retain(|id| *id != token),
        _ => {}
    }
}

/// A number or a list of numbers.
fn numbers(value: Option<&Value>) -> Vec<u32> {
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match value {
        Some(Value::Array(list)) => list.iter().filter_map(id).collect(),
        Some(value) => id(value).into_iter().collect(),
        None => Vec::new(),
    }
}
