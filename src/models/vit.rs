//! What encoders of pictures share in loading: patches, positions, blocks under [`Parts`](crate::load::Parts)' names.

use super::encoder::encoder_attention;
use crate::device::{BufferId, Weight};
use crate::error::{Error, Result};
use crate::load::rows::one_run;
use crate::load::{Hyper, Loader, NormStyle, Parts, PerLayer, Shape};
use crate::nn::{EncoderBlock, FeedForward, Linear, Mlp, Norm};
use crate::ops::Activation;
use crate::pictures::{Grid, MOST_EDGE, Preprocessing};

/// Most patches of a picture.
const MOST_PATCHES: usize = 1 << 14;

/// Most numbers of an activation, 512 MiB.
const MOST_NUMBERS: usize = 1 << 27;

/// Where the class token's row lies: before the patches, or behind them, where those behind are passed over.
#[derive(Clone, Copy, PartialEq)]
pub enum ClassRow {
    /// The first of all rows.
    First,
    /// The last of all rows.
    Last,
}

/// Reads one encoder.
pub struct VitParts<'p, 'a>(Parts<'p, 'a>);

/// The patches of pictures that are prepared so, `merge` × `merge` of which become one token.
///
/// # Errors
/// `MODEL_UNSUPPORTED` where each picture has a size of its own, `MODEL_FORMAT` for patches larger than pictures, or too many.
pub fn grid(preprocessing: &Preprocessing, hyper: &Hyper, merge: usize) -> Result<Grid> {
    let edge = hyper.count("vision.patch_size", "patch_size")?;
    let Some([height, width]) = preprocessing.size() else {
        return Err(Error::unsupported(format!("a {} model whose pictures keep their own shape", hyper.family.name)));
    };
    if height.max(width) > MOST_EDGE {
        return Err(hyper.wrong("image_size", &format!("must be at most {MOST_EDGE}")));
    }
    let grid = Grid { edge, rows: height / edge, columns: width / edge, merge };
    if !grid.rows.is_multiple_of(merge) || !grid.columns.is_multiple_of(merge) {
        return Err(hyper.wrong("the scale factor", &format!("must divide {} × {} patches", grid.rows, grid.columns)));
    }
    match grid.patches() {
        1..=MOST_PATCHES => Ok(grid),
        n => Err(hyper.wrong("patch_size", &format!("gives {n} patches a picture; it must be 1 to {MOST_PATCHES}"))),
    }
}

impl<'p, 'a> VitParts<'p, 'a> {
    /// LayerNorm and this activation throughout.
    pub fn new(loader: &'p mut Loader<'a>, epsilon: f32, activation: Activation) -> Self {
        VitParts(Parts::new(loader, NormStyle::Layer { epsilon }, activation))
    }

    /// The sizes; the context is the number of `rows`, and there is no vocabulary.
    ///
    /// # Errors
    /// `MODEL_FORMAT` for numbers that make no sense, `MODEL_UNSUPPORTED` for heads that kernels do not compute and for activations
    /// beyond all measure.
    pub fn shape(hyper: &Hyper, d_ffn: usize, rows: usize) -> Result<Shape> {
        if hyper.optional_count("", "num_channels")?.is_some_and(|channels| channels != 3) {
            return Err(Error::unsupported(format!("a {} model of other than three colours", hyper.family.name)));
        }
        let d_model = hyper.count("vision.embedding_length", "hidden_size")?;
        let n_heads = hyper.count("vision.attention.head_count", "num_attention_heads")?;
        if rows.saturating_mul(d_model.max(d_ffn)) > MOST_NUMBERS {
            let what = format!("a {} model of {rows} patches, {} columns each", hyper.family.name, d_model.max(d_ffn));
            return Err(Error::unsupported(what));
        }
        Ok(Shape {
            architecture: hyper.family.name,
            d_model,
            n_layers: hyper.count("vision.block_count", "num_hidden_layers")?,
            n_heads: PerLayer::Same(n_heads),
            n_kv_heads: PerLayer::Same(n_heads),
            head_dim: hyper.head_dim("hidden_size", d_model, n_heads)?,
            d_ffn: PerLayer::Same(d_ffn),
            vocabulary: 0,
            context: rows,
        })
    }

    /// All its sizes.
    pub fn shape_of_all(&self) -> Shape {
        self.0.shape.clone()
    }

    fn d_model(&self) -> usize {
        self.0.shape.d_model
    }

    /// Blocks.
    pub fn layers(&self) -> usize {
        self.0.shape.n_layers
    }

    /// Heads.
    pub fn heads(&self) -> usize {
        self.0.shape.n_heads.at(0)
    }

