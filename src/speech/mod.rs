//! Sound in, ids out: what is said in a recording, with its times. Sees no string, and no file.
//!
//! | file | what it does |
//! |---|---|
//! | `ids` | which ids are languages, tasks and times |
//! | `hearing` | a window of sound becomes keys and values that the decoder attends to |
//! | `rules` | which ids may follow |
//! | `draft` | a window's ids, and how sure the model is of them |
//! | `segments` | a window's ids become passages with times |
//! | `alignment` | when each id is spoken, by how the decoder attends to the window |
//! | `warping` | the best way through a matrix that never goes back |
//! | `transcriber` | goes through a recording, window by window |

mod alignment;
mod draft;
mod hearing;
mod ids;
mod rules;
mod segments;
mod transcriber;
mod warping;

pub use alignment::Alignment;
pub use hearing::{SAMPLE_RATE, Sound};
pub use ids::SpeechIds;
pub use segments::Segment;
pub use transcriber::{TranscribeOptions, Transcriber, Transcript};
