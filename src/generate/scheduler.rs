//! Serves requests together: composes batches from the rows of all sequences and hands each its tokens.
//!
//! A batch has a chunk of the prompts that are still to be computed, and the newest token of every sequence whose prompt is
//! computed; all of them use the same adapter. Batches run ahead of their read-backs unless the next depends on them.

use super::adapters::AdapterId;
use super::pages::Pages;
use super::plans::{MOST_ROWS, Output};
use super::request::{Finish, Outcome, PromptProgress, Request, Sampled};
use super::runner::{Batch, ModelRunner};
use super::sequence::{Listener, Place, Sequence, SequenceId};
use crate::device::{Device, RUN_AHEAD, Ticket, YieldNow};
use crate::error::{Error, Result};
use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

/// A run whose read-back has not been waited for.
struct Flight {
    ticket: Ticket,
    /// Sequences with rows in it.
    members: Vec<SequenceId>,
    /// Those for which a token was drawn, by gathered row.
    drawn: Vec<SequenceId>,
    /// A prompt is not complete after it: the time it takes bounds the rows of the next chunk.
    is_part: bool,
}

/// The rows of a batch, by the sequences that they belong to.
struct Composed {
    batch: Batch,
    members: Vec<SequenceId>,
    drawn: Vec<SequenceId>,
    is_part: bool,
}

/// Requests that are served together. It borrows the generator, so nothing else runs on it meanwhile.
pub struct Scheduler<'g, 'l> {
    device: &'g mut Device,
    runner: &'g mut ModelRunner,
    pages: &'g mut Pages,
    /// Ends all of them when it is set.
    interrupted: Rc<Cell<bool>>,
    waiting: VecDeque<Sequence<'l>>,
    served: Vec<Sequence<'l>>,
    in_flight: VecDeque<Flight>,
    ended: Vec<(SequenceId, Outcome)>,
    next: u64,
    turn: u64,
}

impl<'g, 'l> Scheduler<'g, 'l> {
    pub(super) fn new(
        device: &'g mut Device,
        runner: &'g mut ModelRunner,
        pages: &'g mut Pages,
        interrupted: Rc<Cell<bool>>,
    ) -> Self {
        Scheduler {
            device,
            runner,
            pages,
            interrupted,
            waiting: VecDeque::new(),
            served: Vec::new(),
            in_flight: VecDeque::new(),
            ended: Vec::new(),
            next: 0,
            turn: 0,
        }
    }

    /// Adds a request, to be computed with `adapter` or without one. The listener gets its tokens during [`Self::step`].
    ///
    /// # Errors
    /// `INVALID_REQUEST`, `CONTEXT_OVERFLOW`; `MODEL_UNSUPPORTED` for a picture that must not be cut and is too large for a run.
    pub fn submit(
        &mut self,
        request: Request,
        adapter: Option<AdapterId>,
        listener: Listener<'l>,
    ) -> Result<SequenceId> {
        check_prompt(self.runner, &request.prompt)?;
        request.sampling.validate(self.runner.vocabulary())?;
        let whole = self.runner.model.whole_media();
        if let Some(media) = request.media.iter().find(|media| whole && media.positions.len() > MOST_ROWS) {
            let tokens = media.positions.len();
            return Err(Error::unsupported(format!(
                "a picture of {tokens} tokens that see each other (most: {MOST_ROWS})"
            )));
        }
        let id = SequenceId(self.next);
        self.next += 1;
        // Each position of the context holds one token; the last sampled one needs none.
        let room = self.runner.layout().context - (request.prompt.len() - request.resumed_tokens) + 1;
        let most = request.max_tokens.unwrap_or(room).min(room);
        let resumed = request.resumed_tokens;
        let mut sequence = Sequence::new(id, request, adapter, most, listener);
        if most <= resumed {
            let contents = sequence.contents(sequence.ids.len());
            if !sequence.request.recompute {
                sequence.cached_tokens = self.pages.reusable(adapter, &contents);
            }
            self.ended.push((id, sequence.outcome(Finish::Length)));
        } else {
            self.waiting.push_back(sequence);
        }
        Ok(id)
    }

