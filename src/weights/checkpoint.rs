//! A model's files, opened: headers parsed, tensors ready to be read.

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use crate::error::{Error, MemoryLimit, Result};

use super::files::{Files, Sorted, ambiguous, base_name};
use super::foreign;
use super::gguf::{self, Gguf};
use super::metadata::Metadata;
use super::python_json::plain_json;
use super::safetensors::{self, Index};
use super::source::{Source, read_exact};
use super::special_tokens::with_older_files;
use super::tensor::TensorInfo;
use super::whisper_cpp::{self, HubFiles, WhisperCpp};
use cresset_numerics::sort_by;

/// Bytes of a JSON or template file beside the weights; the largest tokenizers take about 35 MB.
const MAX_TEXT: u64 = 128 << 20;

/// The kind of file the weights came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// GGUF.
    Gguf {
        /// 2 or 3.
        version: u32,
    },
    /// Hugging Face's safetensors.
    Safetensors,
    /// whisper.cpp's `ggml-*.bin`, opened as what Hugging Face's hub has of the same model.
    WhisperCpp,
}

/// An opened model: what its headers say, and its tensors' bytes on demand.
pub struct Checkpoint {
    files: Files,
    name: String,
    kind: FileFormat,
    metadata: Metadata,
    tensors: Vec<TensorInfo>,
    by_name: HashMap<String, usize>,
    /// The weight files; `TensorInfo::file` counts in them.
    sources: Vec<Rc<dyn Source>>,
    config: Option<serde_json::Value>,
    tokenizer_json: Option<String>,
    tokenizer_config: Option<serde_json::Value>,
    generation_config: Option<serde_json::Value>,
    preprocessor_config: Option<serde_json::Value>,
    projector: Option<Rc<dyn Source>>,
    /// Marian's `source.spm` and `vocab.json`.
    marian_vocabulary: Option<(Vec<u8>, serde_json::Value)>,
    chat_template: Option<String>,
    chat_template_json: Option<serde_json::Value>,
    adapter_config: Option<serde_json::Value>,
    modules: Option<Vec<serde_json::Value>>,
    pooling: Option<serde_json::Value>,
}

impl Checkpoint {
    /// Reads the headers, checks them against the files' lengths, and reads the JSON files beside the weights.
    ///
    /// # Errors
    /// `MODEL_FORMAT` for what is malformed, truncated or no model at all, `MODEL_UNSUPPORTED` for GGUF version 1, big-endian files and
    /// unknown tensor types, `MODEL_NOT_FOUND` for a missing part, `INVALID_REQUEST` if the files are several models.
    pub async fn open(files: Files) -> Result<Checkpoint> {
        let kept = files.clone();
        let Sorted {
            config,
            tokenizer,
            tokenizer_config,
            special_tokens_map,
            added_tokens,
            generation_config,
            preprocessor_config,
            source_pieces,
            vocab,
            processor_config,
            chat_template,
            chat_template_json,
            adapter_config,
            modules,
            pooling,
            index,
            projector,
            weights,
        } = files.sort()?;
        let opened = match &index {
            Some(index) => open_shards(index.as_ref(), weights).await?,
            None => open_weights(weights).await?,
        };
        let (config, generation_config, tokenizer_json) = match opened.beside {
            Some(HubFiles { config, generation_config, tokenizer_json }) => {
                (own_json(&config)?, own_json(&generation_config)?, Some(tokenizer_json))
            }
            None => (
                json(config.as_deref()).await?,
                json(generation_config.as_deref()).await?,
                json_text(tokenizer.as_deref()).await?,
            ),
        };
        let name = index.as_deref().unwrap_or(opened.sources[0].as_ref()).name();
        Ok(Checkpoint {
            files: kept,
            name: base_name(name).to_owned(),
            kind: opened.kind,
            by_name: opened.tensors.iter().enumerate().map(|(i, t)| (t.name.clone(), i)).collect(),
            metadata: opened.metadata,
            tensors: opened.tensors,
            sources: opened.sources,
            config,
            tokenizer_json,
            tokenizer_config: with_older_files(
                json(tokenizer_config.as_deref()).await?,
                json(special_tokens_map.as_deref()).await?,
                json(added_tokens.as_deref()).await?,
            ),
            generation_config,
            projector,
            marian_vocabulary: match (&source_pieces, &tokenizer) {
                (Some(source), None) => json(vocab.as_deref()).await?.zip(Some(read_small(source.as_ref()).await?)),
                _ => None,
            }
            .map(|(ids, pieces)| (pieces, ids)),
            preprocessor_config: match json(preprocessor_config.as_deref()).await? {
                None => json(processor_config.as_deref()).await?.map(|mut config| config["image_processor"].take()),
                config => config,
            }
            .filter(serde_json::Value::is_object),
            chat_template: text(chat_template.as_deref()).await?,
            chat_template_json: json(chat_template_json.as_deref()).await?,
            adapter_config: json(adapter_config.as_deref()).await?,
            modules: json_list(modules.as_deref()).await?,
            pooling: json(pooling.as_deref()).await?,
        })
    }