    /// The norm `name` over D columns.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn norm(&mut self, name: &str, layer: usize) -> Result<Norm> {
        self.0.norm(name, layer)
    }

    /// The table that is added to the patches [patches, D]: their bias, and positions that were learnt for `trained` = [rows, columns] of
    /// patches, brought to those of `grid`. With `class`, there is a row more for the class token.
    ///
    /// # Errors
    /// Those of [`Loader`], and those of the file's source.
    pub async fn positions(&mut self, trained: [usize; 2], grid: &Grid, class: Option<ClassRow>) -> Result<Weight> {
        let d_model = self.d_model();
        let classes = usize::from(class.is_some());
        let n = classes + trained[0] * trained[1];
        // DINOv2's are in a batch of one.
        let of_batch = class.is_some() && self.0.loader.tensors.rows("positions", 0) == 0;
        let alone = usize::from(!of_batch);
        let wanted = [
            (true, "positions", &[1, n, d_model][alone..]),
            (class.is_some(), "class", &[1, 1, d_model][2 * alone..]),
            (self.0.loader.tensors.expects("patches.bias", 0), "patches.bias", &[d_model]),
        ];
        let mut found = [vec![], vec![0.0; d_model], vec![0.0; d_model]];
        // One await for all of them: each takes room in the engine's code.
        for ((is_there, name, shape), values) in wanted.into_iter().zip(&mut found) {
            if is_there {
                *values = self.0.loader.values(name, 0, shape).await?;
            }
        }
        let [learnt, mut own, bias] = found;
        let (first, learnt) = learnt.split_at(classes * d_model);
        own.iter_mut().zip(first).for_each(|(x, position)| *x += position);
        let mut table = if class == Some(ClassRow::First) { own.clone() } else { Vec::new() };
        let positions = resampled(learnt, trained, [grid.rows, grid.columns], d_model);
        for i in 0..grid.patches() {
            let [row, column] = grid.place(i);
            let position = &positions[(row * grid.columns + column) * d_model..][..d_model];
            table.extend(position.iter().zip(&bias).map(|(x, bias)| x + bias));
        }
        if class == Some(ClassRow::Last) {
            table.extend(own);
        }
        self.0.loader.computed("positions", [classes + grid.patches(), d_model], table)
    }

    /// The projection of patches [D, 3 E²], without its bias.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn patches(&mut self, edge: usize) -> Result<Linear> {
        let d_model = self.d_model();
        let weight = self.0.loader.flat("patches", &[d_model, 3, edge, edge])?;
        Ok(Linear::new(weight, None))
    }

    /// A block of norm, attention, norm and feed-forward layer.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn block(&mut self, i: usize) -> Result<EncoderBlock> {
        let (o, mlp) = (self.square("attn.o", i)?, self.mlp(self.up_and_down(i), i)?);
        self.block_of(i, o, mlp)
    }

    /// A block with LayerScale behind both sublayers: each row of their last projections times a number.
    ///
    /// # Errors
    /// Those of [`Loader`], and those of the file's source.
    pub async fn scaled_block(&mut self, i: usize) -> Result<EncoderBlock> {
        let Shape { d_model, .. } = self.0.shape;
        let d_ffn = self.0.shape.d_ffn.at(i);
        let loader = &mut *self.0.loader;
        let [for_attn, for_ffn] =
            [loader.values("attn.scale", i, &[d_model]).await?, loader.values("ffn.scale", i, &[d_model]).await?];
        let o = loader.scaled_linear("attn.o", i, [d_model; 2], for_attn)?;
        let down = loader.scaled_linear("ffn.down", i, [d_model, d_ffn], for_ffn)?;
        let up = loader.linear("ffn.up", i, [d_ffn, d_model])?;
        let mlp = Mlp { gate: None, up, down, activation: self.0.activation };
        self.block_of(i, o, mlp)
    }

    fn block_of(&mut self, i: usize, o: Linear, mlp: Mlp) -> Result<EncoderBlock> {
        let linears = [self.square("attn.q", i)?, self.square("attn.k", i)?, self.square("attn.v", i)?, o];
        Ok(EncoderBlock {
            attn_norm: Some(self.norm("attn.norm", i)?),
            attn: encoder_attention(linears, &self.0.shape, i),
            attn_out_norm: None,
            ffn_norm: Some(self.norm("ffn.norm", i)?),
            ffn: FeedForward::Dense(mlp),
            ffn_out_norm: None,
        })
    }

    /// The names of the feed-forward layer's projections: older GGUF files have them the other way round.
    fn up_and_down(&self, i: usize) -> [&'static str; 2] {
        let (d_model, d_ffn) = (self.d_model(), self.0.shape.d_ffn.at(i));
        match d_model != d_ffn && self.0.loader.tensors.rows("ffn.up", i) == d_model {
            true => ["ffn.down", "ffn.up"],
            false => ["ffn.up", "ffn.down"],
        }
    }

    /// A projection [D, D].
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn square(&mut self, name: &str, layer: usize) -> Result<Linear> {
        let d_model = self.d_model();
        self.0.loader.linear(name, layer, [d_model; 2])
    }

    /// down(act(up(x))), of projections that go by these names.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn mlp(&mut self, [up, down]: [&str; 2], layer: usize) -> Result<Mlp> {
        let (d_model, d_ffn) = (self.d_model(), self.0.shape.d_ffn.at(layer));
        let up = self.0.loader.linear(up, layer, [d_ffn, d_model])?;
        let down = self.0.loader.linear(down, layer, [d_model, d_ffn])?;
        Ok(Mlp { gate: None, up, down, activation: self.0.activation })
    }

    /// The head's projections to keys and values, which the file keeps behind that of its query.
    ///
    /// # Errors
    /// Those of [`Loader`].
    pub fn head_keys_and_values(&mut self) -> Result<[Linear; 2]> {
        let d_model = self.d_model();
        let parts = [one_run(d_model..2 * d_model), one_run(2 * d_model..3 * d_model)];
        self.0.loader.linear_parts("head.qkv", 0, [3 * d_model, d_model], parts)
    }

    /// The head's query [1, D], which is the same for all pictures.
    ///
    /// # Errors
    /// Those of [`Loader`], and those of the file's source.
    pub async fn head_query(&mut self) -> Result<BufferId> {
        let d_model = self.d_model();
        let loader = &mut *self.0.loader;
        let probe = loader.values("head.query", 0, &[1, 1, d_model]).await?;
        let weight = loader.values("head.qkv", 0, &[3 * d_model, d_model]).await?;
        let bias = loader.values("head.qkv.bias", 0, &[3 * d_model]).await?;
        let product = |row: &[f32]| row.iter().zip(&probe).map(|(w, x)| w * x).sum::<f32>();
        let query = weight.chunks_exact(d_model).take(d_model).zip(&bias).map(|(row, bias)| product(row) + bias);
        Ok(loader.computed("head.query", [1, d_model], query.collect())?.pieces[0].buffer)
    }
}

