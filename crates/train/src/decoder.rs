//! The llama architecture as burn modules: token ids to logits, with gradients.
//!
//! RMSNorm before each sublayer, rotary positions, grouped-query attention, SwiGLU, output tied to the embedding
//! (Touvron et al. 2023, "LLaMA"; Ainslie et al. 2023, "GQA"). Field names follow the engine's model files; weights are
//! burn's `[in, out]`, the transpose of a checkpoint's rows (`export.rs` turns them). Shapes: B sequences, T
//! positions, D = `d_model`, H query heads and K key/value heads of size d, V = vocabulary.

use burn::config::Config;
use burn::module::{Initializer, Module, ModuleVisitor, Param};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig, RmsNorm, RmsNormConfig};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Int, Tensor, TensorData};

use cresset::{Error, Result};

/// With gradients and AdamW's moments, 16 GB.
const MOST_PARAMETERS: usize = 1_000_000_000;

/// Sizes of a [`Decoder`].
#[derive(Config, Debug, PartialEq)]
pub struct DecoderConfig {
    /// Tokens of the vocabulary, V.
    pub vocab: usize,
    /// Width of the residual stream, D.
    pub d_model: usize,
    /// Transformer blocks.
    pub n_layers: usize,
    /// Query heads, H.
    pub n_heads: usize,
    /// Key/value heads, K; a divisor of the query heads.
    pub n_kv_heads: usize,
    /// Width of the feed-forward layer.
    pub ffn: usize,
    /// Positions in a training window; also what the exported file promises.
    pub context: usize,
    /// Base of the rotary positions: pair i of a head of size d turns by base^(−2i/d) a position.
    #[config(default = 10000.0)]
    pub rope_base: f64,
    /// RMSNorm's epsilon, added to the mean square.
    #[config(default = 1e-5)]
    pub norm_eps: f64,
}

impl DecoderConfig {
    /// Size of a head, d.
    pub fn head_dim(&self) -> usize {
        self.d_model / self.n_heads
    }

    /// Trained numbers; the output shares the embedding's.
    pub fn parameters(&self) -> usize {
        let (d, kv) = (self.d_model, self.n_kv_heads * self.head_dim());
        let block = 2 * d * d + 2 * d * kv + 3 * d * self.ffn + 2 * d;
        self.vocab * d + self.n_layers * block + d
    }

    /// Refuses sizes that no model can have, naming the flag to change.
    ///
    /// # Errors
    /// `INVALID_REQUEST` with that flag.
    pub fn check(&self) -> Result<()> {
        for (field, value) in [
            ("--vocab", self.vocab),
            ("--d-model", self.d_model),
            ("--layers", self.n_layers),
            ("--heads", self.n_heads),
            ("--kv-heads", self.n_kv_heads),
            ("--ffn", self.ffn),
            ("--context", self.context),
        ] {
            if value == 0 || value > 1 << 20 {
                return Err(Error::invalid(field, "must be between 1 and 1048576"));
            }
        }
        if !self.d_model.is_multiple_of(2 * self.n_heads) {
            return Err(Error::invalid(
                "--d-model",
                "must be an even multiple of --heads (rotary positions turn pairs)",
            ));
        }
        if !self.n_heads.is_multiple_of(self.n_kv_heads) {
            return Err(Error::invalid("--kv-heads", "must divide --heads"));
        }
        if self.parameters() > MOST_PARAMETERS {
            let reason = format!("makes {} parameters; at most {MOST_PARAMETERS} can be trained", self.parameters());
            return Err(Error::invalid("--d-model", reason));
        }
        Ok(())
    }

    /// Fresh weights: normal with deviation 0.02, the layers that write to the residual stream scaled down by the
    /// square root of their number (Radford et al. 2019, "GPT-2"), so that the stream starts with the same size at any
    /// depth. Draws from the device's generator: seed it first.
    pub fn init(&self, device: &Device) -> Decoder {
        let decoder = Decoder {
            embed: EmbeddingConfig::new(self.vocab, self.d_model).with_initializer(normal(0.02)).init(device),
            blocks: (0..self.n_layers).map(|_| Block::init(self, device)).collect(),
            norm: norm(self, device),
            rope: Rope::init(self, device),
        };
        decoder.visit(&mut Draw);
        decoder
    }
}

/// Draws the weights now: burn does so when one is first used, and by then others may have drawn from its generator,
/// which is one for the whole process.
struct Draw;

impl ModuleVisitor for Draw {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let _ = param.val();
    }
}

fn normal(std: f64) -> Initializer {
    Initializer::Normal { mean: 0.0, std }
}

fn norm(config: &DecoderConfig, device: &Device) -> RmsNorm {
    RmsNormConfig::new(config.d_model).with_epsilon(config.norm_eps).init(device)
}

