//! The Vision Transformer (Dosovitskiy et al. 2020, <https://arxiv.org/abs/2010.11929>): a picture's patches are its tokens.

use crate::device::{BufferId, Pass, Tensor, Weight};
use crate::error::Result;
use crate::load::Shape;
use crate::nn::{EncoderBlock, Input, Linear, Mlp, Norm};
use crate::ops::{Attended, By, average, bidirectional, embed, gather};
use crate::pictures::{Grid, Preprocessing};

/// An encoder of pictures whose weights are on the device.
pub struct VisionEncoder {
    /// Its sizes; the context is the number of rows, T.
    pub shape: Shape,
    /// How pictures are prepared.
    pub preprocessing: Preprocessing,
    /// The patches of a prepared picture, of E × E pixels each.
    pub grid: Grid,
    /// Rows before the patches, which stand for the whole picture.
    pub classes: usize,
    /// [T, 3 E²] → [T, D], without its bias.
    pub patches: Linear,
    /// [T, D], added; the bias of the patches and the rows before them are in it.
    pub position_table: Weight,
    /// Before the first block (CLIP).
    pub pre_norm: Option<Norm>,
    /// [T, D] → [T, D], one after the other.
    pub blocks: Vec<EncoderBlock>,
    /// After the last block.
    pub norm: Option<Norm>,
    /// What comes of a picture.
    pub head: VisionHead,
}

/// What comes of an encoder's rows [T, D].
pub enum VisionHead {
    /// The first of them: [1, D].
    First,
    /// A row that has attended to all of them: [1, D].
    Attention(Box<AttentionPooling>),
    /// Embeddings for a language model, one of each square of patches: [N, D of that].
    Projected(Linear),
    /// Likewise, of a square's mean, normalised (Gemma 3, <https://arxiv.org/abs/2503.19786>).
    Averaged(Norm, Linear),
    /// Likewise, of each patch by two layers (Liu et al. 2023, <https://arxiv.org/abs/2310.03744>).
    Perceptron {
        /// Rows that become tokens, the first of all.
        rows: usize,
        /// The layers.
        mlp: Mlp,
    },
}

/// SigLIP's head (Zhai et al. 2021, <https://arxiv.org/abs/2106.04560>): a learnt query attends to all rows.
pub struct AttentionPooling {
    /// The query [1, D], projected.
    pub query: BufferId,
    /// [D, D]
    pub k: Linear,
    /// [D, D]
    pub v: Linear,
    /// [D, D]
    pub o: Linear,
    /// Heads.
    pub n_heads: usize,
    /// Before the feed-forward layer.
    pub norm: Norm,
    /// Behind attention, in a residual branch.
    pub mlp: Mlp,
}

impl VisionEncoder {
    /// What comes of a picture: rows and columns.
    pub fn output(&self) -> [usize; 2] {
        match &self.head {
            VisionHead::First | VisionHead::Attention(_) => [1, self.shape.d_model],
            VisionHead::Projected(projector) | VisionHead::Averaged(_, projector) => {
                [self.grid.patches() / (self.grid.merge * self.grid.merge), projector.weight.rows]
            }
            VisionHead::Perceptron { rows, mlp } => [*rows, mlp.down.weight.rows],
        }
    }

    /// Columns of a picture's patch: 3 E².
    pub fn patch_columns(&self) -> usize {
        self.patches.weight.columns
    }

    /// Records the way from patches [T, 3 E²], zeros before the first, to y, shaped as [`Self::output`].
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where there is no room for activations.
    pub fn forward(&self, pass: &mut Pass, patches: &Tensor, y: &Tensor) -> Result<()> {
        let mut x = self.patches.forward(pass, patches)?; // [T, D]
        embed(pass, &self.position_table, By::Position, 1.0, &x);
        if let Some(norm) = &self.pre_norm {
            x = norm.forward(pass, &x)?; // [T, D]
        }
        for block in &self.blocks {
            x = block.forward(pass, x)?; // [T, D]
        }
        if let Some(norm) = &self.norm {
            x = norm.forward(pass, &x)?; // [T, D]
        }
        match &self.head {
            VisionHead::First => gather(pass, &x, y),                             // [1, D]
            VisionHead::Attention(pooling) => pooling.forward_into(pass, &x, y)?, // [1, D]
            VisionHead::Projected(projector) => {
                // A square's patches lie together, so that their rows are one.
                let squares = Tensor::new(x.buffer, y.rows, projector.weight.columns); // [N, merge² × D]
                pass.logit_rows = true;
                projector.forward_into(pass, &squares, y)?; // [N, D of the language model]
            }
            VisionHead::Averaged(norm, projector) => {
                pass.logit_rows = true;
                let means = pass.tensor(y.rows, x.columns)?; // [N, D]
                average(pass, &x, &means);
                let means = norm.forward(pass, &means)?; // [N, D]
                projector.forward_into(pass, &means, y)?; // [N, D of the language model]
            }
            VisionHead::Perceptron { mlp, .. } => {
                let patches = Tensor::new(x.buffer, y.rows, x.columns); // [N, D]
                pass.logit_rows = true;
                mlp.forward_into(pass, &patches, y)?; // [N, D of the language model]
            }
        }
        Ok(())
    }
}

impl AttentionPooling {
    /// x [T, D] → y [1, D].
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn forward_into(&self, pass: &mut Pass, x: &Tensor, y: &Tensor) -> Result<()> {
        let (k, v) = (self.k.forward(pass, x)?, self.v.forward(pass, x)?); // [T, D] each
        let q = Tensor::new(self.query, 1, x.columns); // [1, D]
        let attended = pass.tensor(1, x.columns)?; // [1, D]
        let scale = 1.0 / ((x.columns / self.n_heads) as f32).sqrt();
        bidirectional(pass, [&q, &k, &v], self.n_heads, scale, Attended::Other, &attended);
        pass.logit_rows = true;
        self.o.forward_into(pass, &attended, y)?; // [1, D]
        let normed = self.norm.forward(pass, y)?; // [1, D]
        self.mlp.add_to(pass, Input::of(&normed), None, y) // [1, D]
    }
}
