//! A model of Hugging Face's files → GGUF: its configuration as metadata, its tensors under GGUF's names and in GGUF's
//! order. What they are is what the architecture's own file reads when it loads the model, taken down. Streams: a tensor
//! or less is in memory at a time.

use super::outline::outline;
use crate::error::{Error, Result};
use crate::load::hyper::Notes;
use crate::load::record::{How, Use};
use crate::load::rope::{RopeSpec, long_factors};
use crate::load::{Allocator, Hyper, Tensors};
use crate::models::{Loaded, architecture_of};
use crate::nn::{Angles, RopeScaling};
use crate::quant::Format;
use crate::weights::{Checkpoint, GgufWriter, TensorInfo, Value, unwritable};
use pollster::block_on;
use std::io::Write;

/// Bytes of a tensor read at a time, where its rows stay in their order.
const CHUNK: u64 = 8 << 20;

/// What each tensor of the new file is made of.
pub struct Conversion<'a> {
    checkpoint: &'a Checkpoint,
    pub metadata: Vec<(String, Value)>,
    /// Of the embedding table.
    pub rows: usize,
    tensors: Vec<Planned>,
    /// The model as it is read here.
    reading: Reading,
}

struct Planned {
    name: String,
    /// Row-major.
    shape: Vec<usize>,
    from: Format,
    to: Format,
    source: Source,
}

/// Hugging Face's tensors by their names.
enum Source {
    /// The same rows; `order` has for each of GGUF's rows the one that it is.
    Rows {
        tensor: String,
        order: Option<Vec<usize>>,
    },
    Transposed(String),
    Vector {
        tensor: String,
        offset: f32,
        order: Option<Vec<usize>>,
    },
    Stacked(Vec<String>),
    /// From the configuration.
    Numbers(Vec<f32>),
}

/// A model as a file's headers describe it: two files of one model read alike.
struct Reading {
    outline: Vec<String>,
    ropes: Vec<RopeSpec>,
}

impl<'a> Conversion<'a> {
    /// Errors: those of a model that cannot run, and `MODEL_UNSUPPORTED` for one whose architecture GGUF has no name for.
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

        let tensors = Tensors::new(&hyper);
        let order = |name: &str| architecture.family.row_order.rows(&shape, name);
        let planned = record.uses.iter().map(|used| Planned::of(used, &tensors, &order, to));
        let mut tensors = planned.collect::<Result<Vec<_>>>()?;
        let mut metadata: Vec<(String, Value)> = vec![("general.architecture".into(), name.into())];
        metadata.push((format!("{name}.vocab_size"), (shape.vocabulary as u32).into()));
        // An activation that is not the architecture's usual one has no words there.
        for (key, value) in notes.borrow().iter().filter(|(key, _)| **key != "activation") {
            metadata.push((format!("{name}.{key}"), value.clone()));
            if *key == "attention.key_length" {
                metadata.push((format!("{name}.attention.value_length"), value.clone()));
            }
        }
        if architecture.is_encoder() {
            metadata.push((format!("{name}.attention.causal"), false.into()));
        }
        let reading = Reading { outline: outline(&model), ropes: record.ropes };
        for (key, value) in rope_keys(&architecture.hyper(checkpoint), &reading.ropes, &mut tensors)? {
            metadata.push((format!("{name}.{key}"), value));
        }
        Ok(Conversion { checkpoint, metadata, rows: shape.vocabulary, tensors, reading })
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

