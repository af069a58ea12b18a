//! `tokenizer.json` → the keys of a GGUF vocabulary. Where GGUF has no words for a step, `MODEL_UNSUPPORTED` names it; that
//! the two make the same ids is tried on texts afterwards ([`Tokenizer::differs_from`]).

use serde_json::Value as Json;

use super::Tokenizer;
use super::bytes::fallback_byte;
use super::json::{File, Merge};
use super::malformed::malformed;
use super::pre::{GPT2, PRE_TOKENIZERS};
use super::steps::{flatten, name};
use super::vocabulary::{BYTE, CONTROL, MARK, NORMAL, UNKNOWN, UNUSED, USER_DEFINED};
use crate::weights::Value;
use crate::{Error, Result};

/// Texts on which two forms of a tokenizer must agree: scripts, numbers, white space, code, what has several spellings.
const TRIED: [&str; 14] = [
    "The quick brown fox jumps over the lazy dog. It's 1,234.56 + 7 = 1,241.56!",
    "  two  spaces\tand\ttabs\n\nnew lines \r\n  end ",
    "naïve café – “quotes” … ½ £ € ™ №5",
    "Ελληνικά, русский, українська, עברית, العربية",
    "今天天气很好。東京は日本の首都です。한국어 문장",
    "สวัสดีชาวโลก नमस्ते दुनिया",
    "😀🎉 👩‍👩‍👧 \u{a0}\u{3000}",
    "def f(x):\n    return {\"a\": [x ** 2, 'b']}  # comment",
    "https://example.org/a?b=c&d=%20#e_f-g.h",
    "don't CAN'T we'll I'VE HTTPServer camelCase snake_case",
    "0123456789 00 007 3.14159 1e-9 ２３",
    "aaaaaaaaaaaaaaaa ---- ==== ....",
    "A",
    "",
];

impl Tokenizer {
    /// The keys of a GGUF vocabulary that means the same as a checkpoint's `tokenizer.json`, of which this was made; each
    /// of `rows` ids gets a token.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where GGUF has no words for a step.
    pub fn gguf_keys(&self, tokenizer_json: &str, rows: usize) -> Result<Vec<(String, Value)>> {
        keys(tokenizer_json, self, rows)
    }

    /// A text of which the two make different ids, if one is found among a few.
    pub fn differs_from(&self, other: &Tokenizer) -> Option<&'static str> {
        difference(self, other)
    }
}

/// The keys, with their values. `rows`: of the embedding table, each of which gets a token.
fn keys(text: &str, tokenizer: &Tokenizer, rows: usize) -> Result<Vec<(String, Value)>> {
    let file: File = serde_json::from_str(text)
        .map_err(|error| Error::format("tokenizer.json", format!("not a tokenizer: {error}")))?;
    let kind = file.model.kind.as_deref().unwrap_or("BPE");
    let (model, pre) = match (kind, tokenizer.kind) {
        ("BPE", "byte-level BPE") => ("gpt2", pre_tokenizer(&file)?),
        ("BPE", _) => ("llama", "default"),
        ("WordPiece", _) => ("bert", "default"),
        (other, _) => return Err(no_form(&format!("the tokenizer model {other}"))),
    };
    let mut keys: Vec<(&str, Value)> = vec![("model", model.into()), ("pre", pre.into())];
    let (tokens, types) = table(&file, model, rows)?;
    match model {
        "gpt2" => keys.push(("merges", file.model.merges.iter().map(line).collect::<Vec<_>>().into())),
        "llama" => {
            keys.push(("scores", scores(&file, &tokens).into()));
            keys.push(("add_space_prefix", puts_space_before(&file)?.into()));
        }
        _ => {
            for (key, field) in [("normalizer.lowercase", "lowercase"), ("normalizer.strip_accents", "strip_accents")] {
                if let Some(on) = file.normalizer[field].as_bool() {
                    keys.push((key, on.into()));
                }
            }
        }
    }
    let id = |text: Option<&str>| tokens.iter().position(|token| Some(token.as_str()) == text).map(|id| id as u32);
    let (first, last) = (tokenizer.prefix.first().copied(), tokenizer.suffix.last().copied());
    let ends = match model {
        "bert" => [("cls_token_id", first), ("seperator_token_id", last), ("mask_token_id", id(Some("[MASK]")))],
        _ => {
            [("bos_token_id", tokenizer.bos), ("eos_token_id", tokenizer.eos), ("eot_token_id", end_of_turn(tokenizer))]
        }
    };
    let unknown = ("unknown_token_id", id(file.model.unk_token.as_deref()));
    keys.extend(ends.into_iter().chain([unknown]).filter_map(|(key, id)| Some((key, id?.into()))));
    if model != "bert" {
        keys.push(("add_bos_token", (first.is_some() && first == tokenizer.bos).into()));
        keys.push(("add_eos_token", (last.is_some() && last == tokenizer.eos).into()));
    }
    keys.push(("tokens", tokens.into()));
    keys.push(("token_type", types.into()));
    Ok(keys.into_iter().map(|(key, value)| (format!("tokenizer.ggml.{key}"), value)).collect())
}

/// The first of the texts that two tokenizers take apart differently.
fn difference(a: &Tokenizer, b: &Tokenizer) -> Option<&'static str> {
    // A text that neither can write is one on which they agree.
    let ids = |tokenizer: &Tokenizer, text| tokenizer.encode(text, true, true).ok();
    TRIED.into_iter().find(|text| ids(a, text) != ids(b, text))
}

