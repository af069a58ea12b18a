//! A request that is being served: its ids, how far it is, its pages, how its tokens are drawn, who listens.

use super::adapters::AdapterId;
use super::bits::BitSet;
use super::constraint::{Constraint, MinTokens, Never, UNKNOWN_ID};
use super::pages::{Content, Lease};
use super::repetition::Repetition;
use super::request::{Finish, Media, Outcome, Request, Sampled};
use super::runner::MediaRows;
use super::source::source_hash;
use crate::device::{FROM_STATE, Row, SamplingSlot};
use std::ops::{ControlFlow, Range};

/// A request among those that a scheduler serves; no number comes twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SequenceId(pub(super) u64);

/// Is called with each token of a sequence in order; `Break` ends the sequence.
pub type Listener<'l> = Box<dyn FnMut(Sampled) -> ControlFlow<()> + 'l>;

/// A sequence's slot and pages on the device.
pub struct Place {
    /// Its row tables, sampling parameters and edits.
    pub slot: usize,
    /// Its part of the KV cache.
    pub lease: Lease,
}

/// A request, waiting or being served.
pub struct Sequence<'l> {
    /// Its number.
    pub id: SequenceId,
    /// The request as it was submitted.
    pub request: Request,
    /// The adapter that its keys and values are computed with.
    pub adapter: Option<AdapterId>,
    /// The prompt, then the answer's tokens as they are read back.
    pub ids: Vec<u32>,
    /// `None` while it waits.
    pub place: Option<Place>,
    /// Ids of the request's prompt that have been submitted or were cached.
    pub prefilled: usize,
    /// Tokens of the answer whose draw has been submitted, including `request.resumed_tokens`.
    pub submitted: usize,
    /// The most tokens that the answer may have.
    pub most: usize,
    /// Why it ends at `most`.
    pub at_most: Finish,
    /// Ids of the prompt that were cached.
    pub cached_tokens: usize,
    /// Whether the answer has fallen into endless repetition.
    pub is_endless: bool,
    repetition: Option<Repetition>,
    constraints: Vec<Box<dyn Constraint>>,
    /// Their mask for the next token; `None` until it is computed.
    allowed: Option<Option<BitSet>>,
    /// Is called with each token.
    pub listener: Listener<'l>,
    /// The number of the last run that had rows of it.
    pub turn: u64,
}

impl<'l> Sequence<'l> {
    /// A request of which `most` tokens are wanted, more than were resumed.
    pub fn new(
        id: SequenceId,
        request: Request,
        adapter: Option<AdapterId>,
        most: usize,
        listener: Listener<'l>,
    ) -> Self {
        let mut constraints: Vec<Box<dyn Constraint>> = request.constraint.clone().into_iter().collect();
        if request.min_tokens > 0 && !request.stop_ids.is_empty() {
            constraints.push(Box::new(MinTokens::new(request.min_tokens, request.stop_ids.clone())));
        }
        if !request.never.is_empty() {
            constraints.push(Box::new(Never(request.never.clone())));
        }
        for id in &request.prompt[request.prompt.len() - request.resumed_tokens..] {
            constraints.iter_mut().for_each(|constraint| constraint.accept(*id));
        }
        let guarded = request.ends_repetition && request.constraint.is_none();
        let mut sequence = Sequence {
            id,
            is_endless: false,
            repetition: guarded.then(Repetition::new),
            ids: request.prompt.clone(),
            submitted: request.resumed_tokens,
            request,
            adapter,
            place: None,
            prefilled: 0,
            most,
            at_most: Finish::Length,
            cached_tokens: 0,
            constraints,
            allowed: None,
            listener,
            turn: 0,
        };
        (1..=sequence.received()).for_each(|received| sequence.note_repetition(received));
        sequence
    }

    /// Looks at the answer's first `received` tokens, the last of which is new.
    fn note_repetition(&mut self, received: usize) {
        let from = self.prompt_tokens();
        if let Some(repetition) = &mut self.repetition {
            let endless = repetition.push(&self.ids[from..from + received]);
            self.is_endless = endless && received >= self.request.min_tokens;
        }
    }

    /// Tokens of the prompt, without the answer's own ids at its end.
    pub fn prompt_tokens(&self) -> usize {
        self.request.prompt.len() - self.request.resumed_tokens
    }

    /// Tokens of the answer that were read back, including `request.resumed_tokens`.
    pub fn received(&self) -> usize {
        self.ids.len() - self.prompt_tokens()
    }

    /// The place of a sequence that is being served. Panics if it waits.
    pub fn place(&self) -> &Place {
        self.place.as_ref().expect("it is being served")
    }

    /// Whether the whole prompt has been submitted.
    pub fn is_prefilled(&self) -> bool {
        self.prefilled == self.request.prompt.len()
    }

    /// Whether a token may be drawn before the previous one has been read back.
    pub fn may_run_ahead(&self) -> bool {
        !self.request.want_logits && !self.constraints.iter().any(|constraint| constraint.looks_back())
    }

    /// Whether nothing in the sequence itself keeps it from having rows in the next run.
    pub fn may_draw(&self) -> bool {
        self.submitted < self.most && (self.may_run_ahead() || self.submitted == self.received())
    }

    /// Rows of the prompt that its next run must at least have; with `whole`, all that are left of a picture.
    pub fn least_rows(&self, whole: bool) -> usize {
        self.media_around(self.prefilled, whole).map_or(1, |media| media.end - self.prefilled)
    }

