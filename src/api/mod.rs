//! OpenAI's objects ⇄ ours: what a request asks for, checked field by field, and the objects that answer it. Pure: nothing
//! here computes, and nothing knows the engine.

pub mod answer;
pub mod embeddings;
pub mod fields;
pub mod messages;
pub mod prompt;
pub mod request;
pub mod stop;

pub use fields::Fields;
