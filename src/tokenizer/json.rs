//! Hugging Face's `tokenizer.json` (the `tokenizers` crate's format), and what its companions say about the ids that
//! begin and end a text. BPE and WordPiece; a part that is not built in is refused by its name, never ignored.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use super::added::{AddedToken, Finder};
use super::bpe::{Bpe, Merges, Symbols};
use super::bytes::{byte_to_char, fallback_byte};
use super::json_steps::{self, Decoder, Steps};
use super::normalize::normalize;
use super::table::{Kind, MAX_BYTES, MAX_TOKENS};
use super::{END_TOKENS, Model, Parts, Pipeline, Vocabulary, WordPiece, malformed};
use crate::{Error, Result};

/// Normalizers and pre-tokenizers together; published files have up to about six.
const MAX_STEPS: usize = 32;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    added_tokens: Vec<Added>,
    normalizer: Option<Value>,
    pre_tokenizer: Option<Value>,
    post_processor: Option<Value>,
    decoder: Option<Value>,
    model: ModelFile,
}

#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    #[serde(default)]
    normalized: bool,
    #[serde(default)]
    special: bool,
}

#[derive(Deserialize)]
struct ModelFile {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    vocab: Vocab,
    #[serde(default)]
    merges: Vec<Merge>,
    unk_token: Option<String>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    max_input_chars_per_word: Option<usize>,
    #[serde(default)]
    fuse_unk: Option<bool>,
    #[serde(default)]
    byte_fallback: Option<bool>,
    #[serde(default)]
    ignore_merges: Option<bool>,
}

/// Token to id in the file's order. Unigram has a list here, which is passed over: its model is refused by name.
#[derive(Default)]
struct Vocab(Vec<(String, u32)>);

impl<'de> Deserialize<'de> for Vocab {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Vocab;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of token ids")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocab, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Vocab(entries))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vocab, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Vocab::default())
            }
        }
        deserializer.deserialize_any(Entries)
    }
}

/// A merge rule: `"left right"` or `["left", "right"]`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Pair(String, String),
    Line(String),
}

/// `companions`: `tokenizer_config.json`, `config.json`, `generation_config.json`.
pub(super) fn parts(text: &str, companions: [Option<&Value>; 3]) -> Result<Parts> {
    let file: File = serde_json::from_str(text)
        .map_err(|error| Error::format("tokenizer.json", format!("not a tokenizer: {error}")))?;
    let kind = file.model.kind.as_deref().unwrap_or("BPE"); // files older than the field hold BPE
    if !matches!(kind, "BPE" | "WordPiece") {
        return Err(Error::unsupported(format!("the tokenizer model `{kind}`")));
    }
    let vocabulary = vocabulary(&file)?;
    let mut steps = Steps::default();
    if let Some(normalizer) = &file.normalizer {
        json_steps::normalizer(normalizer, &mut steps)?;
    }
    if let Some(pre_tokenizer) = &file.pre_tokenizer {
        json_steps::pre_tokenizer(pre_tokenizer, &mut steps)?;
    }
    if steps.normalizer.len() + steps.splits.len() > MAX_STEPS {
        return Err(malformed(format!("more than {MAX_STEPS} steps before the model")));
    }
    let (model, kind) = if kind == "BPE" {
        let bpe = bpe(&file.model, steps.byte_level, &vocabulary)?;
        (Model::Bpe(Box::new(bpe)), if steps.byte_level { "byte-level BPE" } else { "BPE" })
    } else {
        (Model::WordPiece(word_piece(&file.model, &vocabulary)?), "WordPiece")
    };
    let decoder = json_steps::decoder(file.decoder.as_ref())?;
    let (raw, normalized) = finders(&file.added_tokens, &steps)?;
    let ends = Ends::read(&file, &vocabulary, companions)?;
    let pipeline =
        Pipeline { raw, normalized, normalizer: steps.normalizer, prefix: steps.prefix, splits: steps.splits, model };
    Ok(Parts {
        tokens: tokens(&file, &decoder)?,
        strip_first_space: decoder.strip_first_space,
        pipeline,
        prefix: ends.prefix,
        suffix: ends.suffix,
        bos: ends.bos,
        eos: ends.eos,
        stop_ids: ends.stop_ids,
        kind,
        pre: file.pre_tokenizer.as_ref().map_or_else(|| "none".into(), json_steps::name),
        vocabulary,
    })
}

