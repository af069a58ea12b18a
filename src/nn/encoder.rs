//! An encoder's block: attention over the whole sequence; norms before the sublayers, or behind the residual (BERT).

use super::{FeedForward, Input, Linear, Norm, Rope};
use crate::device::{Pass, Tensor};
use crate::error::Result;
use crate::ops::{Attended, RelativeBias, bidirectional};

/// One layer of an encoder.
pub struct EncoderBlock {
    /// Before attention (ModernBERT).
    pub attn_norm: Option<Norm>,
    /// Self-attention.
    pub attn: EncoderAttention,
    /// On x + attention(x) (BERT's post-norm).
    pub attn_out_norm: Option<Norm>,
    /// Before the feed-forward layer.
    pub ffn_norm: Option<Norm>,
    /// Gated or plain.
    pub ffn: FeedForward,
    /// On x + ffn(x).
    pub ffn_out_norm: Option<Norm>,
}

impl EncoderBlock {
    /// x [T, D] → [T, D].
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn forward(&self, pass: &mut Pass, mut x: Tensor) -> Result<Tensor> {
        self.attn.add_to(pass, Input { x: &x, norm: self.attn_norm.as_ref() }, &x)?; // [T, D]
        x = Norm::after(self.attn_out_norm.as_ref(), pass, x)?; // [T, D]
        self.ffn.add_to(pass, Input { x: &x, norm: self.ffn_norm.as_ref() }, None, &x)?; // [T, D]
        Norm::after(self.ffn_out_norm.as_ref(), pass, x) // [T, D]
    }
}

/// Multi-head self-attention that sees both sides.
pub struct EncoderAttention {
    /// [H × head_dim, D]
    pub q: Linear,
    /// [H × head_dim, D]
    pub k: Linear,
    /// [H × head_dim, D]
    pub v: Linear,
    /// [D, H × head_dim]
    pub o: Linear,
    /// Heads.
    pub n_heads: usize,
    /// `None` in models with learnt positions.
    pub rope: Option<Rope>,
    /// Multiplies scores: 1/√head_dim.
    pub scale: f32,
    /// How far a row sees on either side.
    pub window: Option<u32>,
    /// Added to scores by distance (T5).
    pub bias: Option<RelativeBias>,
}

impl EncoderAttention {
    /// residual [T, D] += o(attention(x [T, D])).
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn add_to(&self, pass: &mut Pass, x: Input, residual: &Tensor) -> Result<()> {
        let x = x.rows(pass)?; // [T, D]
        let q = self.q.forward(pass, &x)?; // [T, H × head_dim]
        let k = self.k.forward(pass, &x)?; // [T, H × head_dim]
        let v = self.v.forward(pass, &x)?; // [T, H × head_dim]
        if let Some(rope) = &self.rope {
            rope.apply(pass, &q, self.n_heads);
            rope.apply(pass, &k, self.n_heads);
        }
        let y = pass.tensor(q.rows, q.columns)?; // [T, H × head_dim]
        bidirectional(
            pass,
            [&q, &k, &v],
            self.n_heads,
            self.scale,
            Attended::Own { window: self.window, bias: self.bias },
            &y,
        );
        self.o.add_to(pass, &y, residual) // [T, D]
    }
}
