//! The projections of a loaded model by every name that adapters have for them: GGUF's and Hugging Face's, whole or as
//! part of a fused tensor, with the rows that are theirs.

use super::pairs::World;
use crate::device::ProjectionId;
use crate::error::Error;
use crate::models::loader::{Loader, Name, Rows, find_name};
use crate::models::{REGISTRY, Shape};
use std::collections::HashMap;

/// A projection as the base's file keeps it.
pub struct Projection {
    /// Our name of the tensor.
    pub name: &'static str,
    pub layer: usize,
    /// The tensor's, [out, in].
    pub shape: [usize; 2],
    /// The tensor's rows that are this projection's.
    pub runs: Rows,
    /// Which of how many parts of the tensor it is.
    pub part: (usize, usize),
}

/// For GGUF's rows of the projection of our name, Hugging Face's, in GGUF's order; `None` where they are the same.
pub type RowOrder = fn(&Shape, &str) -> Option<Vec<usize>>;

/// Llama's family: the converter interleaves the two halves of each head's queries and keys.
pub fn interleaved_halves(shape: &Shape, name: &str) -> Option<Vec<usize>> {
    let heads = match name {
        "attn.q" => shape.n_heads,
        "attn.k" => shape.n_kv_heads,
        _ => return None,
    };
    let (d, half) = (shape.head_dim, shape.head_dim / 2);
    Some((0..heads * d).map(|row| row / d * d + row % 2 * half + row % d / 2).collect())
}

/// Names of fused tensors and of their parts. An adapter may name the parts where the base has the whole, and the whole,
/// one part after the other, where the base has the parts.
const FUSED: &[(&str, &[&str])] =
    &[("attn.qkv", &["attn.q", "attn.k", "attn.v"]), ("ffn.gate_up", &["ffn.gate", "ffn.up"])];

/// Where a pair goes.
#[derive(Debug, Clone)]
pub struct Place {
    pub id: ProjectionId,
    /// Columns of A.
    pub columns: usize,
    /// Rows of B in the adapter's file.
    pub out: usize,
    /// Those that correct this projection, in its order.
    pub rows: Vec<usize>,
}

/// A place whose rows count in the base's own order.
struct Spot {
    id: ProjectionId,
    columns: usize,
    out: usize,
    runs: Rows,
    /// Our name of the tensor whose rows `runs` counts.
    name: &'static str,
}

/// All projections of a model.
pub struct Places {
    shape: Shape,
    base: World,
    gguf_order: RowOrder,
    spots: HashMap<String, Vec<Spot>>,
}

impl Places {
    /// Of the model that `loader` has loaded.
    pub fn new(loader: &mut Loader, shape: &Shape) -> Places {
        let projections = std::mem::take(&mut loader.projections);
        let index = Index { names: loader.names, prefixes: loader.prefixes };
        let mut spots = HashMap::new();
        for (i, p) in projections.iter().enumerate() {
            let [out, columns] = p.shape;
            let spot = || Spot { id: ProjectionId(i), columns, out, runs: p.runs.clone(), name: p.name };
            for name in index.names_of(p.name, p.layer) {
                spots.entry(name).or_insert_with(Vec::new).push(spot());
            }
        }
        // Only names that no tensor of the base has itself.
        for (name, more) in index.aliases(&projections) {
            spots.entry(name).or_insert(more);
        }
        let base = if loader.is_gguf() { World::Gguf } else { World::HuggingFace };
        Places { shape: shape.clone(), base, gguf_order: loader.gguf_order, spots }
    }

