//! Ids in, ids out. Sees no string.
//!
//! | file | what it is |
//! |---|---|
//! | `request` | what to generate, and how it went |
//! | `bits` | a set of ids |
//! | `constraint` | which ids may come next |
//! | `adapters` | the LoRA adapters that requests may choose |
//! | `pages` | the KV cache's pages: reference counts, and which of them hold the beginning of a prompt |
//! | `repetition` | notices a text that repeats itself endlessly |
//! | `sequence` | a request that is being served |
//! | `plans` | recorded forward passes, and which of them runs a batch of rows |
//! | `runner` | the model with its caches and buffers: runs batches of rows |
//! | `scheduler` | composes batches from the rows of all sequences, and runs ahead of the read-backs |
//! | `source` | the text that a decoder attends to, read by an encoder |
//! | `beams` | beam search: the likeliest text among several that grow side by side |
//! | `generator` | the interface for `engine`: one request at a time |

mod adapters;
mod beams;
mod bits;
mod constraint;
mod generator;
mod pages;
mod plans;
mod repetition;
mod request;
mod runner;
mod scheduler;
mod sequence;
mod source;

pub use crate::device::YieldNow;
pub use adapters::AdapterId;
pub use bits::BitSet;
pub use constraint::{Constraint, MinTokens, Never, UNKNOWN_ID};
pub use generator::Generator;
pub use plans::Output;
pub use request::{Beams, Finish, Media, Outcome, PromptProgress, Request, Sampled};
pub use runner::{Batch, ModelRunner, PAGE};
pub use scheduler::Scheduler;
pub use sequence::{Listener, SequenceId};
pub use source::{SourceReader, SourceRules};
