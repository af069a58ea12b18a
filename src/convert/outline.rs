//! Describes a loaded model without its weights, as lines that are equal for two files of the same model.

use crate::models::{Encoder, Model, Transformer};
use crate::nn::{EncoderBlock, FeedForward, Linear, Norm, NormKind};

/// A line for what is not in layers, and one for each layer.
pub fn outline(model: &Model) -> Vec<String> {
    match model {
        Model::Decoder(decoder) => of_decoder(decoder),
        Model::Encoder(encoder) => of_encoder(encoder),
        Model::EncoderDecoder(model) => of_decoder(&model.decoder),
        Model::Speech(speech) => of_decoder(&speech.decoder),
        Model::Vision(encoder) => encoder.blocks.iter().map(of_encoder_block).collect(),
    }
}

fn of_decoder(model: &Transformer) -> Vec<String> {
    let head = (linear(&model.lm_head), model.logit_cap, norm(model.norm.as_ref()));
    let mut lines = vec![format!("embeddings × {}, output {head:?}", model.embed.scale)];
    for block in &model.blocks {
        let attn = &block.attn;
        let qk_norm = attn.qk_norm.as_ref().map(|qk| (qk.over, norm(Some(&qk.q))));
        let projections = [&attn.q, &attn.k, &attn.v, &attn.o].map(linear);
        let norms = [&block.attn_norm, &block.attn_post_norm, &block.ffn_norm, &block.ffn_post_norm];
        lines.push(format!(
            "attention {projections:?}, {:?}, QK-norm {qk_norm:?}, rotary {:?}; norms {:?}; {}; side by side: {}",
            attn.scores,
            attn.rope.map(|rope| rope.dims),
            norms.map(|it| norm(it.as_ref())),
            feed_forward(&block.ffn),
            block.parallel
        ));
    }
    lines
}

fn of_encoder(model: &Encoder) -> Vec<String> {
    let norms = [norm(Some(&model.embed_norm)), norm(model.norm.as_ref())];
    let positions = model.embed.positions.is_some();
    let mut lines = vec![format!("{:?}, learnt positions: {positions}, {norms:?}", model.pooling)];
    lines.extend(model.blocks.iter().map(of_encoder_block));
    lines
}

fn of_encoder_block(block: &EncoderBlock) -> String {
    let attn = &block.attn;
    let norms = [&block.attn_norm, &block.attn_out_norm, &block.ffn_norm, &block.ffn_out_norm];
    format!(
        "attention {:?} × {}, window {:?}, rotary {:?}; norms {:?}; {}",
        [&attn.q, &attn.k, &attn.v, &attn.o].map(linear),
        attn.scale,
        attn.window,
        attn.rope.map(|rope| rope.dims),
        norms.map(|it| norm(it.as_ref())),
        feed_forward(&block.ffn)
    )
}

/// [out, in], bias, scale.
fn linear(linear: &Linear) -> (usize, usize, bool, f32) {
    (linear.weight.rows, linear.weight.columns, linear.bias.is_some(), linear.scale)
}

fn norm(norm: Option<&Norm>) -> String {
    match norm {
        None => "none".to_string(),
        Some(Norm { kind: NormKind::Rms, epsilon, .. }) => format!("RMS {epsilon:e}"),
        Some(Norm { kind: NormKind::Layer { bias }, epsilon, .. }) => {
            format!("layer {epsilon:e}, bias: {}", bias.is_some())
        }
    }
}

fn feed_forward(ffn: &FeedForward) -> String {
    match ffn {
        FeedForward::Dense(mlp) => {
            let gate = mlp.gate.as_ref().map(linear);
            format!("{:?}, gate {gate:?}, up {:?}, down {:?}", mlp.activation, linear(&mlp.up), linear(&mlp.down))
        }
        FeedForward::Experts(experts) => {
            let (k, router) = (experts.top_k, linear(&experts.router));
            format!("{:?}, {k} experts of {router:?}, normalised: {}", experts.activation, experts.normalize)
        }
    }
}
