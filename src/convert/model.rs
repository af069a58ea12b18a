//! A model of Hugging Face's files → GGUF: its configuration as metadata, its tensors under GGUF's names and in GGUF's
//! order. What they are is what the architecture's own file reads when it loads the model, taken down. Streams: a tensor
//! or less is in memory at a time.

use super::outline::outline;
use super::rope::rope_keys;
use super::tensor::{PlannedTensor, no_form};
use crate::error::{Error, Result};
use crate::load::hyper::Notes;
use crate::load::rope::RopeSpec;
use crate::load::{Allocator, Tensors};
use crate::models::{Architecture, Loaded, architecture_of};
use crate::nn::Angles;
use crate::quant::Format;
use crate::weights::{Checkpoint, GgufWriter, Value};
use pollster::block_on;
use std::collections::BTreeMap;

/// A model that is to be written as GGUF.
pub struct ConvertedModel<'a> {
    checkpoint: &'a Checkpoint,
    /// GGUF's keys with their values.
    pub metadata: Vec<(String, Value)>,
    /// Rows of the embedding table.
    pub vocabulary: usize,
    tensors: Vec<PlannedTensor>,
    /// The model as it is read here.
    reading: Reading,
}

/// A model as a file's headers describe it: two files of one model read alike.
struct Reading {
    outline: Vec<String>,
    ropes: Vec<RopeSpec>,
}

impl<'a> ConvertedModel<'a> {
    /// Plans the conversion of `checkpoint`, its matrices quantised to `to`.
    ///
    /// # Errors
    /// Those of a model that cannot run, and `MODEL_UNSUPPORTED` for one whose architecture GGUF has no name for.
    pub fn plan(checkpoint: &'a Checkpoint, to: Format) -> Result<Self> {
        let architecture = architecture_of(checkpoint)?;
        let Some(&name) = architecture.family.gguf.first() else {
            return Err(no_form(architecture.family.name, "the architecture"));
        };
        let notes = Notes::default();
        let hyper = architecture.hyper(checkpoint).noting(&notes);
        let shape = (architecture.shape)(&hyper)?;
        let loaded = block_on(architecture.load(hyper, &shape, shape.context, Allocator::none()))?;
        let Loaded { model, record, .. } = loaded;

        let found = Tensors::new(&hyper);
        let planned = record.tensors.iter().map(|used| PlannedTensor::of(used, &found, &shape, to));
        let mut tensors = planned.collect::<Result<Vec<_>>>()?;
        let mut metadata = keys(name, architecture, shape.vocabulary, &notes.borrow());
        let reading = Reading { outline: outline(&model), ropes: record.ropes };
        for (key, value) in rope_keys(&architecture.hyper(checkpoint), &reading.ropes, &mut tensors)? {
            metadata.push((format!("{name}.{key}"), value));
        }
        Ok(ConvertedModel { checkpoint, metadata, vocabulary: shape.vocabulary, tensors, reading })
    }

    /// How many tensors will be in which format, the most frequent first.
    pub fn summary(&self) -> Vec<(Format, usize)> {
        let mut counts: Vec<(Format, usize)> = Vec::new();
        for planned in &self.tensors {
            match counts.iter_mut().find(|(format, _)| *format == planned.to) {
                Some((_, count)) => *count += 1,
                None => counts.push((planned.to, 1)),
            }
        }
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts
    }

    /// Bytes that will be read.
    pub fn bytes(&self) -> u64 {
        self.tensors.iter().flat_map(|planned| planned.infos(self.checkpoint)).map(|info| info.bytes).sum()
    }

    /// Adds the tensors to a file that is to be written.
    pub fn add_tensors<'b>(&'b self, mut writer: GgufWriter<'b>, on_read: &'b dyn Fn(u64)) -> GgufWriter<'b> {
        for planned in &self.tensors {
            writer = writer.tensor_made(&planned.name, &planned.shape, planned.to, move |out| {
                planned.write(self.checkpoint, out, on_read)
            });
        }
        writer
    }

    /// Whether the written file is read as the same model.
    ///
    /// # Errors
    /// `MODEL_UNSUPPORTED` if not: something that its configuration says GGUF has no words for.
    pub fn check(&self, written: &Checkpoint) -> Result<()> {
        let architecture = architecture_of(written)?;
        let (hyper, shape) = (architecture.hyper(written), architecture.read_shape(written)?);
        let loaded = block_on(architecture.load(hyper, &shape, shape.context, Allocator::none()))?;
        let (outline, ropes) = (outline(&loaded.model), loaded.record.ropes);
        let different = self.reading.outline.iter().zip(&outline).find(|(ours, theirs)| ours != theirs);
        if let Some((ours, theirs)) = different {
            return Err(not_the_same(&format!("{ours}, and there {theirs}")));
        }
        let angles = |spec: &RopeSpec| Angles::new(spec.dims, spec.base, spec.scaling.as_ref());
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-5 * a.abs().max(b.abs());
        let same = self.reading.ropes.iter().zip(&ropes).all(|(ours, theirs)| {
            let (a, b) = (angles(ours), angles(theirs));
            let frequencies = a.frequencies.len() == b.frequencies.len()
                && a.frequencies.iter().zip(&b.frequencies).all(|(a, b)| close(*a, *b));
            frequencies && close(a.magnitude, b.magnitude)
        });
        match same && self.reading.ropes.len() == ropes.len() && self.reading.outline.len() == outline.len() {
            true => Ok(()),
            false => Err(not_the_same(&format!("its rotary positions {:?}", self.reading.ropes))),
        }
    }
}

fn not_the_same(what: &str) -> Error {
    no_form(what, "what config.json says of this model has no words there:")
}

/// The metadata that say what was read in loading, by `notes`; `name`: GGUF's of the architecture.
fn keys(
    name: &str,
    architecture: &Architecture,
    vocabulary: usize,
    notes: &BTreeMap<&'static str, Value>,
) -> Vec<(String, Value)> {
    let mut keys: Vec<(String, Value)> = vec![("general.architecture".into(), name.into())];
    keys.push((format!("{name}.vocab_size"), (vocabulary as u32).into()));
    // An activation that is not the architecture's usual one has no words there.
    for (key, value) in notes.iter().filter(|(key, _)| **key != "activation") {
        keys.push((format!("{name}.{key}"), value.clone()));
        if *key == "attention.key_length" {
            keys.push((format!("{name}.attention.value_length"), value.clone()));
        }
    }
    if architecture.is_encoder() {
        keys.push((format!("{name}.attention.causal"), false.into()));
    }
    keys
}