fn linear(d_in: usize, d_out: usize, std: f64, device: &Device) -> Linear {
    LinearConfig::new(d_in, d_out).with_bias(false).with_initializer(normal(std)).init(device)
}

/// The whole model.
#[derive(Module, Debug)]
pub struct Decoder {
    /// `[V, D]`; also the output projection.
    pub embed: Embedding,
    /// The layers, in the order of the forward pass.
    pub blocks: Vec<Block>,
    /// The norm before the output projection.
    pub norm: RmsNorm,
    rope: Rope,
}

impl Decoder {
    /// Everything but the output projection.
    ///
    /// # Shapes
    /// - ids: `[B, T]`, T at most the configured context
    /// - output: `[B, T, D]`
    pub fn hidden(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let [_, t] = ids.dims();
        let device = ids.device();
        let causal = Tensor::<2>::full([t, t], f32::MIN, &device).triu(1); // [T, T]
        let mut x = self.embed.forward(ids); // [B, T, D]
        for block in &self.blocks {
            x = block.forward(x, &self.rope, &causal); // [B, T, D]
        }
        self.norm.forward(x) // [B, T, D]
    }

    /// Next-token logits at every position.
    ///
    /// # Shapes
    /// - ids: `[B, T]`
    /// - output: `[B, T, V]`
    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let x = self.hidden(ids); // [B, T, D]
        x.matmul(self.embed.weight.val().transpose().unsqueeze()) // [B, T, V]
    }

    /// Cross-entropy of each target, in nats.
    ///
    /// The log-normaliser less the target's own logit, which is computed as a product with the target's embedding:
    /// with a full log-softmax, autodiff would make several more passes over `[B·T, V]`, the largest tensor of a step.
    ///
    /// # Shapes
    /// - ids, targets: `[B, T]`
    /// - output: `[B·T]`
    pub fn losses(&self, ids: Tensor<2, Int>, targets: Tensor<2, Int>) -> Tensor<1> {
        let x = self.hidden(ids).flatten::<2>(0, 1); // [B·T, D]
        let own = self.embed.forward(targets).flatten::<2>(0, 1); // [B·T, D]
        let own = (own * x.clone()).sum_dim(1); // [B·T, 1]
        let logits = x.matmul(self.embed.weight.val().transpose()); // [B·T, V]
        let max = logits.clone().detach().max_dim(1); // [B·T, 1]
        let normaliser = (logits - max.clone()).exp().sum_dim(1).log() + max; // [B·T, 1]
        (normaliser - own).flatten(0, 1) // [B·T]
    }
}

/// One layer: attention and feed-forward, each added to the residual stream.
#[derive(Module, Debug)]
pub struct Block {
    /// The norm before attention.
    pub attn_norm: RmsNorm,
    /// The layer in which positions look at each other.
    pub attn: Attention,
    /// The norm before the feed-forward layer.
    pub ffn_norm: RmsNorm,
    /// The feed-forward layer.
    pub ffn: SwiGlu,
}

impl Block {
    fn init(config: &DecoderConfig, device: &Device) -> Self {
        Block {
            attn_norm: norm(config, device),
            attn: Attention::init(config, device),
            ffn_norm: norm(config, device),
            ffn: SwiGlu::init(config, device),
        }
    }

    /// # Shapes
    /// - x, output: `[B, T, D]`
    /// - causal: `[T, T]`, added to the scores: 0 where a row may look, else the least number
    fn forward(&self, x: Tensor<3>, rope: &Rope, causal: &Tensor<2>) -> Tensor<3> {
        let x = x.clone() + self.attn.forward(self.attn_norm.forward(x), rope, causal); // [B, T, D]
        x.clone() + self.ffn.forward(self.ffn_norm.forward(x)) // [B, T, D]
    }
}

/// Causal grouped-query attention: each key/value head serves H / K query heads.
#[derive(Module, Debug)]
pub struct Attention {
    /// `[D, H·d]`, makes queries.
    pub q: Linear,
    /// `[D, K·d]`, makes keys.
    pub k: Linear,
    /// `[D, K·d]`, makes values.
    pub v: Linear,
    /// `[H·d, D]`, makes what is added to the residual stream.
    pub output: Linear,
    n_heads: usize,
    n_kv_heads: usize,
}

impl Attention {
    fn init(config: &DecoderConfig, device: &Device) -> Self {
        let (d, kv) = (config.d_model, config.n_kv_heads * config.head_dim());
        Attention {
            q: linear(d, d, 0.02, device),
            k: linear(d, kv, 0.02, device),
            v: linear(d, kv, 0.02, device),
            output: linear(d, d, residual_std(config), device),
            n_heads: config.n_heads,
            n_kv_heads: config.n_kv_heads,
        }
    }

