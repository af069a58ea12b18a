//! Text to ids and back. Reads `tokenizer.json` (Hugging Face) and the vocabulary inside a GGUF file.
//!
//! ```text
//! text ─ added tokens cut out ─ normalize ─ split into words ─ BPE or WordPiece ─► ids
//!        (added.rs)             (normalize.rs) (split.rs)      (bpe.rs, wordpiece.rs)
//! ids ─ bytes of each token, joined (table.rs) ─► text
//! ```
//! `json.rs` and `gguf.rs` check what the file says and put these parts together. Everything that costs time on long
//! text is linear in it (O(n log n) within a word); everything that a file can claim is checked before it is used.

mod added;
mod bpe;
mod bytes;
mod gguf;
mod json;
mod json_steps;
mod normalize;
mod split;
mod table;
mod wordpiece;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::weights::{Checkpoint, Metadata};
use crate::{Error, Result};
use added::{Finder, Part};
use bpe::Bpe;
pub use gguf::GgufVocab;
pub use table::StreamDecoder;
use table::{Kind, TokenTable};
use wordpiece::WordPiece;

/// Words up to this many bytes are looked up among the words already encoded in this text.
const REMEMBERED_WORD: usize = 64;
/// Words remembered for one text.
const REMEMBERED_WORDS: usize = 1 << 16;

/// A model's tokenizer: immutable, and cheap to share.
pub struct Tokenizer {
    vocabulary: Vocabulary,
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

/// What `inspect` says about a tokenizer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// `byte-level BPE`, `BPE`, `SentencePiece BPE` or `WordPiece`.
    pub kind: &'static str,
    /// The pre-tokenizer, by the name the file gives it.
    pub pre_tokenizer: String,
    pub vocab_size: usize,
    pub bos: Option<u32>,
    pub eos: Option<u32>,
    /// The ids put before and after a text by `encode(…, add_special, …)`.
    pub prefix: Vec<u32>,
    pub suffix: Vec<u32>,
    /// Ids that end a generation.
    pub stop_ids: Vec<u32>,
}

/// Token text to id.
struct Vocabulary {
    ids: HashMap<Box<str>, u32>,
    /// Bytes of the longest token.
    longest: usize,
}

impl Vocabulary {
    fn new(ids: HashMap<Box<str>, u32>) -> Self {
        let longest = ids.keys().map(|token| token.len()).max().unwrap_or(0);
        Vocabulary { ids, longest }
    }

    fn id(&self, text: &str) -> Option<u32> {
        self.ids.get(text).copied()
    }
}

/// What happens to text on its way to ids.
struct Pipeline {
    /// Added tokens looked for in the text as it is: all of them, and those that are no control tokens.
    raw: [Finder; 2],
    /// Added tokens looked for after normalization, likewise.
    normalized: [Finder; 2],
    normalizer: Vec<normalize::Step>,
    prefix: Prefix,
    splits: Vec<split::Split>,
    model: Model,
}

/// What the pre-tokenizer does to a stretch of text before it is split.
enum Prefix {
    None,
    /// GPT-2's `add_prefix_space`.
    Space,
    /// Metaspace: spaces become `mark`, and one is put in front of every stretch, of the first one, or of none.
    Metaspace {
        mark: char,
        always: bool,
        first: bool,
    },
}

enum Model {
    Bpe(Box<Bpe>),
    WordPiece(WordPiece),
}

/// What `json.rs` and `gguf.rs` read out of a file.
struct Parts {
    /// By id; the table of decoded bytes.
    tokens: Vec<(Kind, Vec<u8>)>,
    vocabulary: Vocabulary,
    strip_first_space: bool,
    pipeline: Pipeline,
    prefix: Vec<u32>,
    suffix: Vec<u32>,
    bos: Option<u32>,
    eos: Option<u32>,
    stop_ids: Vec<u32>,
    kind: &'static str,
    pre: String,
}

impl Tokenizer {
    /// Reads Hugging Face's `tokenizer.json`. The other files say which ids begin and end a text, where there are any:
    /// `tokenizer_config.json`, `config.json`, `generation_config.json`.
    ///
    /// [`Error::Format`] for a malformed file, [`Error::Unsupported`] for a kind of tokenizer that is not built in.
    pub fn from_json(
        tokenizer_json: &str,
        tokenizer_config: Option<&Value>,
        config: Option<&Value>,
        generation_config: Option<&Value>,
    ) -> Result<Self> {
        Self::new(json::parts(tokenizer_json, [tokenizer_config, config, generation_config])?)
    }

    /// Reads the vocabulary in a GGUF header (`tokenizer.ggml.*`): models `gpt2`, `llama` and `bert`.
    pub fn from_gguf(metadata: &Metadata) -> Result<Self> {
        gguf::from_metadata(metadata)
    }

    /// Builds the tokenizer of a GGUF vocabulary that was read elsewhere.
    pub fn from_vocab(vocab: &GgufVocab) -> Result<Self> {
        Self::new(gguf::parts(vocab)?)
    }

    /// The tokenizer that a checkpoint brings along; `None` if it has none.
    pub fn from_checkpoint(checkpoint: &Checkpoint) -> Result<Option<Self>> {
        if let Some(text) = checkpoint.tokenizer_json() {
            let config = (checkpoint.tokenizer_config(), checkpoint.config(), checkpoint.generation_config());
            return Self::from_json(text, config.0, config.1, config.2).map(Some);
        }
        if checkpoint.metadata().get("tokenizer.ggml.model").is_none() {
            return Ok(None);
        }
        Self::from_gguf(checkpoint.metadata()).map(Some)
    }

