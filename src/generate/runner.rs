//! A model with its caches and the buffers of host and device: runs batches of rows, which may belong to different sequences.

use super::adapters::{AdapterId, Adapters};
use super::bits::BitSet;
use super::plans::{CHUNKS, LOGIT_ROWS, MOST_ROWS, Output, PlanKey, Plans, key_chunks, plan_logit_rows, plan_rows};
use crate::device::{
    BufferId, Compiled, Control, Device, EditsLayout, FROM_STATE, KvFormat, Layout, Pass, Plan, Pool, Row,
    SamplingSlot, Tensor, Ticket, Usage,
};
use crate::error::Result;
use crate::models::{Decoder, Wanted};
use crate::nn::Observed;
use crate::ops::{KvCache, candidates, penalize, sample};
use std::ops::Range;
use std::rc::Rc;

/// Positions in a page of the KV cache.
pub const PAGE: usize = 32;
/// Bytes for weights of the cross-attention; with many heads, runs have fewer rows.
const MOST_OBSERVED: u64 = 64 << 20;

/// Rows that run together.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Rows of prompts with their tokens, and at most one row for each other sequence, with [`FROM_STATE`].
    pub rows: Vec<Row>,
    /// Indices of the rows that get logits.
    pub gather: Vec<u32>,
    /// The result that is computed from them.
    pub output: Output,
    /// The adapter of all rows.
    pub adapter: Option<AdapterId>,
    /// The most keys that a row attends to.
    pub keys: usize,
    /// Rows that stand for pictures and sounds.
    pub media: Vec<MediaRows>,
}

/// Rows of a batch in which something seen or heard comes in place of embeddings.
#[derive(Debug, Clone)]
pub struct MediaRows {
    /// The first of them in the batch.
    pub at: usize,
    /// All numbers of the picture or the sound [R, D].
    pub of: Rc<[f32]>,
    /// Which of its R rows these are.
    pub rows: Range<usize>,
}

/// A slot's state on the device.
#[derive(Clone)]
struct SlotState {
    sampling: SamplingSlot,
    /// The biases in its edits.
    bias: Vec<(u32, f32)>,
    /// The mask in its edits.
    mask: Vec<u32>,
    /// Ids by position in `state`, for the leading positions that the host knows.
    history: Vec<u32>,
}

/// A model that runs batches.
pub struct ModelRunner {
    /// Its weights are on the device.
    pub model: Box<dyn Decoder>,
    /// The adapters that batches may name.
    pub adapters: Adapters,
    /// Its recorded forward passes.
    pub plans: Plans,
    caches: Vec<KvCache>,
    kv: KvFormat,
    pool: Rc<Pool>,
    control: Control,
    control_buffer: BufferId,
    state: BufferId,
    edits: BufferId,
    logits: BufferId,
    /// [rows, D]: the embeddings of pictures and sounds, row by row of the next run. Made when there are any.
    media: Option<BufferId>,
    slots: Vec<SlotState>,
    observed: Option<Observed>,
}

/// The buffers whose size depends on the number of slots.
struct Room {
    caches: Vec<KvCache>,
    control: BufferId,
    state: BufferId,
    edits: BufferId,
}

impl Room {
    /// # Errors
    /// `OUT_OF_MEMORY`, after which none of it takes memory, and those of the device.
    async fn new(device: &mut Device, model: &dyn Decoder, layout: Layout, kv: KvFormat) -> Result<Room> {
        let mut made = Vec::new();
        let mut create = |what: &str, bytes, usage| {
            let buffer = device.create_buffer(what, bytes, usage)?;
            made.push((buffer, usage));
            Ok(buffer)
        };
        let room = Room::create(model, layout, kv, &mut create);
        let checked = device.check().await;
        let result = room.and_then(|room| checked.map(|()| room));
        if result.is_err() {
            made.into_iter().for_each(|(buffer, usage)| device.free(buffer, usage));
        }
        result
    }

