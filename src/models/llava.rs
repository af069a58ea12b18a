//! LLaVA 1.5 (Liu et al. 2023, <https://arxiv.org/abs/2310.03744>): a llama, or what else config.json names, that reads what CLIP's encoder
//! of pictures sees (Radford et al. 2021, <https://arxiv.org/abs/2103.00020>), each patch brought to the width of its embeddings by two layers.

use super::architecture::{Architecture, Load};
use super::siglip;
use super::vision::{VisionEncoder, VisionHead};
use super::vit::{ClassRow, VitParts};
use crate::error::{Error, Result};
use crate::load::names::Name;
use crate::load::{Family, Hyper, Loader, Shape};
use crate::nn::Mlp;
use crate::ops::Activation;
use crate::pictures::{Grid, Preprocessing};

/// The half that sees: beside the other in safetensors, a file of its own in GGUF (`mmproj`).
pub static EYES: Architecture = Architecture {
    family: Family {
        name: "llava",
        gguf: &["clip"],
        hf: &[],
        section: "vision_config",
        tensors: NAMES,
        prefixes: siglip::TOWERS,
        defaults: &[
            ("hidden_size", 768.0),
            ("intermediate_size", 3072.0),
            ("num_hidden_layers", 12.0),
            ("num_attention_heads", 12.0),
            ("image_size", 224.0),
            ("patch_size", 32.0),
            ("layer_norm_eps", 1e-5),
        ],
        ..Family::PLAIN
    },
    shape,
    load: Load::Vision(|loader| Box::pin(load(loader))),
};

const NAMES: &[Name] = &siglip::names::<{ siglip::NAMES.len() + 7 }>(&[
    ("class", "v.class_embd", "vision_model.embeddings.class_embedding"),
    ("pre_norm", "v.pre_ln.weight", "vision_model.pre_layrnorm.weight"),
    ("pre_norm.bias", "v.pre_ln.bias", "vision_model.pre_layrnorm.bias"),
    ("projector.up", "mm.0.weight", "multi_modal_projector.linear_1.weight"),
    ("projector.up.bias", "mm.0.bias", "multi_modal_projector.linear_1.bias"),
    ("projector.down", "mm.2.weight", "multi_modal_projector.linear_2.weight"),
    ("projector.down.bias", "mm.2.bias", "multi_modal_projector.linear_2.bias"),
]);

/// How the halves are joined, by config.json.
struct Joint {
    /// Blocks that are computed.
    layers: usize,
    /// Where the class token's row lies: behind the patches it becomes no token of the half that reads.
    class: ClassRow,
    /// Whether the projector's layers have biases.
    biases: bool,
}

impl Joint {
    /// transformers' own values for what config.json leaves out. GGUF's converter leaves out the blocks that are not computed.
    fn read(hyper: &Hyper) -> Result<Joint> {
        let all = hyper.count("vision.block_count", "num_hidden_layers")?;
        let Some(config) = hyper.checkpoint.config() else {
            let other = ["feature_layer", "image_grid_pinpoints"].map(|key| format!("clip.vision.{key}"));
            if let Some(key) = other.iter().find(|key| hyper.checkpoint.metadata().get(key).is_some()) {
                return Err(Error::unsupported(format!(
                    "a llava model with {key}: several layers, or tiles as in LLaVA 1.6"
                )));
            }
            if hyper.checkpoint.tensor("v.class_embd").is_none() {
                return Err(Error::unsupported("a llava model that sees by another encoder than CLIP's"));
            }
            return Ok(Joint { layers: all, class: ClassRow::Last, biases: true });
        };
        let kind = config["vision_config"]["model_type"].as_str().unwrap_or("clip_vision_model");
        if kind != "clip_vision_model" {
            return Err(Error::unsupported(format!("a llava model that sees by {kind}")));
        }
        let layer = match &config["vision_feature_layer"] {
            serde_json::Value::Null => -2,
            serde_json::Value::Array(_) => return Err(Error::unsupported("a llava model that sees by several layers")),
            // One that is no integer is none of them.
            layer => layer.as_i64().unwrap_or(0),
        };
        // States are counted from 0, before the first block, or back from −1, behind the last.
        let layers = if layer < 0 { all as i64 + 1 + layer } else { layer };
        let layers = usize::try_from(layers).ok().filter(|layers| (1..=all).contains(layers));
        let class = match config["vision_feature_select_strategy"].as_str() {
            None | Some("default") => ClassRow::Last,
            Some("full") => ClassRow::First,
            Some(other) => return Err(Error::unsupported(format!("the feature selection {other} in a llava model"))),
        };
        let layers =
            layers.ok_or_else(|| hyper.wrong("vision_feature_layer", &format!("must be one of {all} layers")))?;
        Ok(Joint { layers, class, biases: config["multimodal_projector_bias"] != false })
    }
}

