//! The vocabulary inside a GGUF file: reads its keys (`tokenizer.ggml.*`; the GGUF specification in ggml's `docs/gguf.md`,
//! behaviour as in llama.cpp), and has `kinds.rs` build the kind of tokenizer that it is for.

use std::borrow::Cow;

use super::kinds;
use super::malformed::malformed;
use super::parts::Parts;
use super::vocabulary::{GgufVocab, Vocabulary};
use crate::weights::{Array, Metadata, Value};
use crate::{Error, Result};

pub(super) fn from_metadata(metadata: &Metadata) -> Result<Parts> {
    let key = |name: &str| format!("tokenizer.ggml.{name}");
    let id = |name: &str| -> Result<Option<u32>> {
        let key = key(name);
        if matches!(metadata.get(&key), Some(Value::I32(-1) | Value::I64(-1))) {
            return Ok(Some(u32::MAX)); // "none" in a signed type
        }
        Ok(metadata.u64(&key)?.and_then(|id| u32::try_from(id).ok())) // past any vocabulary: as if it were left out
    };
    let model = metadata.str(&key("model"))?.ok_or_else(|| malformed("tokenizer.ggml.model is missing"))?;
    let tokens = metadata.strings(&key("tokens"))?.ok_or_else(|| malformed("tokenizer.ggml.tokens is missing"))?;
    let charsmap = match metadata.get(&key("precompiled_charsmap")) {
        Some(Value::Array(Array::U8(bytes))) => Some(Cow::Borrowed(bytes.as_slice())),
        Some(Value::Array(Array::I8(bytes))) => Some(bytes.iter().map(|byte| *byte as u8).collect()),
        Some(_) => return Err(malformed("tokenizer.ggml.precompiled_charsmap is no array of bytes")),
        None => None,
    };
    let scores = metadata.f32s(&key("scores"))?;
    let token_types = metadata.i32s(&key("token_type"))?;
    let vocab = GgufVocab {
        name: metadata.str("general.name")?,
        model,
        pre: metadata.str(&key("pre"))?,
        tokens,
        scores: scores.as_deref(),
        token_types: token_types.as_deref(),
        merges: metadata.strings(&key("merges"))?,
        bos: id("bos_token_id")?,
        eos: id("eos_token_id")?,
        eot: id("eot_token_id")?,
        eom: id("eom_token_id")?,
        unk: id("unknown_token_id")?,
        sep: id("seperator_token_id")?, // the specification's spelling
        cls: id("cls_token_id")?,
        add_bos: metadata.bool(&key("add_bos_token"))?,
        add_eos: metadata.bool(&key("add_eos_token"))?,
        add_sep: metadata.bool(&key("add_sep_token"))?,
        add_space_prefix: metadata.bool(&key("add_space_prefix"))?,
        remove_extra_whitespaces: metadata.bool(&key("remove_extra_whitespaces"))?,
        precompiled_charsmap: charsmap.as_deref(),
        lowercase: metadata.bool(&key("normalizer.lowercase"))?,
        strip_accents: metadata.bool(&key("normalizer.strip_accents"))?,
    };
    parts(&vocab)
}

pub(super) fn parts(vocab: &GgufVocab) -> Result<Parts> {
    let vocab = Vocabulary::new(vocab)?;
    match vocab.file.model {
        "gpt2" | "gemma4" => kinds::byte_pair(&vocab),
        "llama" => kinds::sentencepiece(&vocab),
        "bert" => kinds::wordpiece(&vocab),
        "t5" => kinds::unigram(&vocab),
        other => Err(Error::Unsupported {
            what: format!("the tokenizer model `{other}`"),
            hint: "; known are gpt2, llama, bert, t5, gemma4".into(),
        }),
    }
}
