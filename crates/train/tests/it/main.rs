//! Training from outside.

#[path = "../../../../tests/support/mod.rs"]
mod support;

mod train;