    fn create(
        model: &dyn Decoder,
        layout: Layout,
        kv: KvFormat,
        create: &mut dyn FnMut(&str, u64, Usage) -> Result<BufferId>,
    ) -> Result<Room> {
        let shape = model.shape();
        let mut caches = Vec::with_capacity(shape.n_layers);
        for layer in 0..shape.n_layers {
            let (n_kv_heads, head_dim) = (shape.n_kv_heads.at(layer), shape.head_dim);
            let bytes = cache_bytes(layout, kv, n_kv_heads, head_dim);
            let mut cache = || create("the KV cache", bytes, Usage::Kv);
            let (keys, values) = (cache()?, cache()?);
            caches.push(KvCache { keys, values, format: kv, n_kv_heads, head_dim });
        }
        let edits = EditsLayout { vocabulary: shape.vocabulary }.bytes(layout.slots);
        Ok(Room {
            caches,
            control: create("control", layout.control_bytes(), Usage::Other)?,
            state: create("state", layout.state_bytes(), Usage::Other)?,
            edits: create("what requests change about logits", edits, Usage::Other)?,
        })
    }
}

/// Bytes of a layer's keys, and of its values.
fn cache_bytes(layout: Layout, kv: KvFormat, n_kv_heads: usize, head_dim: usize) -> u64 {
    (layout.pages() * layout.page * n_kv_heads) as u64 * 4 * kv.row_words(head_dim) as u64
}

impl SlotState {
    fn new() -> Self {
        SlotState { sampling: SamplingSlot::default(), bias: Vec::new(), mask: Vec::new(), history: Vec::new() }
    }
}

impl ModelRunner {
    /// Allocates the caches for `slots` sequences of `context` positions.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY`.
    pub async fn new(
        device: &mut Device,
        model: Box<dyn Decoder>,
        context: usize,
        kv: KvFormat,
        [slots, page]: [usize; 2],
    ) -> Result<Self> {
        let layout = Layout { rows: MOST_ROWS, logit_rows: LOGIT_ROWS, slots, context, page };
        let Room { caches, control, state, edits } = Room::new(device, &*model, layout, kv).await?;
        let row_bytes = 4 * model.shape().vocabulary.next_multiple_of(4) as u64;
        let logits = device.create_buffer("logits", row_bytes * LOGIT_ROWS as u64, Usage::Activations)?;
        device.check().await?;
        Ok(ModelRunner {
            model,
            adapters: Adapters::default(),
            plans: Plans::default(),
            caches,
            kv,
            pool: Rc::default(),
            control: Control::new(layout),
            control_buffer: control,
            state,
            edits,
            logits,
            media: None,
            slots: vec![SlotState::new(); slots],
            observed: None,
        })
    }

    /// Changes the number of sequences that there is room for. Plans are dropped, caches begin empty.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY`, after which there is room for as many as before, and those of the device.
    pub async fn set_slots(&mut self, device: &mut Device, slots: usize) -> Result<()> {
        let before = self.layout();
        self.plans.clear();
        self.free_room(device);
        let result = self.make_room(device, Layout { slots, ..before }).await;
        if result.is_err() {
            self.make_room(device, before).await?;
        }
        result
    }

    /// Gives back the buffers whose size depends on the number of slots.
    fn free_room(&mut self, device: &mut Device) {
        for cache in self.caches.drain(..) {
            device.free(cache.keys, Usage::Kv);
            device.free(cache.values, Usage::Kv);
        }
        for buffer in [self.control_buffer, self.state, self.edits] {
            device.free(buffer, Usage::Other);
        }
    }

    /// Makes them anew, where they were given back.
    async fn make_room(&mut self, device: &mut Device, layout: Layout) -> Result<()> {
        let Room { caches, control, state, edits } = Room::new(device, &*self.model, layout, self.kv).await?;
        (self.caches, self.control_buffer, self.state, self.edits) = (caches, control, state, edits);
        self.control = Control::new(layout);
        self.slots = vec![SlotState::new(); layout.slots];
        Ok(())
    }