    /// The files it was opened from, to open it again.
    pub fn files(&self) -> Files {
        self.files.clone()
    }

    /// The name of the weights' file, or of the index if there is one.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which kind of file the weights are in.
    pub fn file_format(&self) -> FileFormat {
        self.kind
    }

    /// The names of all weight files.
    pub fn file_names(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(|source| source.name())
    }

    /// Bytes of all weight files.
    pub fn file_bytes(&self) -> u64 {
        self.sources.iter().map(|source| source.len()).sum()
    }

    /// GGUF's key/value pairs; empty for safetensors.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// `config.json`, an object.
    pub fn config(&self) -> Option<&serde_json::Value> {
        self.config.as_ref()
    }

    /// The text of `tokenizer.json`.
    pub fn tokenizer_json(&self) -> Option<&str> {
        self.tokenizer_json.as_deref()
    }

    /// Marian's `source.spm` and `vocab.json`, where there is no `tokenizer.json`.
    pub fn marian_vocabulary(&self) -> Option<(&[u8], &serde_json::Value)> {
        self.marian_vocabulary.as_ref().map(|(pieces, ids)| (pieces.as_slice(), ids))
    }

    /// `tokenizer_config.json`, an object; with what `special_tokens_map.json` and `added_tokens.json` add to an older one.
    pub fn tokenizer_config(&self) -> Option<&serde_json::Value> {
        self.tokenizer_config.as_ref()
    }

    /// The half of the model that sees, where it is a file of its own (`mmproj`).
    pub fn projector(&self) -> Option<Files> {
        self.projector.clone().map(Files::of)
    }

    /// `preprocessor_config.json`, or the part of `processor_config.json` about pictures: an object.
    pub fn preprocessor_config(&self) -> Option<&serde_json::Value> {
        self.preprocessor_config.as_ref()
    }

    /// `generation_config.json`, an object.
    pub fn generation_config(&self) -> Option<&serde_json::Value> {
        self.generation_config.as_ref()
    }

    /// The text of `chat_template.jinja`.
    pub fn chat_template_file(&self) -> Option<&str> {
        self.chat_template.as_deref()
    }

    /// `chat_template.json`, an object.
    pub fn chat_template_json(&self) -> Option<&serde_json::Value> {
        self.chat_template_json.as_ref()
    }

    /// `adapter_config.json`, an object: PEFT's or MLX's, beside a LoRA adapter.
    pub fn adapter_config(&self) -> Option<&serde_json::Value> {
        self.adapter_config.as_ref()
    }

    /// Whether these files are a LoRA adapter's rather than a model's.
    pub fn is_adapter(&self) -> bool {
        if matches!(self.kind, FileFormat::Gguf { .. }) {
            return self.metadata.str("general.type").ok().flatten() == Some("adapter");
        }
        // Without either configuration its tensors tell: PEFT's `lora_A`, mlx-lm's `lora_a`.
        let by_name = || self.tensors.iter().any(|t| t.name.to_ascii_lowercase().contains(".lora_a"));
        self.config.is_none() && (self.adapter_config.is_some() || by_name())
    }

