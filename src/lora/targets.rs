//! The projections of a loaded model by every name that adapters have for them: GGUF's and Hugging Face's, whole or as
//! part of a fused tensor, with the rows that are theirs.

use super::pairs::World;
use crate::device::ProjectionId;
use crate::error::Error;
use crate::load::record::Projection;
use crate::load::rows::{RowRanges, one_run};
use crate::load::{Family, Shape};
use crate::weights::Checkpoint;
use std::collections::HashMap;

/// Names of fused tensors and of their parts. An adapter may name the parts where the base has the whole, and the whole,
/// one part after the other, where the base has the parts.
const FUSED: &[(&str, &[&str])] =
    &[("attn.qkv", &["attn.q", "attn.k", "attn.v"]), ("ffn.gate_up", &["ffn.gate", "ffn.up"])];

/// Our name of the embedding table.
const TABLE: &str = "embed";

/// Where a pair goes.
#[derive(Debug, Clone)]
pub struct Target {
    pub id: ProjectionId,
    /// Columns of A.
    pub columns: usize,
    /// Rows of B in the adapter's file.
    pub out: usize,
    /// Those that correct this projection, in its order.
    pub rows: Vec<usize>,
    /// It is the embedding table, of which rows are taken.
    pub is_table: bool,
}

/// A target whose rows count in the base's own order.
struct BaseRows {
    id: ProjectionId,
    columns: usize,
    out: usize,
    runs: RowRanges,
    /// Our name of the tensor whose rows `runs` counts, and its layer.
    name: &'static str,
    layer: usize,
}

/// All projections of a model.
pub struct LoraTargets {
    family: &'static Family,
    shape: Shape,
    /// Whose names and row orders the model's own file has.
    base: World,
    /// By names without `.weight`.
    by_name: HashMap<String, Vec<BaseRows>>,
}

impl LoraTargets {
    /// The targets in a model of `family`, from the record that loading `base` made.
    pub fn new(family: &'static Family, base: &Checkpoint, shape: &Shape, projections: &[Projection]) -> LoraTargets {
        LoraTargets { family, shape: shape.clone(), base: World::of(base), by_name: by_name(family, projections) }
    }

    /// The projections that the base's tensor `name`, in the words of `world`, belongs to; none if there is no such.
    pub fn find(&self, name: &str, world: World) -> Vec<Target> {
        let found = self.by_name.get(name).map(Vec::as_slice).unwrap_or_default();
        let target = |of: &BaseRows| {
            let rows = of.runs.iter().cloned().flatten();
            let row_order = self.family.row_order;
            let order = if world == self.base { None } else { row_order.rows(&self.shape, of.name, of.layer) };
            let rows = match (order, self.base) {
                (None, _) => rows.collect(),
                (Some(of_gguf), World::Gguf) => rows.map(|row| of_gguf[row]).collect(),
                (Some(of_gguf), World::HuggingFace) => {
                    let mut of_hf = vec![0; of_gguf.len()];
                    of_gguf.iter().enumerate().for_each(|(gguf, &hf)| of_hf[hf] = gguf);
                    rows.map(|row| of_hf[row]).collect()
                }
            };
            Target { id: of.id, columns: of.columns, out: of.out, rows, is_table: of.name == TABLE }
        };
        found.iter().map(target).collect()
    }

    /// `general.architecture` of GGUF files for this model; empty where there are none.
    pub fn gguf_names(&self) -> &'static [&'static str] {
        self.family.gguf
    }

    /// The error of an adapter's tensor that has no target here.
    pub fn mismatch(&self, tensor: &str, reason: String) -> Error {
        let Shape { architecture, n_layers, d_model, .. } = self.shape;
        let model = format!("{architecture} model of {n_layers} layers and {d_model} columns");
        Error::AdapterMismatch { tensor: tensor.to_string(), model, reason }
    }
}

/// Every name with the projections it stands for.
fn by_name(family: &Family, projections: &[Projection]) -> HashMap<String, Vec<BaseRows>> {
    let mut by_name = HashMap::new();
    for (i, p) in projections.iter().enumerate() {
        let [out, columns] = p.shape;
        for name in names_of(family, p.name, p.layer) {
            let rows =
                BaseRows { id: ProjectionId(i), columns, out, runs: p.runs.clone(), name: p.name, layer: p.layer };
            by_name.entry(name).or_insert_with(Vec::new).push(rows);
        }
    }
    // Only names that no tensor of the base has itself.
    for (name, more) in aliases(family, projections) {
        by_name.entry(name).or_insert(more);
    }
    by_name
}