/// Token to id, model and added tokens together. A text that stands for two ids is an error, and so is an id past
/// [`MAX_TOKENS`].
fn vocabulary(file: &File) -> Result<Vocabulary> {
    let mut ids = HashMap::with_capacity(file.model.vocab.0.len() + file.added_tokens.len());
    let model = file.model.vocab.0.iter().map(|(token, id)| (token, *id, false));
    let added = file.added_tokens.iter().map(|token| (&token.content, token.id, true));
    for (token, id, is_added) in model.chain(added) {
        if id as usize >= MAX_TOKENS {
            return Err(malformed(format!("the token {token:?} has id {id}; ids below {MAX_TOKENS} are supported")));
        }
        match ids.insert(token.as_str().into(), id) {
            Some(other) if other != id || !is_added => {
                return Err(malformed(format!("the token {token:?} is listed twice, with ids {other} and {id}")));
            }
            _ => {}
        }
    }
    if ids.is_empty() {
        return Err(malformed("the vocabulary is empty"));
    }
    Ok(Vocabulary::new(ids))
}

/// What each id decodes to.
fn tokens(file: &File, decoder: &Decoder) -> Result<Vec<(Kind, Vec<u8>)>> {
    let ids = file.model.vocab.0.iter().map(|(_, id)| *id).chain(file.added_tokens.iter().map(|token| token.id));
    let len = ids.max().map_or(0, |id| id as usize + 1); // below MAX_TOKENS, see `vocabulary`
    let mut tokens = vec![(Kind::Hole, Vec::new()); len];
    let mut total = 0;
    for (token, id) in &file.model.vocab.0 {
        let slot = &mut tokens[*id as usize];
        if slot.0 != Kind::Hole {
            return Err(malformed(format!("two tokens have id {id}, one of them {token:?}")));
        }
        let bytes = decoder.bytes(token)?;
        total += bytes.len();
        if total > MAX_BYTES {
            return Err(malformed(format!("the tokens decode to more than {MAX_BYTES} bytes")));
        }
        *slot = (Kind::Plain, bytes);
    }
    for token in &file.added_tokens {
        let bytes = token.content.as_bytes().to_vec();
        tokens[token.id as usize] = (if token.special { Kind::Special } else { Kind::Plain }, bytes);
    }
    Ok(tokens)
}

/// Finders for the text as it is and for normalized text; of each pair the second leaves control tokens alone.
fn finders(added: &[Added], steps: &Steps) -> Result<([Finder; 2], [Finder; 2])> {
    let finder = |normalized: bool, control: bool| {
        let tokens = added.iter().filter(|token| token.normalized == normalized && (control || !token.special));
        let tokens = tokens.map(|token| {
            let applied = if normalized { &steps.normalizer[..] } else { &[] };
            Ok(AddedToken {
                id: token.id,
                content: normalize(applied, &token.content)?.into_owned(),
                single_word: token.single_word,
                lstrip: token.lstrip,
                rstrip: token.rstrip,
            })
        });
        Finder::new(tokens.collect::<Result<_>>()?)
    };
    Ok(([finder(false, true)?, finder(false, false)?], [finder(true, true)?, finder(true, false)?]))
}

fn bpe(model: &ModelFile, byte_level: bool, vocabulary: &Vocabulary) -> Result<Bpe> {
    let affixes = [&model.continuing_subword_prefix, &model.end_of_word_suffix];
    if affixes.into_iter().flatten().any(|affix| !affix.is_empty()) {
        return Err(Error::unsupported("a BPE tokenizer with word prefixes or suffixes"));
    }
    let unknown = model.unk_token.as_deref().map(|token| known(vocabulary, token, "unknown token")).transpose()?;
    let mut ranks = HashMap::with_capacity(model.merges.len());
    let mut seams = HashSet::new();
    let mut cuts = true;
    for (rank, merge) in (0u32..).zip(&model.merges) {
        let (left, right) = match merge {
            Merge::Pair(left, right) => (left.as_str(), right.as_str()),
            Merge::Line(line) => line.split_once(' ').unwrap_or((line, "")),
        };
        let joined = vocabulary.id(&[left, right].concat());
        let (Some(l), Some(r), Some(joined)) = (vocabulary.id(left), vocabulary.id(right), joined) else {
            return Err(malformed(format!("merge {rank} ({left:?}, {right:?}) does not join two tokens to a third")));
        };
        ranks.entry((l, r)).or_insert((rank, joined));
        seams.extend(left.chars().next_back().zip(right.chars().next()));
        // A byte's token does not end in the character it came from.
        cuts &= fallback_byte(left).is_none() && fallback_byte(right).is_none();
    }
    let mut fallback = Box::new([None; 256]);
    let symbols = if byte_level {
        for (byte, id) in (0u8..=255).zip(fallback.iter_mut()) {
            *id = vocabulary.id(byte_to_char(byte).encode_utf8(&mut [0; 4]));
        }
        Symbols::Bytes(fallback)
    } else {
        let byte_fallback = model.byte_fallback.unwrap_or(false);
        for (byte, id) in (0u8..=255).zip(fallback.iter_mut()).filter(|_| byte_fallback) {
            *id = vocabulary.id(&format!("<0x{byte:02X}>"));
        }
        let fuse_unknown = model.fuse_unk.unwrap_or(false);
        // Unknown characters that are fused to one token must not be cut apart.
        cuts &= !fuse_unknown || fallback.iter().all(Option::is_some);
        Symbols::Chars { fallback: byte_fallback.then_some(fallback), fuse_unknown }
    };
    let whole_words = model.ignore_merges.unwrap_or(false);
    let seams = (cuts && !byte_level && !whole_words).then_some(seams);
    Ok(Bpe { symbols, merges: Merges::Ranked(ranks), unknown, whole_words, seams })
}

