//! Beam search (Graves 2012; Sutskever et al. 2014, section 3.2, <https://arxiv.org/abs/1409.3215>): several texts grow side by side,
//! and of all that could follow them the likeliest are kept. Ends and scores are those of transformers.

use super::adapters::AdapterId;
use super::plans::Output;
use super::request::{Beams, Finish, Outcome, Request, Sampled};
use super::runner::{Batch, ModelRunner};
use super::scheduler::check_prompt;
use crate::device::{Device, Row, YieldNow};
use crate::error::{Error, Result};
use crate::ops::undrawable;
use crate::sampler::top_logprobs;
use cresset_numerics::sort_by;
use std::cell::Cell;
use std::ops::ControlFlow;

/// A text that grows.
#[derive(Debug, Clone)]
struct Beam {
    /// Without the prompt.
    ids: Vec<u32>,
    /// The sum of their log-probabilities.
    score: f32,
    /// By position: pages of one position each, shared with the beams that begin alike.
    pages: Vec<u32>,
}

/// A text that has ended.
#[derive(Debug, Clone)]
struct Ended {
    ids: Vec<u32>,
    /// Its sum over its length, the end counted, to the power of the penalty.
    score: f32,
    finish: Finish,
}

/// The search that serves a request, in as many slots as there are beams.
pub struct Search<'g> {
    device: &'g mut Device,
    runner: &'g mut ModelRunner,
    request: &'g Request,
    beams: Beams,
    adapter: Option<AdapterId>,
    live: Vec<Beam>,
    /// The best, no more than there are beams, the best first.
    ended: Vec<Ended>,
    /// Ids that were handed out.
    told: usize,
}

impl<'g> Search<'g> {
    /// The runner has pages of one position, and as many slots as there are beams.
    pub fn new(
        device: &'g mut Device,
        runner: &'g mut ModelRunner,
        request: &'g Request,
        beams: Beams,
        adapter: Option<AdapterId>,
    ) -> Self {
        Search { device, runner, request, beams, adapter, live: Vec::new(), ended: Vec::new(), told: 0 }
    }

    /// Searches until nothing better can come. `on_token` sees ids as soon as all beams agree on them, and may end the search.
    ///
    /// # Errors
    /// `INVALID_REQUEST`, `CONTEXT_OVERFLOW`, `MODEL_FORMAT` for logits that are not numbers, and those of the device.
    pub async fn run(
        mut self,
        interrupted: &Cell<bool>,
        on_token: &mut dyn FnMut(Sampled) -> ControlFlow<()>,
        yield_now: &YieldNow,
    ) -> Result<Outcome> {
        check_prompt(self.runner, &self.request.prompt)?;
        self.request.sampling.validate(self.runner.vocabulary())?;
        let prompt = self.request.prompt.len();
        let room = self.runner.layout().context - prompt + 1;
        let most = self.request.max_tokens.unwrap_or(room).min(room);
        let mut logits = self.read_prompt().await?; // [1, V]
        let mut finish = None;
        for length in 1..=most {
            self.grow(&mut logits, length, length == most)?;
            if self.is_over(length) || length == most {
                break;
            }
            finish = self.tell(on_token);
            yield_now().await;
            if interrupted.get() {
                finish = Some(Finish::Abort);
            }
            if finish.is_some() {
                break;
            }
            logits = self.run_beams(prompt + length - 1).await?; // [beams, V]
        }
        let best = match (finish, self.ended.first(), self.live.first()) {
            (None, Some(Ended { ids, finish, .. }), _) => (ids.clone(), *finish),
            (_, _, Some(live)) => (live.ids[..self.told].to_vec(), finish.unwrap_or(Finish::Length)),
            _ => (Vec::new(), finish.unwrap_or(Finish::Length)),
        };
        let (ids, mut finish) = best;
        for &id in &ids[self.told..] {
            self.told += 1;
            if on_token(Sampled { id, logits: None }).is_break() {
                finish = Finish::Stop;
                break;
            }
        }
        Ok(Outcome { finish, prompt_tokens: self.request.prompt_tokens(), cached_tokens: 0, tokens: self.told })
    }

    /// Where the position of a slot lies: the rows that one run writes lie side by side.
    fn page(&self, position: usize, slot: usize) -> u32 {
        (position * self.runner.layout().slots + slot) as u32
    }

    /// Logits [1, V] behind the prompt, which is the beginning of all beams.
    async fn read_prompt(&mut self) -> Result<Vec<f32>> {
        let ids = &self.request.prompt;
        let pages: Vec<u32> = (0..ids.len()).map(|position| self.page(position, 0)).collect();
        self.runner.set_sequence(self.device, 0, &pages, &[]);
        self.live = vec![Beam { ids: Vec::new(), score: 0.0, pages }];
        let rows = (0..).zip(ids).map(|(position, &token)| Row { slot: 0, position, token });
        self.run_rows(rows.collect(), 1).await
    }

