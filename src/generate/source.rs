//! The text that a decoder attends to: an encoder reads it whole, and its keys and values stay for as long as no other text is
//! read.

use super::request::Beams;
use crate::device::{BufferId, Compiled, Compiling, Control, Device, Layout, Pass, Plan, Pool, Usage};
use crate::error::Result;
use crate::models::SourceEncoder;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

/// Rows for which plans are recorded, besides the most; a text runs in the smallest that holds it.
const BUCKETS: [usize; 3] = [16, 64, 256];

/// How a model that attends to a text writes another, as its files say.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceRules {
    /// The ids that what is written begins behind.
    pub opening: Vec<u32>,
    /// Ids that are never drawn.
    pub never: Vec<u32>,
    /// How it is searched for, unless a request says otherwise.
    pub beams: Beams,
}

/// An encoder with its plans and buffers.
pub struct SourceReader {
    encoder: SourceEncoder,
    /// How the decoder writes.
    pub rules: SourceRules,
    /// Most rows of each plan, ascending: the last holds the longest text.
    buckets: Vec<usize>,
    pool: Rc<Pool>,
    control: Control,
    control_buffer: BufferId,
    state: BufferId,
    /// By bucket, as far as they are recorded.
    plans: Vec<Option<Compiled>>,
    compiling: Vec<(usize, Compiling)>,
    /// The text whose keys and values are there.
    read: Vec<u32>,
}

impl SourceReader {
    /// Makes room for control and state.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY`.
    pub fn new(device: &mut Device, encoder: SourceEncoder, rules: SourceRules) -> Result<Self> {
        let most = encoder.positions;
        let mut buckets: Vec<usize> = BUCKETS.into_iter().filter(|&rows| rows < most).collect();
        buckets.push(most);
        let layout = Layout { rows: most, logit_rows: 1, slots: 1, context: most, page: most };
        let control_buffer = device.create_buffer("control", layout.control_bytes(), Usage::Other)?;
        let state = device.create_buffer("state", layout.state_bytes(), Usage::Other)?;
        let plans = buckets.iter().map(|_| None).collect();
        let (control, pool, compiling, read) = (Control::new(layout), Rc::default(), Vec::new(), Vec::new());
        Ok(SourceReader { encoder, rules, buckets, pool, control, control_buffer, state, plans, compiling, read })
    }

    /// Begins to compile the plan of short texts.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where there is no room for activations.
    pub fn begin_warm_up(&mut self, device: &mut Device) -> Result<()> {
        let bucket = self.bucket(64);
        let plan = self.record(device, bucket)?;
        self.compiling.push((bucket, device.begin_compile(plan)));
        Ok(())
    }

    /// Waits for what [`Self::begin_warm_up`] has begun.
    ///
    /// # Errors
    /// Those of [`Device::compile`].
    pub async fn warm_up(&mut self, device: &Device) -> Result<()> {
        for (bucket, compiling) in std::mem::take(&mut self.compiling) {
            self.plans[bucket] = Some(device.finish_compile(compiling).await?);
        }
        Ok(())
    }

    /// The smallest bucket that holds so many rows, or the largest.
    fn bucket(&self, rows: usize) -> usize {
        self.buckets.iter().position(|&most| most >= rows).unwrap_or(self.buckets.len() - 1)
    }

    fn record(&self, device: &mut Device, bucket: usize) -> Result<Plan> {
        let io = (self.control_buffer, self.state);
        let mut pass = Pass::new(device, &self.pool, self.buckets[bucket], self.control.layout, io);
        self.encoder.forward(&mut pass)?;
        Ok(pass.finish())
    }

    /// The most ids of a text.
    pub fn positions(&self) -> usize {
        self.encoder.positions
    }

    /// Computes the keys and values of a text of one id at least, unless they are there.
    ///
    /// # Errors
    /// Those of the device.
    pub async fn read(&mut self, device: &mut Device, ids: &[u32]) -> Result<()> {
        if self.read == ids {
            return Ok(());
        }
        self.read.clear();
        let bucket = self.bucket(ids.len());
        if self.plans[bucket].is_none() {
            let plan = self.record(device, bucket)?;
            self.plans[bucket] = Some(device.compile(plan).await?);
        }
        self.control.set_sequences(&[ids]);
        device.write(self.control_buffer, 0, self.control.bytes());
        if let Some(plan) = &self.plans[bucket] {
            let ticket = device.run(plan, self.state, 4)?;
            device.wait(ticket).await?;
        }
        self.read.extend_from_slice(ids);
        Ok(())
    }
}

/// A hash of a text that is attended to: what is written about another one is not the same.
pub fn source_hash(ids: &[u32]) -> u64 {
    let mut hasher = DefaultHasher::new();
    ids.hash(&mut hasher);
    hasher.finish()
}