    /// The picture or the sound that a position of the prompt is in, if `whole`.
    fn media_around(&self, position: usize, whole: bool) -> Option<Range<usize>> {
        let mut all = self.request.media.iter().map(|media| media.positions.clone());
        all.find(|positions| whole && positions.contains(&position))
    }

    /// Its rows in the next run: at most `most` of the prompt, which then count as submitted, or the newest token. With `whole`, no
    /// picture is cut: where it has no room, there are none.
    pub fn next_rows(&mut self, most: usize, whole: bool) -> Vec<Row> {
        let slot = self.place().slot as u32;
        if self.is_prefilled() {
            return vec![Row { slot, position: 0, token: FROM_STATE }];
        }
        let first = self.prefilled;
        let end = self.request.prompt.len().min(first + most);
        self.prefilled = self.media_around(end, whole).map_or(end, |media| media.start.max(first).min(end));
        let tokens = (first as u32..).zip(&self.request.prompt[first..self.prefilled]);
        tokens.map(|(position, &token)| Row { slot, position, token }).collect()
    }

    /// The embeddings of pictures and sounds at these positions of the prompt, whose rows begin at `at` in a batch.
    pub fn media(&self, positions: Range<usize>, at: usize) -> impl Iterator<Item = MediaRows> {
        let of = move |media: &Media| {
            let first = media.positions.start.max(positions.start);
            let end = media.positions.end.min(positions.end);
            let rows = first.checked_sub(media.positions.start)?..end.checked_sub(media.positions.start)?;
            (rows.start < rows.end).then(|| MediaRows {
                at: at + first - positions.start,
                of: media.rows.clone(),
                rows,
            })
        };
        self.request.media.iter().filter_map(of)
    }

    /// Keys that the last of its submitted rows attends to, before the draw is noted.
    pub fn keys(&self) -> usize {
        match self.submitted > self.request.resumed_tokens {
            true => self.prompt_tokens() + self.submitted,
            false => self.prefilled,
        }
    }

    /// The ids that the next token may be; `None` if all are allowed.
    pub fn allowed(&mut self, vocabulary: usize) -> Option<&BitSet> {
        let constraints = &self.constraints;
        let mask = || {
            let mut allowed = BitSet::full(if constraints.is_empty() { 0 } else { vocabulary });
            constraints.iter().for_each(|constraint| constraint.mask(&mut allowed));
            (!allowed.is_full()).then_some(allowed)
        };
        self.allowed.get_or_insert_with(mask).as_ref()
    }

    /// A token's draw is submitted.
    pub fn note_draw(&mut self) {
        self.submitted += 1;
        self.allowed = None;
        let ahead = self.constraints.iter_mut().filter(|constraint| !constraint.looks_back());
        ahead.for_each(|constraint| constraint.accept(UNKNOWN_ID));
    }

    /// A token was read back.
    pub fn push(&mut self, id: u32) {
        self.ids.push(id);
        self.note_repetition(self.received());
        self.allowed = None;
        let behind = self.constraints.iter_mut().filter(|constraint| constraint.looks_back());
        behind.for_each(|constraint| constraint.accept(id));
    }

    /// Leading ids whose keys and values are in the cache once all submitted runs are done. Every token but the newest has
    /// been fed back.
    pub fn computed(&self) -> usize {
        if !self.is_prefilled() {
            return self.prefilled;
        }
        let fed_back = (self.submitted - self.request.resumed_tokens).saturating_sub(1);
        self.ids.len().min(self.request.prompt.len() + fed_back)
    }

    /// The most positions that it needs in the cache: the last token needs none.
    pub fn positions(&self) -> usize {
        (self.prompt_tokens() + self.most - 1).max(self.request.prompt.len())
    }

    /// The contents of its first `n` positions.
    pub fn contents(&self, n: usize) -> Vec<Content> {
        let mut contents: Vec<Content> = self.ids[..n].iter().map(|id| Content::Token(*id)).collect();
        if let Some(first) = contents.first_mut().filter(|_| !self.request.source.is_empty()) {
            *first = Content::Media(source_hash(&self.request.source));
        }
        for media in &self.request.media {
            let positions = media.positions.start.min(n)..media.positions.end.min(n);
            contents[positions].fill(Content::Media(media.hash));
        }
        contents
    }

    /// The sampling parameters as the device reads them, without a mask.
    pub fn sampling(&self) -> SamplingSlot {
        let p = &self.request.sampling;
        let mut flags = 0;
        if p.has_penalties() {
            flags |= SamplingSlot::PENALTIES;
        }
        if !p.logit_bias.is_empty() {
            flags |= SamplingSlot::BIAS;
        }
        SamplingSlot {
            seed: [self.request.seed as u32, (self.request.seed >> 32) as u32],
            temperature: p.temperature,
            top_k: p.top_k,
            top_p: p.top_p,
            min_p: p.min_p,
            repetition_penalty: p.repetition_penalty,
            frequency_penalty: p.frequency_penalty,
            presence_penalty: p.presence_penalty,
            penalized_from: if p.penalty_last_n < 0 { 0 } else { self.prompt_tokens() as u32 },
            flags,
            penalty_last_n: p.penalty_last_n.clamp(0, i64::from(u32::MAX)) as u32,
            attended: self.request.source.len() as u32,
            unused: [0; 3],
        }
    }

    /// The outcome, if it ends now.
    pub fn outcome(&self, finish: Finish) -> Outcome {
        Outcome {
            finish,
            prompt_tokens: self.request.prompt_tokens(),
            cached_tokens: self.cached_tokens,
            tokens: self.received(),
        }
    }
}