    /// # Shapes
    /// - x, output: `[B, T, D]`
    /// - causal: `[T, T]`
    fn forward(&self, x: Tensor<3>, rope: &Rope, causal: &Tensor<2>) -> Tensor<3> {
        let [b, t, d_model] = x.dims();
        let (h, kv, d) = (self.n_heads, self.n_kv_heads, d_model / self.n_heads);
        let heads = |x: Tensor<3>, n| x.reshape([b, t, n, d]).swap_dims(1, 2); // [B, n, T, d]
        let q = rope.turn(self.q.forward(x.clone()) * (d as f64).powf(-0.5), h); // [B, T, H·d]
        let k = rope.turn(self.k.forward(x.clone()), kv); // [B, T, K·d]
        let v = heads(self.v.forward(x), kv); // [B, K, T, d]

        // The H / K query heads of a key/value head become further rows beside each other: nothing is repeated.
        let rows = h / kv * t;
        let q = heads(q, h).reshape([b, kv, rows, d]); // [B, K, H/K·T, d]
        let scores = q.matmul(heads(k, kv).transpose()); // [B, K, H/K·T, T]
        let scores = scores + causal.clone().repeat_dim(0, h / kv).unsqueeze();
        let max = scores.clone().detach().max_dim(3); // [B, K, H/K·T, 1]
        let weights = (scores - max).exp(); // [B, K, H/K·T, T]
        // Dividing the sum, not each weight: the weights are the larger tensor.
        let y = weights.clone().matmul(v) / weights.sum_dim(3); // [B, K, H/K·T, d]
        self.output.forward(y.reshape([b, h, t, d]).swap_dims(1, 2).reshape([b, t, d_model])) // [B, T, D]
    }
}

/// Feed-forward layer `down(silu(gate(x)) · up(x))` (Shazeer 2020).
#[derive(Module, Debug)]
pub struct SwiGlu {
    /// `[D, ffn]`, before the non-linearity.
    pub gate: Linear,
    /// `[D, ffn]`, what the gate is multiplied with.
    pub up: Linear,
    /// `[ffn, D]`
    pub down: Linear,
}

impl SwiGlu {
    fn init(config: &DecoderConfig, device: &Device) -> Self {
        SwiGlu {
            gate: linear(config.d_model, config.ffn, 0.02, device),
            up: linear(config.d_model, config.ffn, 0.02, device),
            down: linear(config.ffn, config.d_model, residual_std(config), device),
        }
    }

    /// # Shapes
    /// - x, output: `[B, T, D]`
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let gate = self.gate.forward(x.clone()); // [B, T, ffn]
        let gate = gate.clone() * sigmoid(gate); // silu
        self.down.forward(gate * self.up.forward(x)) // [B, T, D]
    }
}

fn residual_std(config: &DecoderConfig) -> f64 {
    0.02 / (2.0 * config.n_layers as f64).sqrt()
}

/// Rotary positions (Su et al. 2021), half-split pairing as in Hugging Face's llama: component `i` of a head turns with
/// component `i + d/2`.
#[derive(Module, Debug)]
struct Rope {
    cos: Tensor<2>,  // [context, d]
    sin: Tensor<2>,  // [context, d]
    swap: Tensor<2>, // [d, d]: x · swap = (-second half, first half)
}

impl Rope {
    fn init(config: &DecoderConfig, device: &Device) -> Self {
        let (rows, d) = (config.context, config.head_dim());
        let table = |f: fn(f64) -> f64| {
            let angle = |i: usize, j: usize| i as f64 * config.rope_base.powf(-((j % (d / 2)) as f64) * 2.0 / d as f64);
            let values = (0..rows * d).map(|n| f(angle(n / d, n % d)) as f32).collect();
            Tensor::from_data(TensorData::new::<f32, _>(values, [rows, d]), device)
        };
        let mut swap = vec![0.0f32; d * d];
        for i in 0..d / 2 {
            swap[(i + d / 2) * d + i] = -1.0;
            swap[i * d + i + d / 2] = 1.0;
        }
        let swap = Tensor::from_data(TensorData::new(swap, [d, d]), device);
        Rope { cos: table(f64::cos), sin: table(f64::sin), swap }
    }

    /// Turns each of `n` heads by its position. The halves are swapped by a product with a constant, since autodiff
    /// copies more for slices and concatenations than the product costs.
    ///
    /// # Shapes
    /// - x, output: `[B, T, n·d]`
    fn turn(&self, x: Tensor<3>, n: usize) -> Tensor<3> {
        let [b, t, width] = x.dims();
        let table = |rows: &Tensor<2>| rows.clone().narrow(0, 0, t).repeat_dim(1, n).unsqueeze::<3>(); // [1, T, n·d]
        let swapped = x.clone().reshape([b * t * n, width / n]).matmul(self.swap.clone()).reshape([b, t, width]);
        x * table(&self.cos) + swapped * table(&self.sin)
    }
}