/// Rows of numbers on a grid [rows, columns] → on another, by Keys' cubic with a = −0.75, edges repeated: PyTorch's `interpolate` in
/// its mode `bicubic`.
fn resampled(x: &[f32], from: [usize; 2], to: [usize; 2], width: usize) -> Vec<f32> {
    if from == to {
        return x.to_vec();
    }
    let [down, across] = [taps(from[0], to[0]), taps(from[1], to[1])];
    let mut y = vec![0.0; to[0] * to[1] * width];
    for (i, out) in y.chunks_exact_mut(width).enumerate() {
        for (row, by) in &down[i / to[1]] {
            for (column, weight) in &across[i % to[1]] {
                let at = (row * from[1] + column) * width;
                out.iter_mut().zip(&x[at..at + width]).for_each(|(y, x)| *y += by * weight * x);
            }
        }
    }
    y
}

/// For each of `to` places, four of `from` and their weights.
fn taps(from: usize, to: usize) -> Vec<[(usize, f32); 4]> {
    const A: f32 = -0.75;
    let near = |d: f32| ((A + 2.0) * d - (A + 3.0)) * d * d + 1.0;
    let far = |d: f32| ((A * d - 5.0 * A) * d + 8.0 * A) * d - 4.0 * A;
    let scale = from as f32 / to as f32;
    let of = |i: usize| {
        let at = (i as f32 + 0.5) * scale - 0.5;
        let (first, t) = (at.floor(), at - at.floor());
        let place = |offset: isize| (first as isize + offset).clamp(0, from as isize - 1) as usize;
        [(place(-1), far(t + 1.0)), (place(0), near(t)), (place(1), near(1.0 - t)), (place(2), far(2.0 - t))]
    };
    (0..to).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// torch.nn.functional.interpolate(…, mode="bicubic") of 0, 1, 4, 9 on a line of four, to six and to three places.
    #[test]
    fn as_torch_interpolates() {
        let of = |to: usize| resampled(&[0.0, 1.0, 4.0, 9.0], [1, 4], [1, to], 1);
        let close = |got: Vec<f32>, want: &[f32]| {
            assert!(got.len() == want.len() && got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-5), "{got:?}");
        };
        close(of(6), SIX);
        close(of(3), THREE);
    }
    const SIX: &[f32] = &[-0.086_805_58, 0.218_75, 1.430_555, 3.152_777_7, 6.781_25, 9.434_029];
    const THREE: &[f32] = &[0.091_435_015, 2.125, 8.334_492];
}
