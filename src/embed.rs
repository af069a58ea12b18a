//! Ids in, vectors out: sequences packed into plans without a cache. Sees no string.

use crate::device::{
    BufferId, Compiled, Compiling, Control, Device, Layout, Pass, Plan, Pool, Tensor, Usage, YieldNow,
};
use crate::error::{Error, Result};
use crate::models::Encoder;
use crate::ops::Pooling;
use cresset_numerics::sort_by;
use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

/// Rows for which plans are recorded, besides the model's own most; a batch runs in the smallest that holds it.
const BUCKETS: [usize; 4] = [16, 64, 256, 512];
/// Sequences in a plan.
const SEQUENCES: usize = 64;

/// Pooling: how a sequence's rows become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct How {
    /// How the rows of a sequence become one.
    pub pooling: Pooling,
    /// Vectors of length 1.
    pub normalize: bool,
}

/// An encoder on its device.
pub struct Embedder {
    /// Where its weights and its plans are.
    pub device: Device,
    model: Encoder,
    /// Most rows of each plan, ascending: the last holds the longest sequence.
    buckets: Vec<usize>,
    pool: Rc<Pool>,
    control: Control,
    control_buffer: BufferId,
    state: BufferId,
    vectors: BufferId,
    plans: HashMap<(usize, How), Compiled>,
    /// Plans on their way, between `begin_warm_up` and `warm_up`.
    compiling: Vec<((usize, How), Compiling)>,
    /// Set from outside to end the running request; the caller takes it back before the next one.
    pub interrupted: Rc<Cell<bool>>,
}

impl Embedder {
    /// For sequences of up to `context` ids.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where the device has no room for control, state and vectors; `DEVICE_LOST`.
    pub async fn new(mut device: Device, model: Encoder, context: usize) -> Result<Self> {
        let mut buckets: Vec<usize> = BUCKETS.into_iter().filter(|&rows| rows < context).collect();
        buckets.push(context);
        let layout = Layout { rows: context, logit_rows: SEQUENCES, slots: SEQUENCES, context, page: context };
        let control = Control::new(layout);
        let control_buffer = device.create_buffer("control", layout.control_bytes(), Usage::Other)?;
        let state = device.create_buffer("state", layout.state_bytes(), Usage::Other)?;
        let row_bytes = 4 * model.shape.d_model.next_multiple_of(4) as u64;
        let vectors = device.create_buffer("vectors", row_bytes * SEQUENCES as u64, Usage::Activations)?;
        device.check().await?;
        Ok(Embedder {
            device,
            model,
            buckets,
            pool: Rc::default(),
            control,
            control_buffer,
            state,
            vectors,
            plans: HashMap::new(),
            compiling: Vec::new(),
            interrupted: Rc::default(),
        })
    }

    /// The encoder: sizes, layers, default pooling.
    pub fn model(&self) -> &Encoder {
        &self.model
    }

    /// Ids that a sequence may have.
    pub fn context(&self) -> usize {
        self.control.layout.context
    }

    /// Records the plans of short texts, and begins to compile them, so that the first request does not wait for them.
    /// They cannot run before [`Self::warm_up`].
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where there is no room for activations.
    pub fn begin_warm_up(&mut self) -> Result<()> {
        let how = How { pooling: self.model.pooling, normalize: true };
        for rows in [self.buckets[self.buckets.len() - 1].min(256), self.buckets[0]] {
            let rows = *self.buckets.iter().find(|&&bucket| bucket >= rows).expect("the largest holds all");
            if self.compiling.iter().all(|(other, _)| *other != (rows, how)) {
                let plan = self.record(rows, how)?;
                self.compiling.push(((rows, how), self.device.begin_compile(plan)));
            }
        }
        Ok(())
    }

    /// Waits for what [`Self::begin_warm_up`] has begun.
    ///
    /// # Errors
    /// Those of [`Device::compile`].
    pub async fn warm_up(&mut self) -> Result<()> {
        for (key, compiling) in std::mem::take(&mut self.compiling) {
            self.plans.insert(key, self.device.finish_compile(compiling).await?);
        }
        Ok(())
    }