    /// `modules.json`: what sentence-transformers runs, one module after the other.
    pub fn modules(&self) -> Option<&[serde_json::Value]> {
        self.modules.as_deref()
    }

    /// `1_Pooling/config.json`, an object: how sentence-transformers makes a vector of a sequence.
    pub fn pooling(&self) -> Option<&serde_json::Value> {
        self.pooling.as_ref()
    }

    /// All tensors, file by file.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = &TensorInfo> {
        self.tensors.iter()
    }

    /// A tensor by its name in the file.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.by_name.get(name).map(|&i| &self.tensors[i])
    }

    /// The bytes of some rows as they lie in the file. A row is the last dimension; the leading ones are flattened.
    ///
    /// # Errors
    /// The source's own (`STORAGE`, `DOWNLOAD`), and `OUT_OF_MEMORY` for more bytes than memory can address.
    pub async fn read_rows(&self, tensor: &TensorInfo, rows: Range<usize>) -> Result<Vec<u8>> {
        if rows.start > rows.end || rows.end > tensor.rows() {
            let why = format!("rows {rows:?} were wanted of {}, which has {}", tensor.name, tensor.rows());
            return Err(Error::Internal(why));
        }
        let row_bytes = tensor.row_bytes();
        // Below `tensor.bytes`, which was checked against the file.
        self.read(tensor, rows.start as u64 * row_bytes, (rows.end - rows.start) as u64 * row_bytes).await
    }

    /// All the bytes of a tensor.
    ///
    /// # Errors
    /// As [`Checkpoint::read_rows`].
    pub async fn read_all(&self, tensor: &TensorInfo) -> Result<Vec<u8>> {
        self.read(tensor, 0, tensor.bytes).await
    }

    async fn read(&self, tensor: &TensorInfo, start: u64, len: u64) -> Result<Vec<u8>> {
        let Some(source) = self.sources.get(tensor.file) else {
            return Err(Error::Internal(format!("{} is a tensor of another model", tensor.name)));
        };
        if len > isize::MAX as u64 {
            let limit = MemoryLimit::Platform;
            return Err(Error::OutOfMemory { what: tensor.name.clone(), need_mb: len >> 20, limit });
        }
        read_exact(source.as_ref(), tensor.offset + start, len as usize).await
    }
}

/// The weight files, their headers read.
struct Opened {
    kind: FileFormat,
    metadata: Metadata,
    tensors: Vec<TensorInfo>,
    sources: Vec<Rc<dyn Source>>,
    /// Of a file of whisper.cpp's, what would else be files beside it.
    beside: Option<HubFiles>,
}

/// One file of whichever kind, all parts of a split GGUF, or all parts of a safetensors model.
async fn open_weights(sources: Vec<Rc<dyn Source>>) -> Result<Opened> {
    let mut ggufs = vec![];
    let mut tensors = vec![];
    for (i, source) in sources.iter().enumerate() {
        match read_header(source.as_ref()).await? {
            Header::Gguf(gguf) => ggufs.push(gguf),
            Header::Safetensors(more) => tensors.extend(more.into_iter().map(|t| TensorInfo { file: i, ..t })),
            Header::WhisperCpp(_) if sources.len() > 1 => return Err(ambiguous(&sources)),
            Header::WhisperCpp(WhisperCpp { beside, tensors }) => {
                let kind = FileFormat::WhisperCpp;
                return Ok(Opened { kind, metadata: Metadata::default(), tensors, sources, beside: Some(beside) });
            }
        }
    }
    if ggufs.is_empty() {
        check_unique(sources[0].name(), &tensors)?;
        return Ok(Opened {
            kind: FileFormat::Safetensors,
            metadata: Metadata::default(),
            tensors,
            sources,
            beside: None,
        });
    }
    if !tensors.is_empty() || ggufs.len() < sources.len() {
        return Err(Error::format(sources[0].name(), "some parts are GGUF and some safetensors"));
    }
    join_gguf(ggufs, sources)
}