    /// Makes room for sequences of `context` positions, more than before. What the pages hold stays there; plans are dropped. No
    /// run may be in flight.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY`, after which the context is as it was, and those of the device.
    pub async fn grow(&mut self, device: &mut Device, context: usize) -> Result<()> {
        let (before, layout) = (self.layout(), Layout { context, ..self.layout() });
        self.plans.clear();
        // One buffer at a time: the others are not there twice.
        for cache in &mut self.caches {
            let size = |layout| cache_bytes(layout, cache.format, cache.n_kv_heads, cache.head_dim);
            let [held, bytes] = [before, layout].map(size);
            for buffer in [&mut cache.keys, &mut cache.values] {
                let larger = device.create_buffer("the KV cache", bytes, Usage::Kv)?;
                if let Err(error) = device.check().await {
                    device.free(larger, Usage::Kv);
                    return Err(error);
                }
                device.copy(*buffer, larger, held);
                device.free(*buffer, Usage::Kv);
                *buffer = larger;
            }
        }
        let control = device.create_buffer("control", layout.control_bytes(), Usage::Other)?;
        let state = device.create_buffer("state", layout.state_bytes(), Usage::Other)?;
        device.check().await?;
        for buffer in [self.control_buffer, self.state] {
            device.free(buffer, Usage::Other);
        }
        (self.control_buffer, self.state, self.control) = (control, state, Control::new(layout));
        // The new `state` has no ids yet: those of a reused prefix are written again.
        self.slots.iter_mut().for_each(|slot| slot.history.clear());
        Ok(())
    }

    /// Sizes of rows, slots and pages.
    pub fn layout(&self) -> Layout {
        self.control.layout
    }

    /// V, the ids that the model knows.
    pub fn vocabulary(&self) -> usize {
        self.model.shape().vocabulary
    }

    /// The most rows that the next chunk of a prompt may have.
    pub fn chunk_rows(&self, device: &Device) -> usize {
        self.plans.chunk_rows(device, self.model.shape().n_layers)
    }

    /// The plan for a single sampled row that attends to `keys` keys.
    pub fn single_key(&self, device: &Device, output: Output, adapter: Option<AdapterId>, keys: usize) -> PlanKey {
        let row = Row { slot: 0, position: 0, token: FROM_STATE };
        self.key(device, &Batch { rows: vec![row], gather: vec![0], output, adapter, keys, media: Vec::new() })
    }

    /// The plan that runs a batch.
    pub fn key(&self, device: &Device, batch: &Batch) -> PlanKey {
        let single = batch.rows.iter().filter(|row| row.token == FROM_STATE).count();
        let rows = plan_rows(batch.rows.len() - single, single);
        PlanKey {
            rows,
            logit_rows: plan_logit_rows(batch.output, rows, batch.gather.len()),
            output: batch.output,
            adapter: batch.adapter,
            key_chunks: key_chunks(device, rows, batch.keys, self.layout().context),
            media: !batch.media.is_empty(),
        }
    }

    /// Begins to compile a plan, unless it is compiled or being compiled.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` for its activations.
    pub fn begin(&mut self, device: &mut Device, key: PlanKey) -> Result<()> {
        if !self.plans.has(key) {
            let plan = self.record(device, key)?;
            self.plans.begin(device, key, plan);
        }
        Ok(())
    }

    /// Compiles a plan, unless it is compiled.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` for its activations, and those of the device.
    pub async fn finish(&mut self, device: &mut Device, key: PlanKey) -> Result<&Compiled> {
        self.begin(device, key)?;
        self.plans.finish(device, key).await?;
        Ok(self.plans.get(key))
    }

    fn record(&self, device: &mut Device, key: PlanKey) -> Result<Plan> {
        let io = (self.control_buffer, self.state);
        let logits = Tensor::new(self.logits, key.logit_rows, self.vocabulary());
        let mut pass = Pass::new(device, &self.pool, key.rows, self.layout(), io);
        pass.key_chunks = key.key_chunks;
        pass.corrections = self.adapters.corrections(key.adapter);
        pass.media = self.media.filter(|_| key.media);
        let wanted = match key.output {
            Output::None => Wanted::Cache,
            Output::Attention => self.observed.as_ref().map_or(Wanted::Cache, Wanted::Attention),
            Output::Logits | Output::Sample { penalties: true } => Wanted::Logits(&logits),
            Output::Sample { penalties: false } => Wanted::TopK(&logits, self.edits),
        };
        let mut ranked = self.model.forward(&mut pass, &self.caches, wanted)?;
        if let Output::Sample { penalties: true } = key.output {
            penalize(&mut pass, &logits);
            ranked = Some(candidates(&mut pass, &logits, self.edits)?);
        }
        if let Some(candidates) = ranked {
            sample(&mut pass, &logits, self.edits, &candidates);
        }
        Ok(pass.finish())
    }