fn no_form(what: &str) -> Error {
    Error::Unsupported { what: format!("{what} in GGUF"), hint: "; load the safetensors as they are".into() }
}

/// GGUF's name of how a byte-level vocabulary's text is cut into words.
fn pre_tokenizer(file: &File) -> Result<&'static str> {
    let mut patterns: Vec<&str> = Vec::new();
    for step in flatten(&file.pre_tokenizer, "pretokenizers")? {
        let on = |field: &str, default: bool| step[field].as_bool().unwrap_or(default);
        match (step["type"].as_str().unwrap_or_default(), step["pattern"]["Regex"].as_str()) {
            ("Split", Some(pattern)) if step["behavior"] == "Isolated" && !on("invert", false) => {
                patterns.push(pattern);
            }
            ("Digits", _) => patterns.push(if on("individual_digits", false) { r"\p{N}" } else { r"\p{N}+" }),
            ("ByteLevel", _) if !on("add_prefix_space", true) => {
                if on("use_regex", true) {
                    patterns.push(GPT2);
                }
            }
            _ => return Err(no_form(&format!("the pre-tokenizer {}", name(step)))),
        }
    }
    // GGUF cannot express normalisers that compose characters; they change few texts.
    if let Some(step) = flatten(&file.normalizer, "normalizers")?.into_iter().find(|step| step["type"] != "NFC") {
        return Err(no_form(&format!("the normalizer {}", name(step))));
    }
    let whole_words = file.model.ignore_merges.unwrap_or(false);
    let same = PRE_TOKENIZERS
        .iter()
        .find(|pre| pre.patterns == patterns && pre.whole_words == whole_words && !pre.sentencepiece);
    let what = || no_form(&format!("a pre-tokenizer with the pattern {}", patterns.join(" then ")));
    same.and_then(|pre| pre.names.first().copied()).ok_or_else(what)
}

/// Whether a text gets a space in front.
fn puts_space_before(file: &File) -> Result<bool> {
    let mut before = false;
    for step in flatten(&file.normalizer, "normalizers")? {
        match step["type"].as_str().unwrap_or_default() {
            "Prepend" if step["prepend"] == MARK => before = true,
            "Replace" if step["pattern"]["String"] == " " && step["content"] == MARK => {}
            _ => return Err(no_form(&format!("the normalizer {}", name(step)))),
        }
    }
    for step in flatten(&file.pre_tokenizer, "pretokenizers")? {
        match step["type"].as_str().unwrap_or_default() {
            "Metaspace" => before |= step["prepend_scheme"] != "never" && step["add_prefix_space"] != Json::Bool(false),
            "Split" => {} // between words, where no token reaches
            _ => return Err(no_form(&format!("the pre-tokenizer {}", name(step)))),
        }
    }
    Ok(before)
}

/// Every row's token and type.
fn table(file: &File, model: &str, rows: usize) -> Result<(Vec<String>, Vec<i32>)> {
    let ids = file.model.vocab.tokens.iter().map(|(_, id)| *id).chain(file.added_tokens.iter().map(|token| token.id));
    let n = ids.max().map_or(0, |id| id as usize + 1);
    if n > rows {
        return Err(malformed(format!("the vocabulary has ids up to {n}, and the model only {rows} rows for them")));
    }
    let mut tokens: Vec<String> = (0..rows).map(|id| format!("[PAD{id}]")).collect();
    let mut types = vec![UNUSED; rows];
    let unknown = file.model.unk_token.as_deref();
    let prefix = file.model.continuing_subword_prefix.as_deref().unwrap_or("##");
    for (token, id) in &file.model.vocab.tokens {
        let at = *id as usize;
        types[at] = match token.as_str() {
            token if model == "llama" && Some(token) == unknown => UNKNOWN,
            token if model == "llama" && fallback_byte(token).is_some() => BYTE,
            _ => NORMAL,
        };
        tokens[at] = match (model, token.strip_prefix(prefix)) {
            ("bert", Some(piece)) => piece.to_string(),
            ("bert", None) => format!("{MARK}{token}"),
            _ => token.clone(),
        };
    }
    for token in &file.added_tokens {
        let at = token.id as usize;
        tokens[at] = token.content.clone();
        types[at] = match (token.special, model == "llama" && Some(token.content.as_str()) == unknown) {
            (_, true) => UNKNOWN,
            (true, _) => CONTROL,
            (false, _) => USER_DEFINED,
        };
    }
    Ok((tokens, types))
}

/// Scores that order SentencePiece's merges: the sooner a token is made, the higher its score.
fn scores(file: &File, tokens: &[String]) -> Vec<f32> {
    let merges = &file.model.merges;
    let mut made = std::collections::HashMap::with_capacity(merges.len());
    for (rank, merge) in merges.iter().enumerate() {
        let (left, right) = merge.sides();
        made.entry(left + &right).or_insert(rank);
    }
    let score = |(id, token)| -(made.get(token).copied().unwrap_or(merges.len() + id) as f32);
    tokens.iter().enumerate().map(score).collect()
}

fn line(merge: &Merge) -> String {
    let (left, right) = merge.sides();
    format!("{left} {right}")
}

/// A token besides the end of text at which an answer ends.
fn end_of_turn(tokenizer: &Tokenizer) -> Option<u32> {
    tokenizer.stop_ids.iter().copied().find(|id| Some(*id) != tokenizer.eos)
}