/// Joins the parts of a split GGUF. The first part has the metadata; each has its own tensors.
fn join_gguf(ggufs: Vec<Gguf>, sources: Vec<Rc<dyn Source>>) -> Result<Opened> {
    let mut parts = vec![];
    for (gguf, source) in ggufs.into_iter().zip(sources) {
        let n_parts = gguf.metadata.usize("split.count")?.unwrap_or(1);
        let part = gguf.metadata.usize("split.no")?.unwrap_or(0);
        parts.push((part, n_parts, gguf, source));
    }
    sort_by(&mut parts, |a, b| a.0.cmp(&b.0));
    let n_parts = parts[0].1;
    if n_parts <= 1 && parts.len() > 1 {
        let names: Vec<&str> = parts.iter().map(|part| part.3.name()).collect();
        let why = format!("there are several models ({}); name the one file to load", names.join(", "));
        return Err(Error::invalid("model", why));
    }
    let first = base_name(parts[0].3.name()).to_owned();
    let absent = (0..n_parts).find(|&n| parts.get(n).is_none_or(|part| part.0 != n));
    if let (Some(n), true) = (absent, n_parts > 1) {
        return Err(Error::ModelNotFound {
            what: format!("part {} of {n_parts} of the split model {first}", n + 1),
            hint: "; a split GGUF needs all its parts together".into(),
        });
    }
    if parts.len() > n_parts.max(1) || parts.iter().any(|part| part.1 != n_parts) {
        return Err(Error::format(first, "the parts do not belong to one split model"));
    }

    let kind = FileFormat::Gguf { version: parts[0].2.version };
    let metadata = std::mem::take(&mut parts[0].2.metadata);
    let (mut sources, mut tensors) = (vec![], vec![]);
    for (i, (_, _, gguf, source)) in parts.into_iter().enumerate() {
        tensors.extend(gguf.tensors.into_iter().map(|t| TensorInfo { file: i, ..t }));
        sources.push(source);
    }
    check_unique(&first, &tensors)?;
    Ok(Opened { kind, metadata, tensors, sources, beside: None })
}

/// The files that an index names.
async fn open_shards(index: &dyn Source, mut files: Vec<Rc<dyn Source>>) -> Result<Opened> {
    let index_name = base_name(index.name());
    let json = json_text(Some(index)).await?.unwrap_or_default();
    let map = Index::parse(index_name, &json)?.weight_map;
    let mut names: Vec<&str> = map.values().map(String::as_str).collect();
    sort_by(&mut names, Ord::cmp);
    names.dedup();
    let (mut sources, mut tensors) = (vec![], vec![]);
    for (i, name) in names.iter().enumerate() {
        let Some(at) = files.iter().position(|file| base_name(file.name()) == *name) else {
            let hint = format!(", which {index_name} names").into();
            return Err(Error::ModelNotFound { what: (*name).to_owned(), hint });
        };
        let source = files.swap_remove(at);
        let Header::Safetensors(more) = read_header(source.as_ref()).await? else {
            return Err(Error::format(*name, "this part should be safetensors, but is not"));
        };
        tensors.extend(more.into_iter().map(|t| TensorInfo { file: i, ..t }));
        sources.push(source);
    }
    if sources.is_empty() {
        return Err(Error::format(index_name, "the index names no tensors"));
    }
    check_unique(index_name, &tensors)?;
    let place: HashMap<&str, &str> = tensors.iter().map(|t| (t.name.as_str(), names[t.file])).collect();
    for (tensor, file) in &map {
        let why = match place.get(tensor.as_str()) {
            Some(actual) if actual == file => continue,
            Some(actual) => format!("tensor {tensor:?} should be in {file}, but is in {actual}"),
            None => format!("tensor {tensor:?} should be in {file}, but is not there"),
        };
        return Err(Error::format(index_name, why));
    }
    Ok(Opened { kind: FileFormat::Safetensors, metadata: Metadata::default(), tensors, sources, beside: None })
}