    async fn plan(&mut self, rows: usize, how: How) -> Result<()> {
        if !self.plans.contains_key(&(rows, how)) {
            let plan = self.record(rows, how)?;
            self.plans.insert((rows, how), self.device.compile(plan).await?);
        }
        Ok(())
    }

    fn record(&mut self, rows: usize, how: How) -> Result<Plan> {
        let vectors = Tensor::new(self.vectors, rows.min(SEQUENCES), self.model.shape.d_model);
        let io = (self.control_buffer, self.state);
        let mut pass = Pass::new(&mut self.device, &self.pool, rows, self.control.layout, io);
        self.model.forward(&mut pass, how.pooling, how.normalize, &vectors)?;
        Ok(pass.finish())
    }

    /// A vector [D] for each sequence, in order.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for ids that the model does not have or a sequence without any, `CONTEXT_OVERFLOW` for one
    /// that is too long, `MODEL_FORMAT` for vectors that are not numbers, `OUT_OF_MEMORY`, `ABORTED` and `DEVICE_LOST`.
    pub async fn embed(&mut self, sequences: &[Vec<u32>], how: How, yield_now: &YieldNow) -> Result<Vec<Vec<f32>>> {
        sequences.iter().try_for_each(|ids| self.model.shape.check_ids("input", ids, self.context()))?;
        // Short ones together: a batch is as wide as the ids in it.
        let mut order: Vec<usize> = (0..sequences.len()).collect();
        sort_by(&mut order, |&a, &b| sequences[a].len().cmp(&sequences[b].len()));
        let mut vectors = vec![Vec::new(); sequences.len()];
        let mut rest = &order[..];
        while !rest.is_empty() {
            let mut rows = 0;
            let fits = rest.iter().take(SEQUENCES).take_while(|&&i| {
                rows += sequences[i].len();
                rows <= self.widest(sequences[i].len())
            });
            let (batch, others) = rest.split_at(fits.count());
            rest = others;
            let ids: Vec<&[u32]> = batch.iter().map(|&i| &sequences[i][..]).collect();
            for (&i, vector) in batch.iter().zip(self.batch(&ids, how).await?) {
                vectors[i] = vector;
            }
            yield_now().await;
            if self.interrupted.get() {
                return Err(Error::Aborted);
            }
        }
        Ok(vectors)
    }

    /// Rows of a batch whose longest sequence is `longest`: more would only make plans longer.
    fn widest(&self, longest: usize) -> usize {
        let most = *self.buckets.last().expect("there are buckets");
        most.min(BUCKETS[3]).max(longest)
    }

    async fn batch(&mut self, sequences: &[&[u32]], how: How) -> Result<Vec<Vec<f32>>> {
        let rows = sequences.iter().map(|ids| ids.len()).sum();
        let rows = *self.buckets.iter().find(|&&bucket| bucket >= rows).expect("a batch fits the largest bucket");
        self.plan(rows, how).await?;
        self.control.set_sequences(sequences);
        self.device.write(self.control_buffer, 0, self.control.bytes());
        let d_model = self.model.shape.d_model;
        let stride = d_model.next_multiple_of(4);
        let ticket = self.device.run(&self.plans[&(rows, how)], self.state, 4)?;
        self.device.wait(ticket).await?;
        let words = self.device.read(self.vectors, 0, (4 * stride * sequences.len()) as u64).await?;
        let rows =
            words.chunks_exact(stride).map(|row| row[..d_model].iter().map(|&word| f32::from_bits(word)).collect());
        let rows: Vec<Vec<f32>> = rows.collect();
        match rows.iter().flatten().all(|x| x.is_finite()) {
            true => Ok(rows),
            false => Err(Error::NotNumbers { what: "embedding of a text".into() }),
        }
    }
}
