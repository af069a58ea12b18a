//! The command line as a stranger would use it.

#[path = "../../../../tests/support/mod.rs"]
mod support;

mod cli;
mod quantize;
