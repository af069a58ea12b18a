//! Idefics3 (Laurençon et al. 2024, <https://arxiv.org/abs/2408.12637>), SmolVLM and SmolVLM2: a llama that reads what SigLIP's
//! encoder sees, squares of whose patches become one token each.

use super::architecture::{Architecture, Load};
use super::llama;
use super::siglip;
use super::vision::{VisionEncoder, VisionHead};
use crate::error::Result;
use crate::load::names::Name;
use crate::load::{Family, Hyper, Loader, Shape};
use crate::pictures::{Filter, Grid, Preprocessing, Tiling};

/// The half that reads; as GGUF it is a llama.
pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "idefics3",
        gguf: &[],
        hf: &["idefics3", "smolvlm"],
        prefixes: &["model.", "model.text_model."],
        ..llama::ARCHITECTURE.family
    },
    shape: llama::shape,
    load: Load::Decoder(|loader| Box::pin(llama::load(loader))),
};

/// The half that sees: beside the other in safetensors, a file of its own in GGUF (`mmproj`).
pub static EYES: Architecture = Architecture {
    family: Family {
        name: "idefics3",
        gguf: &["clip"],
        hf: &[],
        tensors: NAMES,
        defaults: &[
            ("hidden_size", 1152.0),
            ("intermediate_size", 3072.0),
            ("num_hidden_layers", 12.0),
            ("num_attention_heads", 16.0),
            ("image_size", 224.0),
            ("patch_size", 32.0),
            ("layer_norm_eps", 1e-6),
        ],
        ..siglip::ARCHITECTURE.family
    },
    shape,
    load: Load::Vision(|loader| Box::pin(siglip::load_with(loader, preprocessing, head))),
};

const NAMES: &[Name] = &siglip::names::<{ siglip::NAMES.len() + 1 }>(&[(
    "projector",
    "mm.model.fc.weight",
    "model.connector.modality_projection.proj.weight",
)]);

/// transformers' own value where config.json has none.
const MERGE: u64 = 2;

fn shape(hyper: &Hyper) -> Result<Shape> {
    let shape = siglip::body_shape(hyper, &preprocessing(hyper)?.1)?;
    // Rows of patches are read as rows of squares.
    match shape.d_model.is_multiple_of(4) {
        true => Ok(shape),
        false => Err(hyper.wrong("hidden_size", "must be a multiple of 4")),
    }
}

/// Patches on each edge of a square that becomes one token.
fn merge(hyper: &Hyper) -> Result<usize> {
    let (name, found) = match hyper.checkpoint.config() {
        Some(config) => (
            "scale_factor",
            if config["scale_factor"].is_null() { Some(MERGE) } else { config["scale_factor"].as_u64() },
        ),
        None => ("vision.projector.scale_factor", hyper.metadata_u64("vision.projector.scale_factor")?.or(Some(MERGE))),
    };
    let found = found.and_then(|n| usize::try_from(n).ok()).filter(|n| (1..=16).contains(n));
    found.ok_or_else(|| hyper.wrong(name, "must be an integer from 1 to 16"))
}

fn preprocessing(hyper: &Hyper) -> Result<(Preprocessing, Grid)> {
    let tile = hyper.count("vision.image_size", "image_size")?;
    let longest = match hyper.config() {
        Some(_) => 4 * tile,
        None => hyper.optional_count("vision.preproc_image_size", "")?.unwrap_or(4 * tile),
    };
    let tiling = Some(Tiling { longest: longest.min(4096), tile, splits: true });
    siglip::prepared(
        hyper,
        Preprocessing { filter: Filter::Lanczos, tiling, ..Preprocessing::square(tile) },
        merge(hyper)?,
    )
}

fn head(loader: &mut Loader, encoder: &VisionEncoder) -> Result<VisionHead> {
    let rows = loader.tensors.size("projector", 0)[0];
    let columns = encoder.grid.merge * encoder.grid.merge * encoder.shape.d_model;
    Ok(VisionHead::Projected(loader.linear("projector", 0, [rows, columns])?))
}