    /// Logits [beams, V] behind the newest id of each beam, which stands at `position`.
    async fn run_beams(&mut self, position: usize) -> Result<Vec<f32>> {
        for slot in 0..self.live.len() {
            let page = self.page(position, slot);
            self.live[slot].pages.push(page);
            self.runner.set_sequence(self.device, slot, &self.live[slot].pages, &[]);
        }
        let newest = |beam: &Beam| *beam.ids.last().expect("it has grown");
        let row = |(slot, beam): (u32, &Beam)| Row { slot, position: position as u32, token: newest(beam) };
        let rows: Vec<Row> = (0..).zip(&self.live).map(row).collect();
        let beams = rows.len();
        self.run_rows(rows, beams).await
    }

    /// Logits of the last `wanted` rows.
    async fn run_rows(&mut self, rows: Vec<Row>, wanted: usize) -> Result<Vec<f32>> {
        let gather = (rows.len() - wanted..rows.len()).map(|row| row as u32).collect();
        let position = rows[rows.len() - 1].position as usize;
        let (output, adapter) = (Output::Logits, self.adapter);
        let batch = Batch { rows, gather, output, adapter, keys: position + 1, media: Vec::new() };
        let ticket = self.runner.run(self.device, &batch).await?;
        self.device.wait(ticket).await?;
        let logits = self.runner.read_logits(self.device, 0, wanted).await?;
        match logits.chunks_exact(self.runner.vocabulary()).any(undrawable) {
            true => Err(Error::not_numbers(position)),
            false => Ok(logits),
        }
    }

    /// The beams, whose next ids `logits` [beams, V] are of, become `length` ids long; some end. At the `last` length all do.
    fn grow(&mut self, logits: &mut [f32], length: usize, last: bool) -> Result<()> {
        let Request { never, stop_ids, min_tokens, sampling, .. } = self.request;
        let vocabulary = self.runner.vocabulary();
        let kept = (1 + stop_ids.len()).max(2) * self.beams.count;
        let mut all = Vec::with_capacity(kept * self.live.len());
        for (beam, row) in logits.chunks_exact_mut(vocabulary).enumerate() {
            let too_early = if length <= *min_tokens { &stop_ids[..] } else { &[] };
            sampling.logit_bias.iter().for_each(|(id, bias)| row[*id as usize] += bias);
            for id in never.iter().chain(too_early).filter(|id| (**id as usize) < vocabulary) {
                row[*id as usize] = f32::NEG_INFINITY;
            }
            let best = top_logprobs(row, kept).into_iter().filter(|(_, logprob)| *logprob > f32::NEG_INFINITY);
            all.extend(best.map(|(id, logprob)| (self.live[beam].score + logprob, beam, id)));
        }
        sort_by(&mut all, |a, b| b.0.total_cmp(&a.0));
        let over = (length as f32).powf(self.beams.length_penalty);
        let mut grown = Vec::with_capacity(self.beams.count);
        for (rank, (score, beam, id)) in all.into_iter().take(kept).enumerate() {
            let ends = stop_ids.contains(&id);
            let mut ids = self.live[beam].ids.clone();
            if !ends {
                ids.push(id);
            }
            if (ends || last) && rank < self.beams.count {
                let finish = if ends { Finish::Stop } else { Finish::Length };
                self.ended.push(Ended { ids: ids.clone(), score: score / over, finish });
            }
            if !ends && grown.len() < self.beams.count {
                grown.push(Beam { ids, score, pages: self.live[beam].pages.clone() });
            }
        }
        sort_by(&mut self.ended, |a, b| b.score.total_cmp(&a.score));
        self.ended.truncate(self.beams.count);
        self.live = grown;
        Ok(())
    }

    /// Whether nothing better than what has ended can come, as far as the beams' present scores tell.
    fn is_over(&self, length: usize) -> bool {
        let (Some(best), Some(worst)) = (self.live.first(), self.ended.get(self.beams.count - 1)) else {
            return self.live.is_empty();
        };
        let over = (length as f32).powf(self.beams.length_penalty);
        self.beams.early_stopping || best.score / over <= worst.score
    }

    /// Hands out the ids that all have in common, those that have ended as well.
    fn tell(&mut self, on_token: &mut dyn FnMut(Sampled) -> ControlFlow<()>) -> Option<Finish> {
        let first = &self.live.first()?.ids;
        let others = || self.live.iter().map(|beam| &beam.ids).chain(self.ended.iter().map(|ended| &ended.ids));
        let alike = |ids: &Vec<u32>| ids.iter().zip(first).take_while(|(a, b)| a == b).count();
        let settled = others().map(alike).min().unwrap_or(0);
        for &id in &first[self.told.min(settled)..settled] {
            self.told += 1;
            if on_token(Sampled { id, logits: None }).is_break() {
                return Some(Finish::Stop);
            }
        }
        None
    }
}