fn shape(hyper: &Hyper) -> Result<Shape> {
    activation(hyper)?;
    projector_activation(hyper)?;
    let rows = 1 + preprocessing(hyper)?.1.patches();
    let d_ffn = hyper.count("vision.feed_forward_length", "intermediate_size")?;
    Ok(Shape { n_layers: Joint::read(hyper)?.layers, ..VitParts::shape(hyper, d_ffn, rows)? })
}

fn activation(hyper: &Hyper) -> Result<Activation> {
    let by_gguf = hyper.checkpoint.metadata().bool("clip.use_gelu")?;
    match hyper.text("", "hidden_act")? {
        None if by_gguf == Some(true) => Ok(Activation::GeluTanh),
        None | Some("quick_gelu") => Ok(Activation::QuickGelu),
        Some("gelu") => Ok(Activation::Gelu),
        Some(other) => Err(Error::unsupported(format!("the activation {other} in a clip model"))),
    }
}

fn projector_activation(hyper: &Hyper) -> Result<Activation> {
    match hyper.checkpoint.config().map(|config| &config["projector_hidden_act"]).and_then(|name| name.as_str()) {
        None | Some("gelu") => Ok(Activation::Gelu),
        Some("gelu_pytorch_tanh" | "gelu_new") => Ok(Activation::GeluTanh),
        Some(other) => Err(Error::unsupported(format!("the activation {other} in a llava projector"))),
    }
}

/// How pictures are prepared, and their patches: transformers' own values for what the file leaves out.
fn preprocessing(hyper: &Hyper) -> Result<(Preprocessing, Grid)> {
    let edge = hyper.count("vision.image_size", "image_size")?;
    let usual = Preprocessing {
        mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
        std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
        ..Preprocessing::middle(edge, edge)
    };
    if hyper.checkpoint.preprocessor_config().is_some_and(|config| config["do_pad"] == true) {
        return Err(Error::unsupported("a llava model whose pictures are made square (do_pad)"));
    }
    siglip::prepared(hyper, usual, 1)
}

async fn load(loader: &mut Loader<'_>) -> Result<VisionEncoder> {
    let hyper = loader.hyper;
    let (preprocessing, grid) = preprocessing(&hyper)?;
    let Joint { class, biases, .. } = Joint::read(&hyper)?;
    let epsilon = hyper.number("vision.attention.layer_norm_epsilon", "layer_norm_eps")? as f32;
    loader.tensors.may_lack(|name| name == "patches.bias" || !biases && name.starts_with("projector."));
    let mut vit = VitParts::new(loader, epsilon, activation(&hyper)?);
    let position_table = vit.positions([grid.rows, grid.columns], &grid, Some(class)).await?;
    let shape = vit.shape_of_all();
    let (patches, pre_norm) = (vit.patches(grid.edge)?, Some(vit.norm("pre_norm", 0)?));
    let blocks = (0..vit.layers()).map(|i| vit.block(i)).collect::<Result<_>>()?;
    let columns = loader.tensors.rows("projector.up", 0);
    let up = loader.linear("projector.up", 0, [columns, shape.d_model])?;
    let rows = loader.tensors.rows("projector.down", 0);
    let down = loader.linear("projector.down", 0, [rows, columns])?;
    let mlp = Mlp { gate: None, up, down, activation: projector_activation(&hyper)? };
    let classes = usize::from(class == ClassRow::First);
    Ok(VisionEncoder {
        head: VisionHead::Perceptron { rows: classes + grid.patches(), mlp },
        shape,
        preprocessing,
        grid,
        classes,
        patches,
        position_table,
        pre_norm,
        blocks,
        norm: None,
    })
}