fn word_piece(model: &ModelFile, vocabulary: &Vocabulary) -> Result<WordPiece> {
    Ok(WordPiece {
        unknown: known(vocabulary, model.unk_token.as_deref().unwrap_or("[UNK]"), "unknown token")?,
        prefix: model.continuing_subword_prefix.clone().unwrap_or_else(|| "##".into()),
        max_chars: model.max_input_chars_per_word.unwrap_or(100).min(1000),
    })
}

fn known(vocabulary: &Vocabulary, token: &str, what: &str) -> Result<u32> {
    vocabulary.id(token).ok_or_else(|| malformed(format!("the {what} {token:?} is not in the vocabulary")))
}

/// How a text begins and ends.
struct Ends {
    prefix: Vec<u32>,
    suffix: Vec<u32>,
    bos: Option<u32>,
    eos: Option<u32>,
    stop_ids: Vec<u32>,
}

impl Ends {
    fn read(file: &File, vocabulary: &Vocabulary, companions: [Option<&Value>; 3]) -> Result<Ends> {
        let [tokenizer_config, config, generation_config] = companions;
        let (mut prefix, mut suffix) = (Vec::new(), Vec::new());
        if let Some(processor) = &file.post_processor {
            json_steps::post_processor(processor, vocabulary, &mut prefix, &mut suffix)?;
        }
        // By name in tokenizer_config.json, else by number in one of the others.
        let find = |name: &str| {
            let by_name = tokenizer_config.and_then(|config| vocabulary.id(token_text(config.get(name)?)?));
            let key = format!("{name}_id");
            let mut by_id = [config, generation_config].into_iter().flatten().flat_map(|config| ids(config.get(&key)));
            by_name.or_else(|| by_id.next())
        };
        let (bos, eos) = (find("bos_token"), find("eos_token"));
        let special: HashSet<u32> = file.added_tokens.iter().filter(|t| t.special).map(|t| t.id).collect();
        let named = END_TOKENS.iter().filter_map(|name| vocabulary.id(name)).filter(|id| special.contains(id));
        let mut stop_ids: Vec<u32> = named.chain(eos).collect();
        for config in [config, generation_config].into_iter().flatten() {
            stop_ids.extend(ids(config.get("eos_token_id")));
        }
        // An explicit wish in tokenizer_config.json goes before the post-processor.
        let wish = |name: &str| tokenizer_config.and_then(|config| config.get(name)?.as_bool());
        override_end(&mut prefix, bos, wish("add_bos_token"));
        override_end(&mut suffix, eos, wish("add_eos_token"));
        // A file that names neither, alone: the control token that is known to end a text.
        let only_end = || END_TOKENS[..2].iter().filter_map(|name| vocabulary.id(name)).find(|id| special.contains(id));
        let eos = eos.or_else(only_end);
        Ok(Ends { bos: bos.or(prefix.first().copied()), prefix, suffix, eos, stop_ids })
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

/// `"</s>"` or `{"content": "</s>", …}`.
pub(super) fn token_text(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("content")?.as_str())
}

/// A number or a list of numbers.
fn ids(value: Option<&Value>) -> Vec<u32> {
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match value {
        Some(Value::Array(list)) => list.iter().filter_map(id).collect(),
        Some(value) => id(value).into_iter().collect(),
        None => Vec::new(),
    }
}
