//! The interface for `engine`: a model on its device that serves one request at a time.

use super::adapters::AdapterId;
use super::beams::Search;
use super::pages::Pages;
use super::plans::{CHUNKS, LOGIT_ROWS, MOST_ROWS, Output};
use super::request::{Outcome, PromptProgress, Request, Sampled};
use super::runner::{Batch, ModelRunner, PAGE};
use super::scheduler::{Scheduler, check_prompt};
use super::source::{SourceReader, SourceRules};
use crate::device::{Device, FROM_STATE, KernelTime, KvFormat, Row, SamplingSlot, Tuning, YieldNow, profile};
use crate::error::{Error, Result};
use crate::lora::Adapter;
use crate::models::{Decoder, EncoderDecoder};
use crate::ops::undrawable;
use std::cell::Cell;
use std::ops::ControlFlow;
use std::rc::Rc;

/// The most sequences at once: the words that are read back for them must fit the read-back ring.
const MOST_SLOTS: usize = 16;

/// A model on its device with the caches of its sequences.
pub struct Generator {
    /// Where everything is computed.
    pub device: Device,
    runner: ModelRunner,
    pages: Pages,
    source: Option<Box<SourceReader>>,
    /// The adapter that requests are computed with.
    adapter: Option<AdapterId>,
    /// Set from outside to end the running generation; the caller takes it back before the next one.
    pub interrupted: Rc<Cell<bool>>,
}

/// Pages of all slots. As many ended sequences as there are slots stay cached.
fn pages_of(runner: &ModelRunner) -> Pages {
    let layout = runner.layout();
    Pages::new(layout.pages(), layout.page, layout.slots)
}

impl Generator {
    /// Allocates the caches for one sequence of `context` positions.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY`.
    pub async fn new(mut device: Device, model: Box<dyn Decoder>, context: usize, kv: KvFormat) -> Result<Self> {
        let runner = ModelRunner::new(&mut device, model, context, kv, [1, PAGE]).await?;
        let pages = pages_of(&runner);
        Ok(Generator { device, runner, pages, source: None, adapter: None, interrupted: Rc::default() })
    }

    /// Likewise, for a decoder that attends to a text. Its pages have one position each, so that beams share all that they have in
    /// common.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY`.
    pub async fn with_source(
        mut device: Device,
        model: EncoderDecoder,
        rules: SourceRules,
        context: usize,
        kv: KvFormat,
    ) -> Result<Self> {
        let EncoderDecoder { encoder, decoder } = model;
        let source = SourceReader::new(&mut device, encoder, rules)?;
        let slots = source.rules.beams.count.clamp(1, MOST_SLOTS);
        let runner = ModelRunner::new(&mut device, Box::new(decoder), context, kv, [slots, 1]).await?;
        let pages = pages_of(&runner);
        Ok(Generator {
            device,
            runner,
            pages,
            source: Some(Box::new(source)),
            adapter: None,
            interrupted: Rc::default(),
        })
    }

    /// How it writes about a text, where it attends to one.
    pub fn source_rules(&self) -> Option<&SourceRules> {
        self.source.as_ref().map(|source| &source.rules)
    }

    /// Reads the text that is attended to from now on, for [`Self::logits`]. Nothing where the model attends to none.
    ///
    /// # Errors
    /// `INVALID_REQUEST`, `CONTEXT_OVERFLOW`, and those of the device.
    pub async fn read_source(&mut self, ids: &[u32]) -> Result<()> {
        let Some(source) = &mut self.source else { return Ok(()) };
        self.runner.model.shape().check_ids("prompt", ids, source.positions())?;
        source.read(&mut self.device, ids).await?;
        let sampling = SamplingSlot { attended: ids.len() as u32, ..SamplingSlot::default() };
        for slot in 0..self.runner.layout().slots {
            self.runner.set_sampling(&self.device, slot, sampling, &[]);
        }
        Ok(())
    }

    /// Makes room for `slots` sequences of the whole context at once, 1 to 16. All that is cached is lost.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY`, after which there is room for as many as before, and those of the device.
    pub async fn set_slots(&mut self, slots: usize) -> Result<()> {
        assert!((1..=MOST_SLOTS).contains(&slots), "{slots} sequences at once");
        let result = self.runner.set_slots(&mut self.device, slots).await;
        self.pages = pages_of(&self.runner);
        result
    }