    /// Records a batch's plan for measuring it, and makes the batch the next to run. → the plan and the buffer to read back.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` for its activations.
    pub fn prepare(&mut self, device: &mut Device, batch: &Batch) -> Result<(Plan, BufferId)> {
        self.write_control(device, batch);
        let plan = self.record(device, self.key(device, batch))?;
        Ok((plan, self.state))
    }

    /// Runs a batch; the ids that it draws are read back with the ticket, see [`Self::drawn`].
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` for activations, and those of the device.
    pub async fn run(&mut self, device: &mut Device, batch: &Batch) -> Result<Ticket> {
        let key = self.key(device, batch);
        if batch.rows.iter().any(|row| row.token != FROM_STATE) {
            self.plans.note_chunk(key);
        }
        self.make_room_for_media(device, batch)?;
        self.finish(device, key).await?;
        self.write_media(device, batch);
        self.write_control(device, batch);
        device.run(self.plans.get(key), self.state, self.layout().result_bytes())
    }

    fn make_room_for_media(&mut self, device: &mut Device, batch: &Batch) -> Result<()> {
        if self.media.is_none() && !batch.media.is_empty() {
            let row_bytes = 4 * self.model.shape().d_model.next_multiple_of(4) as u64;
            let bytes = row_bytes * MOST_ROWS as u64;
            self.media = Some(device.create_buffer("pictures and sounds in a prompt", bytes, Usage::Activations)?);
        }
        Ok(())
    }

    fn write_media(&self, device: &Device, batch: &Batch) {
        let Some(buffer) = self.media else { return };
        let d_model = self.model.shape().d_model;
        let stride = d_model.next_multiple_of(4);
        for MediaRows { at, of, rows } in &batch.media {
            let mut numbers = vec![0f32; rows.len() * stride];
            let from = of[rows.start * d_model..rows.end * d_model].chunks_exact(d_model);
            numbers.chunks_exact_mut(stride).zip(from).for_each(|(row, from)| row[..d_model].copy_from_slice(from));
            device.write(buffer, (4 * at * stride) as u64, bytemuck::cast_slice(&numbers));
        }
    }

    fn write_control(&mut self, device: &Device, batch: &Batch) {
        self.control.set_rows(&batch.rows, &batch.gather);
        for MediaRows { at, rows, .. } in &batch.media {
            self.control.set_media(*at..at + rows.len());
        }
        if let Some(bytes) = self.control.take_changes() {
            device.write(self.control_buffer, 0, bytes);
        }
    }

    /// The id that a run has drawn for a slot, given the words that were read back; `None` where logits were not numbers.
    pub fn drawn(&self, words: &[u32], slot: usize) -> Option<u32> {
        self.layout().result(words, slot)
    }

    /// From the next run on, the positions of a slot are in these pages, and those of a reused prefix hold `ids`.
    pub fn set_sequence(&mut self, device: &Device, slot: usize, pages: &[u32], ids: &[u32]) {
        self.control.set_pages(slot, pages);
        if !self.slots[slot].history.starts_with(ids) {
            device.write(self.state, self.layout().history_byte(slot), bytemuck::cast_slice(ids));
        }
        self.slots[slot].history.clear(); // the device writes behind them; see `note_history`
    }

    /// The slot's sequence has ended with these ids in `state`.
    pub fn note_history(&mut self, slot: usize, ids: &[u32]) {
        self.slots[slot].history = ids.to_vec();
    }

    /// From the next run on, a slot's tokens are drawn with these parameters and biases, and without a mask.
    pub fn set_sampling(&mut self, device: &Device, slot: usize, sampling: SamplingSlot, bias: &[(u32, f32)]) {
        if sampling.flags & SamplingSlot::BIAS != 0 && self.slots[slot].bias != bias {
            let layout = EditsLayout { vocabulary: self.vocabulary() };
            device.write(self.edits, layout.bias_at(slot), bytemuck::cast_slice(&layout.bias_words(bias)));
            self.slots[slot].bias = bias.to_vec();
        }
        self.slots[slot].sampling = sampling;
        self.control.set_sampling(slot, &sampling);
    }

    /// From the next run on, only these ids are drawn for a slot; `None`: all may be. A mask is written only if it differs
    /// from the slot's last one.
    pub fn set_mask(&mut self, device: &Device, slot: usize, allowed: Option<&BitSet>) {
        let state = &mut self.slots[slot];
        let mut sampling = state.sampling;
        sampling.flags &= !SamplingSlot::MASK;
        if let Some(allowed) = allowed {
            sampling.flags |= SamplingSlot::MASK;
            if state.mask != allowed.words() {
                let at = EditsLayout { vocabulary: self.model.shape().vocabulary }.mask_at(slot);
                device.write(self.edits, at, bytemuck::cast_slice(allowed.words()));
                state.mask = allowed.words().to_vec();
            }
        }
        state.sampling = sampling;
        self.control.set_sampling(slot, &sampling);
    }

    /// Makes room for the weights of `heads`, each a layer and one of its heads, of the cross-attention over `keys` keys, where there is
    /// none yet: runs whose output is [`Output::Attention`] write them. → the most rows that such a run may have.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY`.
    pub async fn observe(&mut self, device: &mut Device, heads: &[[usize; 2]], keys: usize) -> Result<usize> {
        if self.observed.is_none() {
            let columns = heads.len() * keys;
            let bytes = |rows: usize| 4 * (rows * columns.next_multiple_of(4)) as u64;
            let rows = CHUNKS.into_iter().rfind(|&rows| bytes(rows) <= MOST_OBSERVED).unwrap_or(CHUNKS[0]);
            let buffer = device.create_buffer("weights of the cross-attention", bytes(rows), Usage::Activations)?;
            if let Err(error) = device.check().await {
                device.free(buffer, Usage::Activations);
                return Err(error);
            }
            self.observed = Some(Observed { heads: heads.to_vec(), weights: Tensor::new(buffer, rows, columns) });
        }
        Ok(self.observed.as_ref().map_or(0, |observed| observed.weights.rows))
    }

