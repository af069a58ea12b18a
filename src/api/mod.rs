//! OpenAI's objects ⇄ ours: requests, checked field by field, and the objects that answer them. Pure: nothing here runs a
//! model or knows the engine.

pub mod answer;
pub mod embeddings;
pub mod fields;
pub mod languages;
pub mod messages;
pub mod pictures;
pub mod prompt;
pub mod request;
pub mod stop;
pub mod transcription;

pub use fields::Fields;