    /// Makes room for sequences of `context` positions: more than before, and no more than the model was loaded for. All that is
    /// cached stays. Plans are dropped.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY`, after which the context is as it was, and those of the device.
    pub async fn grow(&mut self, context: usize) -> Result<()> {
        self.runner.grow(&mut self.device, context).await?;
        self.pages.grow(self.runner.layout().pages());
        Ok(())
    }

    /// The most positions that a sequence may have.
    pub fn context(&self) -> usize {
        self.runner.layout().context
    }

    /// The model on the device.
    pub fn model(&self) -> &dyn Decoder {
        &*self.runner.model
    }

    /// Shapes kernels in another way from now on.
    pub fn set_tuning(&mut self, tuning: Tuning) {
        self.device.set_tuning(tuning);
        self.runner.plans.clear();
        self.pages.forget(); // its numbers came about in the other way
    }

    /// Records the plans that every request needs, and begins to compile them, so that the first one does not wait for
    /// them. They cannot run before [`Self::warm_up`].
    ///
    /// The largest comes first: its activations serve all others, and if they don't fit, loading is when to say so.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY`.
    pub fn begin_warm_up(&mut self) -> Result<()> {
        let output = Output::Sample { penalties: false };
        for rows in [MOST_ROWS, CHUNKS[0]] {
            let batch = batch_of(0, &vec![0; rows], vec![rows as u32 - 1], output, self.adapter);
            let key = self.runner.key(&self.device, &batch);
            self.runner.begin(&mut self.device, key)?;
        }
        for keys in [1, self.context()] {
            let key = self.runner.single_key(&self.device, output, self.adapter, keys);
            self.runner.begin(&mut self.device, key)?;
        }
        self.source.as_mut().map_or(Ok(()), |source| source.begin_warm_up(&mut self.device))
    }

    /// Waits for the plans of [`Self::begin_warm_up`].
    ///
    /// # Errors
    /// Those of the device.
    pub async fn warm_up(&mut self) -> Result<()> {
        if let Some(source) = &mut self.source {
            source.warm_up(&self.device).await?;
        }
        self.runner.plans.finish_all(&self.device).await
    }

    /// Keeps an adapter; from then on it can be selected.
    pub fn add_adapter(&mut self, adapter: Adapter) -> AdapterId {
        self.runner.adapters.add(adapter)
    }

    /// Drops an adapter with its plans, and gives its memory back.
    pub fn remove_adapter(&mut self, id: AdapterId) {
        if self.adapter == Some(id) {
            self.adapter = None;
        }
        if self.runner.adapters.remove(id, &mut self.device) {
            self.runner.plans.remove_adapter(id);
            self.pages.forget_adapter(id);
        }
    }

    /// Panics if there is none with this number.
    pub fn adapter(&self, id: AdapterId) -> &Adapter {
        self.runner.adapters.get(id)
    }

    /// The adapter that requests are computed with, if any.
    pub fn selected_adapter(&self) -> Option<AdapterId> {
        self.adapter
    }

    /// Later requests are computed with this adapter, or without one.
    pub fn select_adapter(&mut self, adapter: Option<AdapterId>) {
        self.adapter = adapter;
    }