    /// Tokens of a sequence's prompt that were read or were cached, and all of them; `None` once it has ended.
    pub fn prompt_progress(&self, id: SequenceId) -> Option<PromptProgress> {
        let served = self.served.iter().find(|sequence| sequence.id == id);
        let sequence = served.or_else(|| self.waiting.iter().find(|sequence| sequence.id == id))?;
        let total = sequence.request.prompt.len();
        let read = match sequence.place {
            Some(_) => sequence.prefilled,
            None if sequence.request.recompute => 0,
            None => self.pages.reusable(sequence.adapter, &sequence.contents(total)),
        };
        Some(PromptProgress { read, total })
    }

    /// The outcome of a sequence that has ended, removed from here.
    pub fn outcome(&mut self, id: SequenceId) -> Option<Outcome> {
        let at = self.ended.iter().position(|(ended, _)| *ended == id)?;
        Some(self.ended.swap_remove(at).1)
    }

    /// Submits as many runs as may be in flight, waits for the oldest and hands out its tokens. `false`: all sequences have
    /// ended, and no run is in flight.
    ///
    /// # Errors
    /// `DEVICE_LOST` and others of the device, `MODEL_FORMAT` for logits that are not numbers. All sequences are gone
    /// then, without an outcome.
    pub async fn step(&mut self, yield_now: &YieldNow) -> Result<bool> {
        let result = self.take_turn(yield_now).await;
        if result.is_err() {
            self.abandon().await;
        }
        result
    }

    async fn take_turn(&mut self, yield_now: &YieldNow) -> Result<bool> {
        self.end_what_is_over();
        self.admit().await?;
        while self.may_submit()
            && let Some(composed) = self.compose()
        {
            let ticket = self.runner.run(self.device, &composed.batch).await?;
            let Composed { members, drawn, is_part, .. } = composed;
            self.in_flight.push_back(Flight { ticket, members, drawn, is_part });
        }
        let Some(flight) = self.in_flight.pop_front() else {
            // A sequence that cannot continue was found while composing, and ends in the next turn.
            return Ok(!self.served.is_empty() || !self.waiting.is_empty());
        };
        if !self.served.iter().any(|sequence| flight.members.contains(&sequence.id)) {
            // It ran ahead in vain; a lost device has been reported by the run that met it.
            let _ = self.device.wait(flight.ticket).await;
            return Ok(true);
        }
        let words = self.device.wait(flight.ticket).await?;
        yield_now().await;
        for (row, id) in flight.drawn.into_iter().enumerate() {
            if self.interrupted.get() {
                break;
            }
            self.hand_out(&words, row, id).await?;
        }
        Ok(true)
    }

    /// Ends sequences that were interrupted or have all their tokens.
    fn end_what_is_over(&mut self) {
        if self.interrupted.get() {
            for sequence in std::mem::take(&mut self.waiting) {
                self.ended.push((sequence.id, sequence.outcome(Finish::Abort)));
            }
        }
        for i in (0..self.served.len()).rev() {
            let sequence = &self.served[i];
            if self.interrupted.get() {
                self.end(i, Finish::Abort);
            } else if sequence.received() == sequence.most {
                let finish = sequence.at_most;
                self.end(i, finish);
            }
        }
    }

    /// Ends a served sequence and returns its place. Its rows in flight may still write to its pages; that is harmless, since
    /// runs are executed in order, and a later owner writes each position before reading it.
    fn end(&mut self, at: usize, finish: Finish) {
        let mut sequence = self.served.remove(at);
        let computed = sequence.computed();
        let contents = sequence.contents(computed);
        let place = sequence.place.take().expect("it was served");
        self.pages.release(place.lease, contents);
        self.runner.note_history(place.slot, &sequence.ids[..computed]);
        self.ended.push((sequence.id, sequence.outcome(finish)));
    }

