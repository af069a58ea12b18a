//! The command line as a stranger would use it.

#[path = "../../../../tests/support/mod.rs"]
mod support;

mod cli;
mod download;
mod quantize;
mod server;

use std::process::Command;
use support::at_root;

/// The program, started in the repository's root.
fn cresset() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cresset"));
    command.current_dir(at_root("."));
    command
}