    /// Serves several requests together, as many at a time as there are slots; others wait.
    pub fn scheduler<'l>(&mut self) -> Scheduler<'_, 'l> {
        Scheduler::new(&mut self.device, &mut self.runner, &mut self.pages, self.interrupted.clone())
    }

    /// Generates until a stop; `on_token` sees each token in order and may end it.
    ///
    /// # Errors
    /// `INVALID_REQUEST`, `CONTEXT_OVERFLOW`, `DEVICE_LOST`, `MODEL_FORMAT` for logits that are not numbers. The generator
    /// stays usable after each.
    pub async fn generate(
        &mut self,
        request: &Request,
        on_token: &mut dyn FnMut(Sampled) -> ControlFlow<()>,
        yield_now: &YieldNow,
    ) -> Result<Outcome> {
        self.generate_telling(request, &mut |_| (), on_token, yield_now).await
    }

    /// As [`Self::generate`]; `on_prompt` is told how much of the prompt was read, before the first token and after each part.
    ///
    /// # Errors
    /// Those of [`Self::generate`].
    pub async fn generate_telling(
        &mut self,
        request: &Request,
        on_prompt: &mut dyn FnMut(PromptProgress),
        on_token: &mut dyn FnMut(Sampled) -> ControlFlow<()>,
        yield_now: &YieldNow,
    ) -> Result<Outcome> {
        if !request.source.is_empty() {
            self.read_source(&request.source).await?;
        }
        if let Some(beams) = request.beams {
            if beams.count > self.runner.layout().slots {
                self.set_slots(beams.count).await?;
                self.read_source(&request.source).await?;
            }
            let search = Search::new(&mut self.device, &mut self.runner, request, beams, self.adapter);
            self.pages.forget();
            return search.run(&self.interrupted, on_token, yield_now).await;
        }
        let adapter = self.adapter;
        let mut scheduler = self.scheduler();
        let id = scheduler.submit(request.clone(), adapter, Box::new(on_token))?;
        let mut told = None;
        loop {
            let progress = scheduler.prompt_progress(id);
            if let Some(progress) = progress.filter(|progress| told.replace(*progress) != Some(*progress)) {
                on_prompt(progress);
            }
            if !scheduler.step(yield_now).await? {
                break;
            }
        }
        Ok(scheduler.outcome(id).expect("all sequences have ended"))
    }

    /// Logits [V] of each position of `ids`, or of the last only, handed over in order.
    ///
    /// Nothing is taken from the cached prefixes, and all of them are forgotten.
    ///
    /// # Errors
    /// As for [`Self::generate`].
    pub async fn logits(
        &mut self,
        ids: &[u32],
        all: bool,
        on_row: &mut dyn FnMut(&[f32]),
        yield_now: &YieldNow,
    ) -> Result<()> {
        check_prompt(&self.runner, ids)?;
        self.pages.forget();
        self.lend_pages(ids.len());
        let vocabulary = self.runner.vocabulary();
        let (mut position, mut rest) = (0, ids);
        while !rest.is_empty() {
            let rows = self.runner.chunk_rows(&self.device);
            let step = if all { rows.min(LOGIT_ROWS) } else { rows };
            let (chunk, others) = rest.split_at(step.min(rest.len()));
            let last = position + chunk.len() == ids.len();
            let (gather, output): (Vec<u32>, _) = match (all, last) {
                (true, _) => ((0..chunk.len() as u32).collect(), Output::Logits),
                (false, true) => (vec![chunk.len() as u32 - 1], Output::Logits),
                (false, false) => (vec![], Output::None),
            };
            let gathered = gather.len();
            let batch = batch_of(position, chunk, gather, output, self.adapter);
            let ticket = self.runner.run(&mut self.device, &batch).await?;
            self.device.wait(ticket).await?;
            let rows = self.runner.read_logits(&self.device, 0, gathered).await?;
            let first = if all { position } else { ids.len() - 1 };
            for (i, row) in rows.chunks_exact(vocabulary).enumerate() {
                if undrawable(row) {
                    return Err(Error::not_numbers(first + i));
                }
                on_row(row);
            }
            (position, rest) = (position + chunk.len(), others);
            yield_now().await;
        }
        Ok(())
    }

    /// The time of each kernel in a run of `rows` rows, rounded up to those of a plan, the last of which attends to `keys` keys.
    ///
    /// # Errors
    /// Those of the device.
    pub async fn profile(&mut self, rows: usize, keys: usize) -> Result<Vec<KernelTime>> {
        self.pages.forget();
        self.lend_pages(self.context());
        let output = Output::Sample { penalties: false };
        let rows = rows.min(MOST_ROWS);
        let rows = self.runner.key(&self.device, &batch_of(0, &vec![0; rows], vec![0], output, None)).rows;
        let first = keys.clamp(rows, self.context()) - rows;
        let batch = batch_of(first, &vec![0; rows], vec![rows as u32 - 1], output, self.adapter);
        let (plan, state) = self.runner.prepare(&mut self.device, &batch)?;
        profile(&self.device, &plan, state).await
    }

    /// Gives the first slot pages for `positions` positions until the next sequence gets them. Wants an empty cache.
    fn lend_pages(&mut self, positions: usize) {
        let lease = self.pages.acquire(None, &[], positions, false).expect("room for one sequence");
        self.runner.set_sequence(&self.device, 0, &lease.pages, &[]);
        self.pages.release(lease, Vec::new());
    }
}

/// Rows of one sequence in the first slot, from `position` on.
fn batch_of(position: usize, ids: &[u32], gather: Vec<u32>, output: Output, adapter: Option<AdapterId>) -> Batch {
    let rows = (position as u32..).zip(ids).map(|(position, &token)| Row { slot: 0, position, token });
    debug_assert!(!ids.contains(&FROM_STATE));
    Batch { rows: rows.collect(), gather, output, adapter, keys: position + ids.len(), media: Vec::new() }
}
