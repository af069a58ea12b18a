//! Every kernel: a grid of shapes × formats × executors against its twin, and twins against plain formulas where they
//! are not plain themselves.

mod attention;
mod bench;
#[path = "../support/blocks.rs"]
mod blocks;
mod elementwise;
mod encoder;
mod experts;
mod linear;
mod packed;
mod sampling;
#[path = "../support/skip.rs"]
mod skip;
#[path = "../support/translate.rs"]
mod translate;