/// Names that files give our tensor, without `.weight`.
fn names_of(family: &Family, name: &str, layer: usize) -> Vec<String> {
    let Some((_, gguf, hf)) = family.tensor(name) else { return Vec::new() };
    let bare = |name: &str| name.trim_end_matches(".weight").replace("{i}", &layer.to_string());
    let (gguf, hf) = (bare(gguf), bare(hf));
    let variants = family.hf_variants(&hf);
    variants.into_iter().chain([gguf]).filter(|name| !name.is_empty()).collect()
}

/// The parts of fused tensors by their own names, and wholes by theirs where the base has parts.
fn aliases(family: &Family, projections: &[Projection]) -> Vec<(String, Vec<BaseRows>)> {
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
        for alias in names_of(family, name, p.layer) {
            aliases.push((alias, vec![BaseRows { id, columns, out, runs: one_run(0..out), name, layer: p.layer }]));
        }
    }
    for (whole, parts) in FUSED {
        let layers = projections.iter().filter(|p| p.name == parts[0] && p.part.1 == 1).map(|p| p.layer);
        for layer in layers {
            let found: Option<Vec<_>> = parts.iter().map(|&part| single.get(&(part, layer)).copied()).collect();
            let Some(found) = found else { continue };
            let out = found.iter().map(|(_, shape)| shape[0]).sum();
            for alias in names_of(family, whole, layer) {
                let mut at = 0;
                let parts = found.iter().map(|&(id, shape)| {
                    at += shape[0];
                    BaseRows { id, columns: shape[1], out, runs: one_run(at - shape[0]..at), name: whole, layer }
                });
                aliases.push((alias, parts.collect()));
            }
        }
    }
    aliases
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::PerLayer;
    use crate::load::names::Name;
    use crate::load::rows::{RowOrder, consecutive};

    const NAMES: &[Name] = &[
        ("attn.qkv", "blk.{i}.attn_qkv.weight", "model.layers.{i}.attn.query_key_value.weight"),
        ("attn.q", "blk.{i}.attn_q.weight", "model.layers.{i}.attn.q_proj.weight"),
        ("attn.k", "blk.{i}.attn_k.weight", "model.layers.{i}.attn.k_proj.weight"),
        ("attn.v", "blk.{i}.attn_v.weight", "model.layers.{i}.attn.v_proj.weight"),
    ];

    /// Two heads of four, one for keys and values.
    fn shape() -> Shape {
        Shape {
            architecture: "llama",
            d_model: 16,
            n_layers: 1,
            n_heads: PerLayer::Same(2),
            n_kv_heads: PerLayer::Same(1),
            head_dim: 4,
            d_ffn: PerLayer::Same(16),
            vocabulary: 16,
            context: 16,
        }
    }

    static SAME: Family = Family { tensors: NAMES, ..Family::PLAIN };
    static LLAMA: Family = Family { tensors: NAMES, row_order: RowOrder::InterleavedHalves, ..Family::PLAIN };
    static NEOX: Family = Family { tensors: NAMES, row_order: RowOrder::QkvByHead, ..Family::PLAIN };

    fn targets(base: World, family: &'static Family, projections: &[Projection]) -> LoraTargets {
        LoraTargets { family, shape: shape(), base, by_name: by_name(family, projections) }
    }

    /// (projection, rows of B in the file, those that count) of each target.
    fn found(targets: &LoraTargets, name: &str, world: World) -> Vec<(usize, usize, Vec<usize>)> {
        targets.find(name, world).into_iter().map(|target| (target.id.0, target.out, target.rows)).collect()
    }

    fn whole(name: &'static str, out: usize) -> Projection {
        Projection { name, layer: 3, shape: [out, 16], runs: one_run(0..out), part: (0, 1) }
    }

    fn parts(out: usize, runs: [RowRanges; 3]) -> Vec<Projection> {
        let part = |(i, runs)| Projection { name: "attn.qkv", layer: 3, shape: [out, 16], runs, part: (i, 3) };
        runs.into_iter().enumerate().map(part).collect()
    }

    #[test]
    fn rows_follow_the_converter_in_both_directions() {
        let projections = [whole("attn.q", 8), whole("attn.k", 4), whole("attn.v", 4)];
        let to_gguf = targets(World::Gguf, &LLAMA, &projections);
        let to_hf = targets(World::HuggingFace, &LLAMA, &projections);
        let q = "model.layers.3.attn.q_proj";
        assert_eq!(found(&to_gguf, q, World::HuggingFace), [(0, 8, vec![0, 2, 1, 3, 4, 6, 5, 7])]);
        assert_eq!(found(&to_hf, q, World::HuggingFace), [(0, 8, (0..8).collect())]);
        assert_eq!(found(&to_gguf, "blk.3.attn_q", World::Gguf), [(0, 8, (0..8).collect())]);
        assert_eq!(found(&to_hf, "blk.3.attn_k", World::Gguf), [(1, 4, vec![0, 2, 1, 3])]);
        assert_eq!(found(&to_gguf, "layers.3.attn.v_proj", World::HuggingFace), [(2, 4, (0..4).collect())]);
        assert_eq!(found(&to_gguf, "model.layers.4.attn.q_proj", World::HuggingFace), []);
    }

    #[test]
    fn a_fused_tensor_takes_adapters_of_its_parts_and_parts_take_those_of_the_whole() {
        let fused = targets(World::Gguf, &SAME, &parts(16, consecutive([8, 4, 4])));
        let qkv = "model.layers.3.attn.query_key_value";
        let thirds = [(0, 16, (0..8).collect()), (1, 16, (8..12).collect()), (2, 16, (12..16).collect::<Vec<_>>())];
        assert_eq!(found(&fused, qkv, World::HuggingFace), thirds);
        assert_eq!(found(&fused, "blk.3.attn_k", World::Gguf), [(1, 4, (0..4).collect())]);
        let split = targets(World::Gguf, &SAME, &[whole("attn.q", 8), whole("attn.k", 4), whole("attn.v", 4)]);
        assert_eq!(found(&split, "blk.3.attn_qkv", World::Gguf), thirds);
        assert_eq!(found(&split, qkv, World::HuggingFace), thirds);
        let without_v = targets(World::Gguf, &SAME, &[whole("attn.q", 8), whole("attn.k", 4)]);
        assert_eq!(found(&without_v, "blk.3.attn_qkv", World::Gguf), []);
    }

    /// GPT-NeoX: Hugging Face keeps q, k and v head by head, GGUF one after the other.
    #[test]
    fn a_fused_tensor_may_be_ordered_otherwise_in_each_kind_of_file() {
        // Two heads of one row: q0 k0 v0 q1 k1 v1.
        let two_heads = |base, projections: &[Projection]| LoraTargets {
            shape: Shape { head_dim: 1, ..shape() },
            ..targets(base, &NEOX, projections)
        };
        let gguf = two_heads(World::Gguf, &parts(6, consecutive([2, 2, 2])));
        let by_head = [[0, 3], [1, 4], [2, 5]].map(|rows| rows.into_iter().map(|row| row..row + 1).collect());
        let hf = two_heads(World::HuggingFace, &parts(6, by_head));
        let want = |rows: [[usize; 2]; 3]| -> Vec<_> {
            rows.into_iter().enumerate().map(|(i, rows)| (i, 6, rows.to_vec())).collect()
        };
        let (gguf_name, hf_name) = ("blk.3.attn_qkv", "model.layers.3.attn.query_key_value");
        assert_eq!(found(&gguf, gguf_name, World::Gguf), want([[0, 1], [2, 3], [4, 5]]));
        assert_eq!(found(&gguf, hf_name, World::HuggingFace), want([[0, 3], [1, 4], [2, 5]]));
        assert_eq!(found(&hf, hf_name, World::HuggingFace), want([[0, 3], [1, 4], [2, 5]]));
        assert_eq!(found(&hf, gguf_name, World::Gguf), want([[0, 1], [2, 3], [4, 5]]));
    }
}
