//! A window of sound → the keys and values that the decoder attends to. Its memory is that of one window, however long the
//! recording.

use crate::device::{BufferId, Compiled, Compiling, Control, Device, Layout, Pass, Plan, Pool, Usage};
use crate::error::Result;
use crate::models::{SoundBuffers, SoundEncoder};
use crate::ops::{FRAME, HOP, log_mel, mel_tables};
use std::rc::Rc;

/// Samples of a second: what all these models hear.
pub const SAMPLE_RATE: usize = 16_000;

/// Samples of one channel, 16,000 a second, from −1 to 1.
pub type Sound = [f32];

/// The encoder with its plans and buffers.
pub struct Hearing {
    encoder: SoundEncoder,
    sound: SoundBuffers,
    pool: Rc<Pool>,
    control: Control,
    control_buffer: BufferId,
    state: BufferId,
    /// A window's samples on their way: one buffer for all windows, since many large ones leave holes in the heap.
    samples: Vec<f32>,
    compiling: Vec<Compiling>,
    plans: Vec<Compiled>,
}

/// Its plans, in the order that they are kept in.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    /// Samples → each frame's loudest band.
    Loudness,
    /// Samples → behind the first convolution.
    Frames,
    /// From there to keys and values.
    Positions,
}

impl Hearing {
    /// Makes room for a window.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY`.
    pub fn new(device: &mut Device, encoder: SoundEncoder) -> Result<Self> {
        let frames = encoder.frames();
        let layout = Layout { rows: frames, logit_rows: 1, slots: 1, context: frames, page: frames };
        let tables = mel_tables(encoder.mels);
        let mut floats = |label: &str, n: usize| device.create_buffer(label, 4 * n as u64, Usage::Activations);
        let sound = SoundBuffers {
            samples: floats("samples", HOP * (frames - 1) + FRAME)?,
            tables: floats("tables of the spectrum", tables.len())?,
            peaks: floats("loudness", frames + 2)?,
            halfway: floats("frames", frames * encoder.d_model.next_multiple_of(4))?,
        };
        let control_buffer = device.create_buffer("control", layout.control_bytes(), Usage::Other)?;
        let state = device.create_buffer("state", layout.state_bytes(), Usage::Other)?;
        device.write(sound.tables, 0, bytemuck::cast_slice(&tables));
        let control = Control::new(layout);
        let (samples, compiling, plans) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Hearing { encoder, sound, pool: Rc::default(), control, control_buffer, state, samples, compiling, plans })
    }

    /// Frames of a window, 10 ms each.
    pub fn frames(&self) -> usize {
        self.encoder.frames()
    }

    /// Records its plans, and begins to compile them.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where there is no room for activations.
    pub fn begin_warm_up(&mut self, device: &mut Device) -> Result<()> {
        for part in [Part::Loudness, Part::Frames, Part::Positions] {
            let plan = self.record(device, part)?;
            self.compiling.push(device.begin_compile(plan));
        }
        Ok(())
    }

    /// Waits for what [`Self::begin_warm_up`] has begun.
    ///
    /// # Errors
    /// Those of [`Device::compile`].
    pub async fn warm_up(&mut self, device: &Device) -> Result<()> {
        for compiling in std::mem::take(&mut self.compiling) {
            self.plans.push(device.finish_compile(compiling).await?);
        }
        Ok(())
    }

    fn record(&self, device: &mut Device, part: Part) -> Result<Plan> {
        let rows = self.rows(part);
        let io = (self.control_buffer, self.state);
        let mut pass = Pass::new(device, &self.pool, rows, self.control.layout, io);
        match part {
            Part::Loudness => {
                let mel = pass.tensor(rows, self.encoder.mels)?; // [2 S, M]
                log_mel(&mut pass, self.sound.samples, self.sound.tables, self.sound.peaks, &mel);
            }
            Part::Frames => self.encoder.forward_frames(&mut pass, self.sound)?,
            Part::Positions => self.encoder.forward_positions(&mut pass, self.sound)?,
        }
        Ok(pass.finish())
    }

    fn rows(&self, part: Part) -> usize {
        if part == Part::Positions { self.encoder.positions } else { self.encoder.frames() }
    }

    async fn run(&mut self, device: &Device, part: Part) -> Result<()> {
        self.control.set_rows_without_tokens(self.rows(part), 1);
        device.write(self.control_buffer, 0, self.control.bytes());
        let ticket = device.run(&self.plans[part as usize], self.state, 4)?;
        device.wait(ticket).await?;
        Ok(())
    }

    /// The loudest band, as log₁₀ of its energy, of each frame of the window that begins with the frame `first`.
    ///
    /// # Errors
    /// Those of the device.
    pub async fn loudness(&mut self, device: &Device, sound: &Sound, first: usize) -> Result<Vec<f32>> {
        self.write_samples(device, sound, first);
        self.run(device, Part::Loudness).await?;
        let words = device.read(self.sound.peaks, 0, 4 * self.frames() as u64).await?;
        Ok(words.into_iter().map(f32::from_bits).collect())
    }

    /// Computes the keys and values of the window that begins with the frame `first`. `loudest`: of the whole recording, as
    /// [`Self::loudness`] has it. A recording that is shorter than a window ends in silence; behind the end of a longer one there is
    /// nothing, as in transformers.
    ///
    /// # Errors
    /// Those of the device.
    pub async fn listen(&mut self, device: &Device, sound: &Sound, first: usize, loudest: f32) -> Result<()> {
        self.write_samples(device, sound, first);
        let frames = sound.len() / HOP;
        let end = if frames > self.frames() { frames.saturating_sub(first) } else { self.frames() };
        device.write(self.sound.peaks, 4 * self.frames() as u64, bytemuck::cast_slice(&[loudest, end as f32]));
        self.run(device, Part::Frames).await?;
        self.run(device, Part::Positions).await
    }

    /// A frame's middle is 10 ms behind that of the one before; the first one's is the first sample. Before that the sound is
    /// mirrored, behind its end there is silence.
    fn write_samples(&mut self, device: &Device, sound: &Sound, first: usize) {
        let from = (first * HOP) as isize - (FRAME / 2) as isize;
        let samples = HOP * (self.frames() - 1) + FRAME;
        let at = |i: usize| sound.get((from + i as isize).unsigned_abs()).copied().unwrap_or(0.0);
        self.samples.clear();
        self.samples.extend((0..samples).map(at));
        device.write(self.sound.samples, 0, bytemuck::cast_slice(&self.samples));
    }
}
