//! Every kernel: a grid of shapes × formats × executors against its twin, and twins against plain formulas where they
//! are not plain themselves.

mod attention;
mod bench;
mod elementwise;
mod encoder;
mod experts;
mod linear;
mod not_numbers;
mod packed;
mod sampling;