    /// The weights [rows, keys] of each observed head in the first rows of the last run.
    ///
    /// # Errors
    /// Those of the device.
    pub async fn read_attention(&self, device: &Device, rows: usize) -> Result<Vec<Vec<f32>>> {
        let Some(Observed { heads, weights }) = &self.observed else { return Ok(Vec::new()) };
        let words = device.read(weights.buffer, 0, 4 * (rows * weights.stride()) as u64).await?;
        let keys = weights.columns / heads.len();
        let row_of = |row: &[u32], at: usize| row[at * keys..][..keys].to_vec();
        let of_head = |at: usize| words.chunks_exact(weights.stride()).flat_map(move |row| row_of(row, at));
        Ok((0..heads.len()).map(|at| of_head(at).map(f32::from_bits).collect()).collect())
    }

    /// Logits [rows, V] of the last run, from the gathered row `first` on, without padding.
    ///
    /// # Errors
    /// Those of the device.
    pub async fn read_logits(&self, device: &Device, first: usize, rows: usize) -> Result<Vec<f32>> {
        if rows == 0 {
            return Ok(Vec::new());
        }
        let vocabulary = self.vocabulary();
        let stride = vocabulary.next_multiple_of(4);
        let words = device.read(self.logits, (4 * first * stride) as u64, (4 * rows * stride) as u64).await?;
        let rows = words.chunks_exact(stride).flat_map(|row| &row[..vocabulary]);
        Ok(rows.map(|&word| f32::from_bits(word)).collect())
    }
}