enum Header {
    Gguf(Gguf),
    Safetensors(Vec<TensorInfo>),
    WhisperCpp(WhisperCpp),
}

/// Tells a weight file by its first bytes, then by its name, and reads its header.
async fn read_header(source: &dyn Source) -> Result<Header> {
    let head = read_exact(source, 0, source.len().min(gguf::FIRST_READ) as usize).await?;
    let name = source.name().to_ascii_lowercase();
    if whisper_cpp::recognise(&head) {
        return Ok(Header::WhisperCpp(whisper_cpp::read(source, head).await?));
    }
    let known = head.starts_with(&gguf::MAGIC) || safetensors::recognise(&head);
    if !known && let Some(what) = foreign::recognise(&head) {
        return Err(Error::format(source.name(), what));
    }
    if head.starts_with(&gguf::MAGIC) || (!known && name.ends_with(".gguf")) {
        Ok(Header::Gguf(gguf::read(source, head).await?))
    } else if known || name.ends_with(".safetensors") {
        Ok(Header::Safetensors(safetensors::read(source, head).await?))
    } else {
        let json = head.trim_ascii_start().starts_with(b"{");
        let what =
            if json { "this is a JSON file, not weights" } else { "this is neither a GGUF nor a safetensors file" };
        Err(Error::format(source.name(), what))
    }
}

/// Refuses two tensors of one name in different files; within a file the parsers do.
fn check_unique(file: &str, tensors: &[TensorInfo]) -> Result<()> {
    let mut files: HashMap<&str, usize> = HashMap::with_capacity(tensors.len());
    match tensors.iter().find(|t| files.insert(&t.name, t.file).is_some()) {
        None => Ok(()),
        Some(tensor) => Err(Error::format(file, format!("tensor {:?} occurs twice", tensor.name))),
    }
}

/// All of a file that is small by nature.
async fn read_small(source: &dyn Source) -> Result<Vec<u8>> {
    let len = source.len();
    if len > MAX_TEXT {
        return Err(Error::format(source.name(), format!("the file is absurdly large for its purpose, {len} bytes")));
    }
    read_exact(source, 0, len as usize).await
}

async fn text(source: Option<&dyn Source>) -> Result<Option<String>> {
    let Some(source) = source else {
        return Ok(None);
    };
    let text = String::from_utf8(read_small(source).await?);
    text.map(Some).map_err(|_| Error::format(source.name(), "the text is not UTF-8"))
}

/// The text of a JSON file.
async fn json_text(source: Option<&dyn Source>) -> Result<Option<String>> {
    let text = text(source).await?;
    match (source, text.as_ref().and_then(|text| foreign::recognise(text.as_bytes()))) {
        (Some(source), Some(what)) => Err(Error::format(source.name(), what)),
        _ => Ok(text),
    }
}

/// A JSON object.
async fn json(source: Option<&dyn Source>) -> Result<Option<serde_json::Value>> {
    let value = json_of::<serde_json::Map<_, _>>(source, "object").await?;
    Ok(value.map(serde_json::Value::Object))
}

/// JSON that was written here.
fn own_json(text: &str) -> Result<Option<serde_json::Value>> {
    serde_json::from_str(text).map(Some).map_err(|error| Error::Internal(error.to_string()))
}

/// A file that holds a list.
async fn json_list(source: Option<&dyn Source>) -> Result<Option<Vec<serde_json::Value>>> {
    json_of(source, "list").await
}

async fn json_of<T: serde::de::DeserializeOwned>(source: Option<&dyn Source>, kind: &str) -> Result<Option<T>> {
    let (Some(source), Some(text)) = (source, json_text(source).await?) else { return Ok(None) };
    let wrong = |error: serde_json::Error| match error.is_data() {
        true => Error::format(source.name(), format!("the file should hold a JSON {kind}")),
        false => Error::format(source.name(), format!("this is not JSON: {error}")),
    };
    serde_json::from_str(&plain_json(&text)).map(Some).map_err(wrong)
}