    /// Error: `MODEL_UNSUPPORTED` if the written file is not read as the same model: something that its configuration
    /// says GGUF has no words for.
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

fn no_form(what: &str, kind: &str) -> Error {
    Error::Unsupported { what: format!("{kind} {what} in GGUF"), hint: "; load the safetensors as they are".into() }
}

fn not_the_same(what: &str) -> Error {
    no_form(what, "what config.json says of this model has no words there:")
}

impl Planned {
    fn of(used: &Use, tensors: &Tensors, order: &dyn Fn(&str) -> Option<Vec<usize>>, to: Format) -> Result<Planned> {
        let (_, gguf, _) = tensors.name(used.name);
        if gguf.is_empty() {
            return Err(no_form(&tensors.file_name(used.name, used.layer), "the tensor"));
        }
        let name = gguf.replace("{i}", &used.layer.to_string());
        let tensor = tensors.file_name(used.name, used.layer);
        let source = match used.how {
            How::Rows => Source::Rows { tensor, order: order(used.name) },
            How::Transposed => Source::Transposed(tensor),
            How::Vector { offset } => {
                Source::Vector { tensor, offset, order: order(used.name.trim_end_matches(".bias")) }
            }
            How::Stacked => {
                Source::Stacked((0..used.shape[0]).map(|j| tensor.replace("{j}", &j.to_string())).collect())
            }
        };
        let shape = used.shape.clone();
        let mut planned = Planned { name, shape, from: Format::F32, to: Format::F32, source };
        let checkpoint = tensors.checkpoint;
        let first = planned.infos(checkpoint).next().cloned();
        if let Some(info) = first {
            planned.from = info.dtype.format().expect("it was checked when it was found");
            let columns = planned.shape[planned.shape.len() - 1];
            if info.shape.len() > 1 {
                planned.to = checkpoint.format_when_quantized(&info, columns, to).unwrap_or(planned.from);
            }
        }
        Ok(planned)
    }

    fn infos<'c>(&'c self, checkpoint: &'c Checkpoint) -> impl Iterator<Item = &'c TensorInfo> {
        let names = match &self.source {
            Source::Rows { tensor, .. } | Source::Transposed(tensor) | Source::Vector { tensor, .. } => {
                std::slice::from_ref(tensor)
            }
            Source::Stacked(tensors) => tensors,
            Source::Numbers(_) => &[],
        };
        names.iter().filter_map(|name| checkpoint.tensor(name))
    }

    fn write(&self, checkpoint: &Checkpoint, out: &mut dyn Write, on_read: &dyn Fn(u64)) -> Result<()> {
        let columns = self.shape[self.shape.len() - 1];
        let read = |info: &TensorInfo| {
            let bytes = block_on(checkpoint.read_all(info))?;
            on_read(info.bytes);
            Ok::<_, Error>(bytes)
        };
        for info in self.infos(checkpoint) {
            let size = self.from.block_bytes();
            match &self.source {
                Source::Rows { order: None, .. } | Source::Stacked(_) => {
                    let step = (CHUNK / info.row_bytes().max(1)).max(1) as usize;
                    for first in (0..info.rows()).step_by(step) {
                        let rows = first..info.rows().min(first.saturating_add(step));
                        let bytes = block_on(checkpoint.read_rows(info, rows))?;
                        on_read(bytes.len() as u64);
                        self.put(info, &bytes, columns, out)?;
                    }
                }
                Source::Rows { order: Some(order), .. } => {
                    let bytes = read(info)?;
                    let row = info.row_bytes() as usize;
                    let rows: Vec<u8> = order.iter().flat_map(|r| &bytes[r * row..][..row]).copied().collect();
                    self.put(info, &rows, columns, out)?;
                }
                Source::Transposed(_) => {
                    let (bytes, rows) = (read(info)?, self.shape[0]);
                    let cell = |row: usize, column: usize| &bytes[(column * rows + row) * size..][..size];
                    let turned = (0..rows).flat_map(|row| (0..columns).flat_map(move |column| cell(row, column)));
                    self.put(info, &turned.copied().collect::<Vec<u8>>(), columns, out)?;
                }
                Source::Vector { offset, order, .. } => {
                    let mut values = vec![0f32; columns];
                    self.from.dequantize(&read(info)?, &mut values);
                    values.iter_mut().for_each(|x| *x += offset);
                    if let Some(order) = order {
                        values = order.iter().map(|i| values[*i]).collect();
                    }
                    out.write_all(bytemuck::cast_slice(&values)).map_err(unwritable)?;
                }
                Source::Numbers(_) => {}
            }
        }
        match &self.source {
            Source::Numbers(numbers) => out.write_all(bytemuck::cast_slice(numbers)).map_err(unwritable),
            _ => Ok(()),
        }
    }

