//! A model that writes down what is said: an encoder hears, a decoder attends to what was heard.

use super::decoder::Transformer;
use crate::device::{BufferId, Pass, Tensor, Weight};
use crate::error::Result;
use crate::nn::{Conv1d, CrossKeys, CrossProjections, EncoderBlock, Norm};
use crate::ops::{By, embed, log_mel, mel_range};

/// Both halves, their weights on the device.
pub struct Speech {
    /// Sound → the decoder's keys and values.
    pub encoder: SoundEncoder,
    /// Ids → logits.
    pub decoder: Transformer,
}

/// The encoder of a window of sound, recorded as two plans: the frames of its spectrum are twice as many as the rows behind the
/// second convolution.
pub struct SoundEncoder {
    /// Columns of the activations between blocks, D.
    pub d_model: usize,
    /// Bands of a frame, M.
    pub mels: usize,
    /// Rows of a window behind the convolutions, S.
    pub positions: usize,
    /// [2 S, M] → [2 S, D].
    pub first: Conv1d,
    /// [2 S, D] → [S, D].
    pub second: Conv1d,
    /// [S, D], added.
    pub position_table: Weight,
    /// [S, D] → [S, D], one after the other.
    pub blocks: Vec<EncoderBlock>,
    /// After the last block.
    pub norm: Norm,
    /// The decoder's layers.
    pub cross: Vec<CrossProjections>,
}

/// A window's buffers on the device.
#[derive(Clone, Copy)]
pub struct SoundBuffers {
    /// [160 (2 S − 1) + 400]
    pub samples: BufferId,
    /// As [`mel_tables`](crate::ops::mel_tables) makes them.
    pub tables: BufferId,
    /// [2 S + 2]: each frame's loudest band, the loudest of the rest of the recording, the frames up to its end.
    pub peaks: BufferId,
    /// [2 S, D], between the two plans.
    pub halfway: BufferId,
}

impl SoundEncoder {
    /// Frames of a window: 2 S, of 10 ms each.
    pub fn frames(&self) -> usize {
        2 * self.positions
    }

    /// Records the way from samples to what the first convolution makes of their spectrum; the pass's rows are frames.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where there is no room for activations.
    pub fn forward_frames(&self, pass: &mut Pass, sound: SoundBuffers) -> Result<()> {
        let mel = pass.tensor(pass.rows, self.mels)?; // [2 S, M]
        log_mel(pass, sound.samples, sound.tables, sound.peaks, &mel);
        mel_range(pass, sound.peaks, &mel);
        self.first.forward_into(pass, &mel, &self.halfway(sound)) // [2 S, D]
    }

    /// Records the rest, to keys and values of each of the decoder's layers; the pass's rows are positions of one sequence.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where there is no room for activations.
    pub fn forward_positions(&self, pass: &mut Pass, sound: SoundBuffers) -> Result<()> {
        let mut x = self.second.forward(pass, &self.halfway(sound))?; // [S, D]
        embed(pass, &self.position_table, By::Position, 1.0, &x);
        for block in &self.blocks {
            x = block.forward(pass, x)?; // [S, D]
        }
        let x = self.norm.forward(pass, &x)?; // [S, D]
        CrossKeys::keep(pass, &x, &self.cross) // [S, H × head_dim]
    }

    fn halfway(&self, sound: SoundBuffers) -> Tensor {
        Tensor::new(sound.halfway, self.frames(), self.d_model)
    }
}