    /// Gives slots and pages to waiting sequences, in order, while there are any.
    async fn admit(&mut self) -> Result<()> {
        while let Some(sequence) = self.waiting.front() {
            let taken = |slot: &usize| self.served.iter().any(|sequence| sequence.place().slot == *slot);
            let slot = (0..self.runner.layout().slots).find(|slot| !taken(slot));
            let Some(slot) = slot else { return Ok(()) };
            let contents = sequence.contents(sequence.ids.len());
            let (positions, reuse) = (sequence.positions(), !sequence.request.recompute);
            let Some(lease) = self.pages.acquire(sequence.adapter, &contents, positions, reuse) else { return Ok(()) };
            let Some(mut sequence) = self.waiting.pop_front() else { return Ok(()) };
            let reused = lease.reused;
            (sequence.prefilled, sequence.cached_tokens) = (reused, reused);
            self.runner.set_sequence(self.device, slot, &lease.pages, &sequence.ids[..reused]);
            self.runner.set_sampling(self.device, slot, sequence.sampling(), &sequence.request.sampling.logit_bias);
            sequence.place = Some(Place { slot, lease });
            let (adapter, prompt) = (sequence.adapter, sequence.request.prompt.len());
            let output = Output::Sample { penalties: sequence.request.sampling.has_penalties() };
            let end = sequence.prompt_tokens() + sequence.most;
            self.served.push(sequence);
            // Before prefill, so that decode starts, and goes on, without a pause.
            let [first, last] = [prompt, end].map(|keys| self.runner.single_key(self.device, output, adapter, keys));
            self.runner.finish(self.device, first).await?;
            self.runner.begin(self.device, last)?;
        }
        Ok(())
    }

    /// Whether another run may follow those in flight.
    fn may_submit(&self) -> bool {
        // The CPU executor computes within `run`, so that running ahead gains nothing; the logits buffer holds the last run's.
        let is_single = self.device.is_cpu() || self.served.iter().any(|sequence| sequence.request.want_logits);
        let depth = if is_single { 1 } else { RUN_AHEAD };
        self.in_flight.len() < depth && !self.in_flight.back().is_some_and(|flight| flight.is_part)
    }

    /// The rows of the next run, if any can be submitted now; their sequences count them as submitted.
    fn compose(&mut self) -> Option<Composed> {
        self.end_what_cannot_go_on();
        let adapter = self.next_adapter()?;
        let mut left = self.prompt_rows(adapter);
        let whole = self.runner.model.whole_media();
        // A picture that is not cut runs alone where it has more rows than would run together.
        let members = self.served.iter().filter(|sequence| sequence.adapter == adapter && sequence.may_draw());
        let mut prompts = members.filter(|sequence| !sequence.is_prefilled());
        let alone = prompts.find(|sequence| sequence.least_rows(whole) > left).map(|sequence| sequence.id);
        self.turn += 1;
        let (mut rows, mut gather, mut keys, mut penalties) = (Vec::new(), Vec::new(), 0, false);
        let mut media = Vec::new();
        let (mut members, mut drawn, mut is_part) = (Vec::new(), Vec::new(), false);
        for sequence in self.served.iter_mut().filter(|sequence| sequence.adapter == adapter && sequence.may_draw()) {
            if alone.is_some_and(|id| id != sequence.id) {
                continue;
            }
            let of_prompt = !sequence.is_prefilled();
            let before = sequence.prefilled;
            let most = if alone.is_some() { sequence.least_rows(whole) } else { left };
            let own = sequence.next_rows(most, whole);
            if own.is_empty() {
                continue;
            }
            if of_prompt {
                left = left.saturating_sub(own.len());
                media.extend(sequence.media(before..sequence.prefilled, rows.len()));
                let contents = sequence.contents(sequence.prefilled);
                self.pages.note(&sequence.place().lease, contents);
            }
            rows.extend(own);
            members.push(sequence.id);
            sequence.turn = self.turn;
            keys = keys.max(sequence.keys());
            if !sequence.is_prefilled() {
                is_part = true;
                continue;
            }
            gather.push(rows.len() as u32 - 1);
            drawn.push(sequence.id);
            penalties |= sequence.request.sampling.has_penalties();
            let slot = sequence.place().slot;
            self.runner.set_mask(self.device, slot, sequence.allowed(self.runner.vocabulary()));
            sequence.note_draw();
        }
        let output = if gather.is_empty() { Output::None } else { Output::Sample { penalties } };
        Some(Composed { batch: Batch { rows, gather, output, adapter, keys, media }, members, drawn, is_part })
    }