    /// Rows of the file, in the new format.
    fn put(&self, info: &TensorInfo, rows: &[u8], columns: usize, out: &mut dyn Write) -> Result<()> {
        if self.from == self.to {
            return out.write_all(rows).map_err(unwritable);
        }
        let columns = if info.shape.len() > 1 { columns } else { info.elements() };
        let converted = self.from.convert_rows(rows, columns, self.to).ok_or_else(|| {
            let why = "some of its weights are infinite or no numbers, which has no quantised form";
            Error::format(&info.name, why)
        })?;
        out.write_all(&converted).map_err(unwritable)
    }
}

/// The keys, and the tensors, that say how queries and keys turn: by the rotation that layers share, then by that of
/// layers with a window.
fn rope_keys(hyper: &Hyper<'_>, ropes: &[RopeSpec], tensors: &mut Vec<Planned>) -> Result<Vec<(&'static str, Value)>> {
    let Some(first) = ropes.first() else { return Ok(Vec::new()) };
    let number = |x: f64| Value::F32(x as f32);
    let mut keys = vec![
        ("rope.freq_base", number(first.base)),
        ("rope.dimension_count", Value::U32(first.dims as u32)), // at most a head's size
    ];
    if let Some(second) = ropes.get(1) {
        keys.push(("rope.freq_base_swa", number(second.base)));
    }
    let mut tensor = |name: &str, numbers: Vec<f32>| {
        let (shape, source) = (vec![numbers.len()], Source::Numbers(numbers));
        tensors.push(Planned { name: name.into(), shape, from: Format::F32, to: Format::F32, source });
    };
    match &first.scaling {
        None => {}
        Some(RopeScaling::Linear { factor }) => {
            keys.extend([("rope.scaling.type", "linear".into()), ("rope.scaling.factor", number(*factor))]);
        }
        Some(RopeScaling::Yarn { factor, original_context, beta_fast, beta_slow, magnitude, .. }) => {
            let usual = if *factor <= 1.0 { 1.0 } else { 0.1 * factor.ln() + 1.0 };
            keys.extend([
                ("rope.scaling.type", "yarn".into()),
                ("rope.scaling.factor", number(*factor)),
                ("rope.scaling.original_context_length", Value::U32(*original_context as u32)),
            ]);
            // What is as usual is left unsaid.
            for (key, value, usual) in [
                ("rope.scaling.yarn_beta_fast", *beta_fast, 32.0),
                ("rope.scaling.yarn_beta_slow", *beta_slow, 1.0),
                ("rope.scaling.attn_factor", *magnitude, usual),
            ] {
                if value != usual {
                    keys.push((key, number(if key.ends_with("attn_factor") { value / usual } else { value })));
                }
            }
        }
        // GGUF keeps what comes of it: a divisor for each pair.
        Some(scaling @ RopeScaling::Llama3 { .. }) => {
            let plain = Angles::new(first.dims, first.base, None).frequencies;
            let scaled = Angles::new(first.dims, first.base, Some(scaling)).frequencies;
            tensor(
                "rope_freqs.weight",
                plain.iter().zip(&scaled).map(|(plain, scaled)| (plain / scaled) as f32).collect(),
            );
        }
        Some(RopeScaling::Divisors { magnitude, .. }) => {
            let ([long, short], original) =
                long_factors(hyper, first.dims)?.ok_or_else(|| no_form("LongRoPE", "the RoPE scaling"))?;
            tensor("rope_factors_long.weight", long);
            tensor("rope_factors_short.weight", short);
            keys.extend([
                ("rope.scaling.original_context_length", Value::U32(original as u32)),
                ("rope.scaling.attn_factor", number(*magnitude)),
            ]);
        }
    }
    Ok(keys)
}
