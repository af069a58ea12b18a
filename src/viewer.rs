//! Pictures in, rows of numbers out: an encoder of pictures on its device. Each picture is a run of one plan, so that memory does not
//! depend on how many there are.

use crate::device::{BufferId, Compiled, Compiling, Control, Device, Layout, Pass, Pool, Tensor, Usage, YieldNow};
use crate::error::{Error, Result};
use crate::models::VisionEncoder;
use crate::pictures::Picture;
use std::cell::Cell;
use std::rc::Rc;

/// Numbers of pictures that are kept: 64 MiB.
const MOST_KEPT: usize = 16 << 20;

/// A picture, by its hash, and the rows that the encoder made of it.
#[derive(Clone)]
pub struct Seen {
    /// The hash of the prepared picture.
    pub hash: u64,
    /// All rows, one behind the other.
    pub rows: Rc<[f32]>,
}

/// An encoder of pictures with its plan and its buffers.
pub struct Viewer {
    model: VisionEncoder,
    pool: Rc<Pool>,
    control: Control,
    control_buffer: BufferId,
    state: BufferId,
    /// [T, 3 E²]
    patches: BufferId,
    /// As [`VisionEncoder::output`] shapes it.
    rows: BufferId,
    compiling: Option<Compiling>,
    plan: Option<Compiled>,
    /// The last pictures: a chat brings its pictures with each question.
    seen: Vec<Seen>,
    /// Set from outside to end the running request; the caller takes it back before the next one.
    pub interrupted: Rc<Cell<bool>>,
}

impl Viewer {
    /// Makes room for a picture.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY`.
    pub fn new(device: &mut Device, model: VisionEncoder) -> Result<Self> {
        let (rows, [outputs, columns]) = (model.shape.context, model.output());
        let layout = Layout { rows, logit_rows: outputs, slots: 1, context: rows, page: rows };
        let mut control = Control::new(layout);
        control.set_rows_without_tokens(rows, outputs);
        let mut floats = |label: &str, rows: usize, columns: usize| {
            device.create_buffer(label, 4 * (rows * columns.next_multiple_of(4)) as u64, Usage::Activations)
        };
        let patches = floats("a picture's patches", rows, model.patch_columns())?;
        let seen = floats("what is seen of a picture", outputs, columns)?;
        let control_buffer = device.create_buffer("control", layout.control_bytes(), Usage::Other)?;
        let state = device.create_buffer("state", layout.state_bytes(), Usage::Other)?;
        Ok(Viewer {
            model,
            pool: Rc::default(),
            control,
            control_buffer,
            state,
            patches,
            rows: seen,
            compiling: None,
            plan: None,
            seen: Vec::new(),
            interrupted: Rc::default(),
        })
    }

    /// The encoder: sizes, layers, how pictures are prepared.
    pub fn model(&self) -> &VisionEncoder {
        &self.model
    }

    /// Records its plan, and begins to compile it.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where there is no room for activations.
    pub fn begin_warm_up(&mut self, device: &mut Device) -> Result<()> {
        let (layout, io) = (self.control.layout, (self.control_buffer, self.state));
        let mut pass = Pass::new(device, &self.pool, layout.rows, layout, io);
        let patches = Tensor::new(self.patches, layout.rows, self.model.patch_columns());
        let [outputs, columns] = self.model.output();
        let seen = Tensor::new(self.rows, outputs, columns);
        self.model.forward(&mut pass, &patches, &seen)?;
        let plan = pass.finish();
        self.compiling = Some(device.begin_compile(plan));
        Ok(())
    }

    /// Waits for what [`Self::begin_warm_up`] has begun.
    ///
    /// # Errors
    /// Those of [`Device::compile`].
    pub async fn warm_up(&mut self, device: &Device) -> Result<()> {
        if let Some(compiling) = self.compiling.take() {
            self.plan = Some(device.finish_compile(compiling).await?);
            device.write(self.control_buffer, 0, self.control.bytes());
        }
        Ok(())
    }

    /// Runs the encoder on each prepared picture that was not seen lately.
    ///
    /// # Errors
    /// `MODEL_FORMAT` for rows that are not numbers, `ABORTED`, and those of the device.
    pub async fn see(&mut self, device: &Device, prepared: &[Picture], yield_now: &YieldNow) -> Result<Vec<Seen>> {
        let mut all = Vec::with_capacity(prepared.len());
        for picture in prepared {
            all.push(self.see_one(device, picture).await?);
            yield_now().await;
            if self.interrupted.get() {
                return Err(Error::Aborted);
            }
        }
        Ok(all)
    }

    async fn see_one(&mut self, device: &Device, picture: &Picture) -> Result<Seen> {
        let hash = picture.hash();
        if let Some(at) = self.seen.iter().position(|seen| seen.hash == hash) {
            let found = self.seen.remove(at);
            self.seen.push(found.clone());
            return Ok(found);
        }
        let VisionEncoder { preprocessing, grid, classes, shape, .. } = &self.model;
        let stride = self.model.patch_columns().next_multiple_of(4);
        let mut numbers = vec![0.0; shape.context * stride];
        let patches = &mut numbers[classes * stride..][..grid.patches() * stride];
        preprocessing.write_patches(picture, grid, stride, patches);
        device.write(self.patches, 0, bytemuck::cast_slice(&numbers));
        let plan = self.plan.as_ref().expect("it was warmed up");
        let ticket = device.run(plan, self.state, 4)?;
        device.wait(ticket).await?;
        let [rows, columns] = self.model.output();
        let stride = columns.next_multiple_of(4);
        let words = device.read(self.rows, 0, (4 * stride * rows) as u64).await?;
        let rows = words.chunks_exact(stride).flat_map(|row| &row[..columns]).map(|&word| f32::from_bits(word));
        let rows: Rc<[f32]> = rows.collect();
        if !rows.iter().all(|x| x.is_finite()) {
            return Err(Error::NotNumbers { what: "embedding of a picture".into() });
        }
        if self.seen.len() * rows.len() >= MOST_KEPT {
            self.seen.remove(0);
        }
        let seen = Seen { hash, rows };
        self.seen.push(seen.clone());
        Ok(seen)
    }
}
