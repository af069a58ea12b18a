//! Text to ids and back, by the `tokenizers` crate: its models, normalizers, added vocabulary and most of its other
//! steps. Reads `tokenizer.json` (Hugging Face) and the vocabulary inside a GGUF file.
//!
//! ```text
//! text ─ added tokens cut out ─ normalized ─ split into words ─ BPE, WordPiece or Unigram ─► ids   (pipeline.rs)
//! ids ─ bytes of each token, joined (table.rs) ─► text
//! ```
//! `marian.rs` reads what older models for translation have, `json.rs` with `steps.rs` (and, the other way, `export.rs`), and `gguf.rs` with `vocabulary.rs` and `kinds.rs`, say what a
//! file means, `pre.rs` has the patterns that GGUF names, `build.rs` checks what the crate would trust. Our own are the splitting by pattern (`split.rs`: the crate's loses text silently) and decoding
//! (`table.rs`: the crate gives text, where log-probabilities and streams need the bytes of single tokens).

mod build;
mod bytes;
mod ends;
#[cfg(not(target_arch = "wasm32"))]
mod export;
mod gguf;
mod json;
mod kinds;
mod malformed;
mod marian;
mod parts;
mod pipeline;
mod pre;
mod split;
mod steps;
mod table;
mod vocabulary;

use cresset_numerics::sort_by;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::Result;
use crate::weights::{Checkpoint, Metadata};
use parts::Parts;
use pipeline::Pipeline;
pub use table::StreamDecoder;
use table::{TokenKind, TokenTable};
pub use vocabulary::GgufVocab;

/// A model's tokenizer: immutable, and cheap to share.
pub struct Tokenizer {
    table: Arc<TokenTable>,
    pipeline: Pipeline,
    /// Ids that `add_special` puts before and after a text.
    prefix: Vec<u32>,
    suffix: Vec<u32>,
    bos: Option<u32>,
    eos: Option<u32>,
    stop_ids: Vec<u32>,
    kind: &'static str,
    pre: String,
}

/// Facts about a tokenizer, for `inspect`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// `byte-level BPE`, `BPE`, `SentencePiece BPE`, `WordPiece`, `Unigram` or `WordLevel`.
    pub kind: &'static str,
    /// The pre-tokenizer, by the name the file gives it.
    pub pre_tokenizer: String,
    /// One more than the highest id.
    pub vocab_size: usize,
    /// The id that begins a text.
    pub bos: Option<u32>,
    /// The id that ends a text.
    pub eos: Option<u32>,
    /// The ids put before and after a text by `encode(…, add_special, …)`.
    pub prefix: Vec<u32>,
    /// The ids put behind a text.
    pub suffix: Vec<u32>,
    /// Ids that end a generation; the vocabulary may lack some of them.
    pub stop_ids: Vec<u32>,
}

impl Tokenizer {
    /// Reads Hugging Face's `tokenizer.json`. The other files say which ids begin and end a text, where there are any:
    /// `tokenizer_config.json`, `config.json`, `generation_config.json`.
    ///
    /// # Errors
    /// `MODEL_FORMAT` for a malformed vocabulary, `MODEL_UNSUPPORTED` for a kind that is not built in.
    pub fn from_json(
        tokenizer_json: &str,
        tokenizer_config: Option<&Value>,
        config: Option<&Value>,
        generation_config: Option<&Value>,
    ) -> Result<Self> {
        Self::new(json::parts(tokenizer_json, [tokenizer_config, config, generation_config])?)
    }

    /// Reads the vocabulary in a GGUF header (`tokenizer.ggml.*`): models `gpt2`, `llama`, `bert`, `t5` and
    /// `gemma4`.
    ///
    /// # Errors
    /// `MODEL_FORMAT` for a malformed vocabulary, `MODEL_UNSUPPORTED` for a kind that is not built in.
    pub fn from_gguf(metadata: &Metadata) -> Result<Self> {
        Self::new(gguf::from_metadata(metadata)?)
    }

    /// Builds the tokenizer of a GGUF vocabulary that was read elsewhere.
    ///
    /// # Errors
    /// `MODEL_FORMAT` for a malformed vocabulary, `MODEL_UNSUPPORTED` for a kind that is not built in.
    pub fn from_vocab(vocab: &GgufVocab) -> Result<Self> {
        Self::new(gguf::parts(vocab)?)
    }

    /// Reads Marian's `source.spm` and `vocab.json`.
    ///
    /// # Errors
    /// `MODEL_FORMAT` for a malformed vocabulary, `MODEL_UNSUPPORTED` for one that is no Unigram model.
    pub fn from_marian(source_spm: &[u8], vocab_json: &Value) -> Result<Self> {
        Self::new(marian::parts(source_spm, vocab_json)?)
    }

