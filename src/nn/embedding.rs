//! Token embeddings, GPT-2's learnt positions, BERT's segment types.

use crate::device::{Pass, ProjectionId, Tensor, Weight};
use crate::error::Result;
use crate::ops::{By, Epilogue, embed, linear};

/// The tables whose rows are added up.
pub struct Embedding {
    /// [V, D]
    pub tokens: Weight,
    /// The adapters' id of it.
    pub id: ProjectionId,
    /// [context, D], added.
    pub positions: Option<Weight>,
    /// [types, D]: the first, that of the only segment, is added.
    pub types: Option<Weight>,
    /// Multiplies the tokens' rows: √D in Gemma, a number of its own in Granite, else 1.
    pub scale: f32,
}

impl Embedding {
    /// The pass's rows → [T, D].
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn forward(&self, pass: &mut Pass) -> Result<Tensor> {
        let x = pass.tensor(pass.rows, self.tokens.columns)?; // [T, D]
        embed(pass, &self.tokens, By::Token, self.scale, &x);
        let corrections = pass.corrections.clone();
        if let Some(lora) = corrections.as_ref().and_then(|all| all.get(&self.id)) {
            let h = pass.tensor(pass.rows, lora.a.columns)?; // [T, r]
            embed(pass, &lora.a, By::Token, 1.0, &h);
            let epilogue = Epilogue { bias: None, accumulate: true, scale: self.scale * lora.scale };
            linear(pass, &h, &lora.b, epilogue, &x); // [T, D]
        }
        if let Some(positions) = &self.positions {
            embed(pass, positions, By::Position, 1.0, &x);
        }
        if let Some(types) = &self.types {
            embed(pass, types, By::First, 1.0, &x);
        }
        Ok(x)
    }
}