    fn new(parts: Parts) -> Result<Self> {
        let table = TokenTable::new(parts.tokens, parts.strip_first_space)?;
        // Companion files may name ids that this vocabulary lacks.
        let known = |id: &u32| table.get(*id).is_some();
        let mut stop_ids = parts.stop_ids;
        stop_ids.retain(known);
        stop_ids.sort_unstable();
        stop_ids.dedup();
        Ok(Tokenizer {
            vocabulary: parts.vocabulary,
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
    pub fn encode(&self, text: &str, add_special: bool, parse_special: bool) -> Result<Vec<u32>> {
        let mut ids = Vec::with_capacity(text.len() / 4 + 2);
        if add_special {
            ids.extend_from_slice(&self.prefix);
        }
        self.pipeline.encode(text, &self.vocabulary, usize::from(!parse_special), &mut ids)?;
        if add_special {
            ids.extend_from_slice(&self.suffix);
        }
        Ok(ids)
    }

    /// Ids of a whole text to that text: `decode(encode(text)) == text` for tokenizers that lose nothing. With
    /// `skip_special`, control tokens are left out. An id that no token has is [`Error::InvalidRequest`].
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
        matches!(self.table.get(id), Some((Kind::Special, _)))
    }

    /// The id of a token by its text in the vocabulary, as the file spells it (`<|im_end|>`, `Ġthe`, `▁the`).
    pub fn id(&self, token: &str) -> Option<u32> {
        self.vocabulary.id(token)
    }

    /// The id that begins a text, whether or not `encode` adds it.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// The id that ends a text.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// All ids that end a generation, in ascending order: end of text, of turn, of message.
    pub fn stop_ids(&self) -> &[u32] {
        &self.stop_ids
    }

    /// What `inspect` shows.
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

impl Pipeline {
    /// Appends the ids of `text`. `which` selects among the finders: 0 all added tokens, 1 no control tokens.
    fn encode(&self, text: &str, vocabulary: &Vocabulary, which: usize, ids: &mut Vec<u32>) -> Result<()> {
        let mut first = true;
        self.raw[which].cut(text, &mut |part| {
            match part {
                Part::Token(id) => ids.push(id),
                Part::Text(text) => {
                    let text = normalize::normalize(&self.normalizer, text)?;
                    self.normalized[which].cut(&text, &mut |part| {
                        match part {
                            Part::Token(id) => ids.push(id),
                            Part::Text(text) => self.encode_plain(text, first, vocabulary, ids)?,
                        }
                        first = false;
                        Ok(())
                    })?;
                }
            }
            first = false;
            Ok(())
        })
    }

    /// Appends the ids of text without added tokens.
    fn encode_plain(&self, text: &str, first: bool, vocabulary: &Vocabulary, ids: &mut Vec<u32>) -> Result<()> {
        let text = self.prefix.apply(text, first);
        // Words seen in this text, with the place where their ids stand.
        let mut seen: HashMap<&str, Range<usize>> = HashMap::new();
        self.words(&text, &self.splits, &mut |word| {
            if let Some(range) = seen.get(word) {
                ids.extend_from_within(range.clone());
                return Ok(());
            }
            let start = ids.len();
            match &self.model {
                Model::Bpe(bpe) => bpe.encode(word, vocabulary, ids)?,
                Model::WordPiece(wordpiece) => wordpiece.encode(word, vocabulary, ids)?,
            }
            if word.len() <= REMEMBERED_WORD && seen.len() < REMEMBERED_WORDS {
                seen.insert(word, start..ids.len());
            }
            Ok(())
        })
    }

    /// Calls `each` with the words of `text` in order.
    fn words<'t>(
        &self,
        text: &'t str,
        splits: &[split::Split],
        each: &mut dyn FnMut(&'t str) -> Result<()>,
    ) -> Result<()> {
        match (splits, &self.model) {
            ([split, rest @ ..], _) => split.split(text, &mut |word| self.words(word, rest, each)),
            ([], Model::Bpe(bpe)) => bpe.cut(text, each),
            ([], Model::WordPiece(_)) => each(text),
        }
    }
}

impl Prefix {
    fn apply<'t>(&self, text: &'t str, first_stretch: bool) -> Cow<'t, str> {
        match *self {
            Prefix::Space if !text.starts_with(' ') => format!(" {text}").into(),
            Prefix::None | Prefix::Space => text.into(),
            Prefix::Metaspace { mark, always, first } => {
                let mut marked = text.replace(' ', mark.encode_utf8(&mut [0; 4]));
                if (always || (first && first_stretch)) && !marked.starts_with(mark) {
                    marked.insert(0, mark);
                }
                marked.into()
            }
        }
    }
}

/// Names of control tokens that end a turn or a text in the families of models that use them. A file declares such a
/// token as a control token and often names only one of several as its end of text.
const END_TOKENS: [&str; 16] = [
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<end_of_turn>",
    "<|end_of_turn|>",
    "<|endofturn|>",
    "<|return|>",
    "<|call|>",
    "<EOT>",
    "<eot>",
    "<turn|>",
    "<|end_of_role|>",
    "<｜end▁of▁sentence｜>",
];

/// An error about what the tokenizer's file says.
fn malformed(reason: impl Into<String>) -> Error {
    Error::format("tokenizer", reason)
}