    /// The tokenizer that a checkpoint brings along; `None` if it has none.
    ///
    /// # Errors
    /// `MODEL_FORMAT` for a malformed vocabulary, `MODEL_UNSUPPORTED` for a kind that is not built in.
    pub fn from_checkpoint(checkpoint: &Checkpoint) -> Result<Option<Self>> {
        if let Some(text) = checkpoint.tokenizer_json() {
            let config = (checkpoint.tokenizer_config(), checkpoint.config(), checkpoint.generation_config());
            return Self::from_json(text, config.0, config.1, config.2).map(Some);
        }
        if let Some((source, ids)) = checkpoint.marian_vocabulary() {
            return Self::from_marian(source, ids).map(Some);
        }
        match checkpoint.metadata().str("tokenizer.ggml.model")? {
            None | Some("none" | "no_vocab") => Ok(None),
            Some(_) => Self::from_gguf(checkpoint.metadata()).map(Some),
        }
    }

    fn new(parts: Parts) -> Result<Self> {
        let table = TokenTable::new(parts.tokens, parts.strip_first_space)?;
        // Companion files may name ids that this vocabulary lacks. The model may have rows for them, and end a text with one.
        let known = |id: &u32| table.get(*id).is_some();
        let mut stop_ids = parts.stop_ids;
        sort_by(&mut stop_ids, u32::cmp);
        stop_ids.dedup();
        Ok(Tokenizer {
            pipeline: parts.pipeline,
            prefix: parts.prefix.into_iter().filter(known).collect(),
            suffix: parts.suffix.into_iter().filter(known).collect(),
            bos: parts.bos.filter(known),
            eos: parts.eos.filter(known),
            stop_ids,
            kind: parts.kind,
            pre: parts.pre,
            table: Arc::new(table),
        })
    }

    /// Text to ids.
    ///
    /// `add_special` adds what the model expects around a text (BOS, EOS); a prompt from a chat template already has it.
    /// With `parse_special`, control tokens written in the text (`<|im_end|>`) become their ids; without it they are
    /// text like any other, which is what a visitor's words must be.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for a text that the normalizer makes too long, and what the crate refuses.
    pub fn encode(&self, text: &str, add_special: bool, parse_special: bool) -> Result<Vec<u32>> {
        let mut ids = Vec::with_capacity(text.len() / 4 + 2);
        if add_special {
            ids.extend_from_slice(&self.prefix);
        }
        self.pipeline.encode(text, parse_special, &mut ids)?;
        if add_special {
            ids.extend_from_slice(&self.suffix);
        }
        Ok(ids)
    }

    /// The text, with marks in it where it spells control tokens: [`Tokenizer::encode`] reads those as text, with or without
    /// `parse_special`. `None` if it spells none.
    pub fn quoted(&self, text: &str) -> Option<String> {
        self.pipeline.quoted(text, |id| self.is_special(id))
    }

    /// A text without the marks of [`Tokenizer::quoted`].
    pub fn unquoted(text: &str) -> String {
        pipeline::unquoted(text)
    }

    /// Ids of a whole text to that text: `decode(encode(text)) == text` for tokenizers that lose nothing. With
    /// `skip_special`, control tokens are left out.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for an id that no token has.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        let mut stream = self.stream().at_text_start();
        if !skip_special {
            stream = stream.with_special();
        }
        let mut text = String::new();
        for &id in ids {
            text.push_str(stream.push(id)?);
        }
        text.push_str(stream.flush());
        Ok(text)
    }

    /// A decoder for ids that continue a prompt, control tokens skipped. It lives independently of the tokenizer.
    pub fn stream(&self) -> StreamDecoder {
        StreamDecoder::new(Arc::clone(&self.table))
    }

    /// One more than the highest id. The model's output may have more rows than that, and some ids may be unused.
    pub fn vocab_size(&self) -> usize {
        self.table.len()
    }

    /// The bytes that a token contributes to a text; not always UTF-8 by themselves. `None` if there is no such token.
    pub fn token_bytes(&self, id: u32) -> Option<Vec<u8>> {
        self.table.get(id).map(|(_, bytes)| bytes.to_vec())
    }

    /// Whether the id is a control token, which decoding skips.
    pub fn is_special(&self, id: u32) -> bool {
        matches!(self.table.get(id), Some((TokenKind::Special, _)))
    }

    /// The id of a token by its text in the vocabulary, as the file spells it (`<|im_end|>`, `Ġthe`, `▁the`).
    pub fn id(&self, token: &str) -> Option<u32> {
        self.pipeline.id(token)
    }

    /// The id that begins a text, whether or not `encode` adds it.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// The id that ends a text.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// All ids that end a generation, in ascending order: end of text, of turn, of message. The vocabulary may lack some.
    pub fn stop_ids(&self) -> &[u32] {
        &self.stop_ids
    }

    /// Facts for `inspect`.
    pub fn info(&self) -> Info {
        Info {
            kind: self.kind,
            pre_tokenizer: self.pre.clone(),
            vocab_size: self.vocab_size(),
            bos: self.bos,
            eos: self.eos,
            prefix: self.prefix.clone(),
            suffix: self.suffix.clone(),
            stop_ids: self.stop_ids.clone(),
        }
    }
}
