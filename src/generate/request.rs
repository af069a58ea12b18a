//! A request to generate, and its outcome.

use super::constraint::Constraint;
use crate::sampler::SamplingParams;
use std::ops::Range;
use std::rc::Rc;

/// Why generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// A stop id, the callback said so, or the request's constraint allows nothing more.
    Stop,
    /// `max_tokens`, or the context is full.
    Length,
    /// The answer repeated itself endlessly.
    Repetition,
    /// Interrupted.
    Abort,
}

/// A request to generate.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Ids below the vocabulary; one at least.
    pub prompt: Vec<u32>,
    /// Pictures and sounds in the prompt.
    pub media: Vec<Media>,
    /// The text that the decoder of a model with an encoder attends to; the prompt is then what its own text begins behind.
    pub source: Vec<u32>,
    /// Search instead of drawing.
    pub beams: Option<Beams>,
    /// The number of ids at the prompt's end that are the answer's own, from before an interruption: it continues as if there
    /// had been none.
    pub resumed_tokens: usize,
    /// The most tokens of the answer; `None`: until the context is full.
    pub max_tokens: Option<usize>,
    /// No stop id is drawn before the answer has this many tokens.
    pub min_tokens: usize,
    /// Ids that are never drawn.
    pub never: Vec<u32>,
    /// Ids that end the answer; not handed to the callback.
    pub stop_ids: Vec<u32>,
    /// End an answer that repeats itself endlessly, unless a constraint says what may come next.
    pub ends_repetition: bool,
    /// How tokens are drawn.
    pub sampling: SamplingParams,
    /// Which ids may come next, in the state before the answer's first id.
    pub constraint: Option<Box<dyn Constraint>>,
    /// Seed of the draws.
    pub seed: u64,
    /// Hand the logits to the callback as well: nothing then runs ahead of the read-backs.
    pub want_logits: bool,
    /// Compute the whole prompt even if a prefix of it is cached.
    pub recompute: bool,
}

impl Request {
    /// Tokens of the prompt, without the answer's own ids at its end; of the text that is attended to, where there is one.
    pub fn prompt_tokens(&self) -> usize {
        match self.source.len() {
            0 => self.prompt.len() - self.resumed_tokens,
            tokens => tokens,
        }
    }
}

/// A search for the likeliest text: several grow side by side, and of all that could follow the best are kept (beam search).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beams {
    /// Texts that grow side by side, 2 to 16.
    pub count: usize,
    /// The sum of a text's log-probabilities is divided by its length to this power: above 0, longer ones are preferred.
    pub length_penalty: f32,
    /// End as soon as so many texts have ended as there are beams, whatever the others might come to.
    pub early_stopping: bool,
}

/// A picture or a sound in a prompt, where placeholder ids stand for it.
#[derive(Debug, Clone)]
pub struct Media {
    /// Positions of its placeholder ids in the prompt.
    pub positions: Range<usize>,
    /// A hash of its content: equal hashes count as equal content.
    pub hash: u64,
    /// Its embeddings [positions, D], in place of those of the ids.
    pub rows: Rc<[f32]>,
}

/// How it went.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// Why it ended.
    pub finish: Finish,
    /// Tokens of the prompt, or of the text that is attended to.
    pub prompt_tokens: usize,
    /// Tokens of the prompt whose keys and values were cached.
    pub cached_tokens: usize,
    /// Tokens of the answer.
    pub tokens: usize,
}

/// How much of a prompt was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromptProgress {
    /// Tokens that were computed, or were cached.
    pub read: usize,
    /// All of them.
    pub total: usize,
}

/// A token that was drawn.
pub struct Sampled<'a> {
    /// Its id.
    pub id: u32,
    /// The logits [V] that it was drawn from, if they were asked for.
    pub logits: Option<&'a [f32]>,
}