    /// The projections that the base's tensor `name`, in the words of `world`, belongs to; none if there is no such.
    pub fn find(&self, name: &str, world: World) -> Vec<Place> {
        let spots = self.spots.get(name).map(Vec::as_slice).unwrap_or_default();
        let place = |spot: &Spot| {
            let rows = spot.runs.iter().cloned().flatten();
            let order = if world == self.base { None } else { (self.gguf_order)(&self.shape, spot.name) };
            let rows = match (order, self.base) {
                (None, _) => rows.collect(),
                (Some(of_gguf), World::Gguf) => rows.map(|row| of_gguf[row]).collect(),
                (Some(of_gguf), World::HuggingFace) => {
                    let mut of_hf = vec![0; of_gguf.len()];
                    of_gguf.iter().enumerate().for_each(|(gguf, &hf)| of_hf[hf] = gguf);
                    rows.map(|row| of_hf[row]).collect()
                }
            };
            Place { id: spot.id, columns: spot.columns, out: spot.out, rows }
        };
        spots.iter().map(place).collect()
    }

    /// `general.architecture` of GGUF files for this model; empty where there are none.
    pub fn gguf_names(&self) -> &'static [&'static str] {
        let own = REGISTRY.iter().find(|architecture| architecture.name == self.shape.architecture);
        own.map_or(&[], |architecture| architecture.gguf)
    }

    /// The error of an adapter's tensor that has no place here.
    pub fn mismatch(&self, tensor: &str, reason: String) -> Error {
        let Shape { architecture, n_layers, d_model, .. } = self.shape;
        let model = format!("{architecture} model of {n_layers} layers and {d_model} columns");
        Error::AdapterMismatch { tensor: tensor.to_string(), model, reason }
    }
}

/// The architecture's names.
struct Index {
    names: [&'static [Name]; 2],
    prefixes: &'static [&'static str],
}

impl Index {
    /// What files call our tensor, without `.weight`.
    fn names_of(&self, name: &str, layer: usize) -> Vec<String> {
        let Some((_, gguf, hf)) = find_name(&self.names, name) else { return Vec::new() };
        let bare = |name: &str| name.trim_end_matches(".weight").replace("{i}", &layer.to_string());
        let (gguf, hf) = (bare(gguf), bare(hf));
        let stem = self.prefixes.first().and_then(|prefix| hf.strip_prefix(prefix));
        let variants: Vec<String> = match stem {
            Some(stem) => self.prefixes.iter().map(|prefix| format!("{prefix}{stem}")).collect(),
            None => vec![hf],
        };
        variants.into_iter().chain([gguf]).filter(|name| !name.is_empty()).collect()
    }

    /// The parts of fused tensors by their own names, and wholes by theirs where the base has parts.
    fn aliases(&self, projections: &[Projection]) -> Vec<(String, Vec<Spot>)> {
        let mut aliases = Vec::new();
        let mut single = HashMap::new();
        for (i, p) in projections.iter().enumerate() {
            let (id, columns, out) = (ProjectionId(i), p.shape[1], p.runs.iter().map(|run| run.len()).sum());
            if p.part.1 == 1 {
                single.insert((p.name, p.layer), (id, p.shape));
                continue;
            }
            let parts = FUSED.iter().find(|(whole, parts)| *whole == p.name && parts.len() == p.part.1);
            let Some((_, parts)) = parts else { continue };
            let name = parts[p.part.0];
            for alias in self.names_of(name, p.layer) {
                aliases.push((alias, vec![Spot { id, columns, out, runs: vec![0..out], name }]));
            }
        }
        for (whole, parts) in FUSED {
            let layers = projections.iter().filter(|p| p.name == parts[0] && p.part.1 == 1).map(|p| p.layer);
            for layer in layers {
                let found: Option<Vec<_>> = parts.iter().map(|&part| single.get(&(part, layer)).copied()).collect();
                let Some(found) = found else { continue };
                let out = found.iter().map(|(_, shape)| shape[0]).sum();
                for alias in self.names_of(whole, layer) {
                    let mut at = 0;
                    let spots = found.iter().map(|&(id, shape)| {
                        at += shape[0];
                        Spot { id, columns: shape[1], out, runs: vec![at - shape[0]..at], name: whole }
                    });
                    aliases.push((alias, spots.collect()));
                }
            }
        }
        aliases
    }
}