    /// The adapter of the sequence that has waited longest, among those that can have rows now; `None` if there is none.
    fn next_adapter(&self) -> Option<Option<AdapterId>> {
        let ready = self.served.iter().filter(|sequence| sequence.may_draw());
        ready.min_by_key(|sequence| (sequence.turn, sequence.id)).map(|sequence| sequence.adapter)
    }

    /// The most rows of prompts in the next run, which also has the newest token of each other sequence.
    fn prompt_rows(&self, adapter: Option<AdapterId>) -> usize {
        let members = self.served.iter().filter(|sequence| sequence.adapter == adapter && sequence.may_draw());
        let (singles, prompts): (Vec<_>, Vec<_>) = members.partition(|sequence| sequence.is_prefilled());
        match prompts.is_empty() {
            true => 0,
            // One row at least, however many other sequences there are.
            false => self.runner.chunk_rows(self.device).saturating_sub(singles.len()).max(1),
        }
    }

    /// Sequences whose constraints allow no id get no more tokens.
    fn end_what_cannot_go_on(&mut self) {
        let vocabulary = self.runner.vocabulary();
        for sequence in self.served.iter_mut().filter(|sequence| sequence.may_draw()) {
            if sequence.allowed(vocabulary).is_some_and(|allowed| allowed.is_empty()) {
                (sequence.most, sequence.at_most) = (sequence.submitted, Finish::Stop);
            }
        }
    }

    /// Gives a sequence the token that a run has drawn for it, unless it has ended.
    async fn hand_out(&mut self, words: &[u32], row: usize, id: SequenceId) -> Result<()> {
        let Some(at) = self.served.iter().position(|sequence| sequence.id == id) else { return Ok(()) };
        let sequence = &mut self.served[at];
        let position = sequence.ids.len() - 1;
        let token = self.runner.drawn(words, sequence.place().slot).ok_or_else(|| Error::not_numbers(position))?;
        if sequence.request.stop_ids.contains(&token) {
            self.end(at, Finish::Stop);
            return Ok(());
        }
        sequence.push(token);
        let logits = match sequence.request.want_logits {
            true => Some(self.runner.read_logits(self.device, row, 1).await?),
            false => None,
        };
        if (sequence.listener)(Sampled { id: token, logits: logits.as_deref() }).is_break() {
            self.end(at, Finish::Stop);
        } else if sequence.is_endless {
            self.end(at, Finish::Repetition);
        }
        Ok(())
    }

    /// After an error it is unknown what the caches hold: waits for the runs in flight and forgets all contents.
    async fn abandon(&mut self) {
        for flight in self.in_flight.drain(..) {
            let _ = self.device.wait(flight.ticket).await; // the error is known already
        }
        self.waiting.clear();
        self.give_up();
        self.pages.forget();
    }

    /// Returns the places of all sequences.
    fn give_up(&mut self) {
        for mut sequence in self.served.drain(..) {
            let place = sequence.place.take().expect("it was served");
            self.pages.release(place.lease, Vec::new());
            self.runner.note_history(place.slot, &[]);
        }
    }
}

impl Drop for Scheduler<'_, '_> {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// Checks that the model can compute a prompt.
///
/// # Errors
/// `INVALID_REQUEST`, `CONTEXT_OVERFLOW`.
pub fn check_prompt(runner: &ModelRunner, prompt: &[u32]) -> Result<()> {
    runner.model.shape().check_ids("prompt", prompt, runner.layout().context)
}
