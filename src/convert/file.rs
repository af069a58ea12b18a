//! A Hugging Face folder → one GGUF file, quantised: the model, its tokenizer, its chat templates.

use super::model::ConvertedModel;
use crate::chat::ChatTemplate;
use crate::error::{Error, Result};
use crate::quant::Format;
use crate::tokenizer::Tokenizer;
use crate::weights::{Checkpoint, GgufWriter, Value, file_type, recommended};
use std::io::Write;

/// A conversion that is planned but not written yet.
pub struct Conversion<'a> {
    model: ConvertedModel<'a>,
    tokenizer: Option<Tokenizer>,
    metadata: Vec<(String, Value)>,
}

impl<'a> Conversion<'a> {
    /// Plans a file whose matrices are quantised to `to`.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for a format that cannot be written, those of a model that cannot run, and
    /// `MODEL_UNSUPPORTED` for an architecture or a tokenizer for which GGUF has no words.
    pub fn plan(checkpoint: &'a Checkpoint, to: Format) -> Result<Self> {
        if !to.is_writable() {
            let why = format!("{} can be read but not written; choose one of {}", to.name(), Format::writable_names());
            return Err(Error::invalid("--to", why));
        }
        let model = ConvertedModel::plan(checkpoint, to)?;
        let tokenizer = Tokenizer::from_checkpoint(checkpoint)?;
        let mut metadata = model.metadata.clone();
        if let Some((tokenizer, text)) = tokenizer.as_ref().zip(checkpoint.tokenizer_json()) {
            metadata.extend(tokenizer.gguf_keys(text, model.vocabulary)?);
        }
        for (name, source) in ChatTemplate::sources(checkpoint)? {
            let key = match name.as_str() {
                "default" => "tokenizer.chat_template".to_string(),
                name => format!("tokenizer.chat_template.{name}"),
            };
            metadata.push((key, source.into()));
        }
        metadata.extend(recommended(checkpoint).iter().map(|it| (it.gguf.into(), it.gguf_value())));
        metadata.push(("general.quantization_version".into(), 2u32.into()));
        metadata.push(("general.file_type".into(), file_type(to).into()));
        Ok(Conversion { model, tokenizer, metadata })
    }

    /// How many tensors will be in which format, the most frequent first.
    pub fn summary(&self) -> Vec<(Format, usize)> {
        self.model.summary()
    }

    /// Bytes that will be read.
    pub fn bytes(&self) -> u64 {
        self.model.bytes()
    }

    /// Writes the file, which calls itself `name`. `on_read` is told of bytes as they are read.
    ///
    /// # Errors
    /// `STORAGE` if the output refuses, what reading reports, and `MODEL_FORMAT` for weights that are no numbers.
    pub fn write(&self, name: &str, out: impl Write, on_read: &dyn Fn(u64)) -> Result<()> {
        let mut writer = GgufWriter::new().set("general.name", name);
        for (key, value) in &self.metadata {
            writer = writer.set(key, value.clone());
        }
        self.model.add_tensors(writer, on_read).write(out)
    }

    /// Whether the written file means the same model, and its tokenizer makes the same ids of a few texts.
    ///
    /// # Errors
    /// `MODEL_UNSUPPORTED`, saying what GGUF has no words for.
    pub fn check(&self, written: &Checkpoint) -> Result<()> {
        self.model.check(written)?;
        let Some((ours, theirs)) = self.tokenizer.as_ref().zip(Tokenizer::from_checkpoint(written)?) else {
            return Ok(());
        };
        match ours.differs_from(&theirs) {
            None => Ok(()),
            Some(text) => Err(Error::Unsupported {
                what: format!("the model's tokenizer in GGUF, where {text:?} would be other tokens,"),
                hint: "; load the safetensors as they are".into(),
            }),
        }
    }
}
