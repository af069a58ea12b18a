//! Prints the log lines of the engine on stderr: warnings, and with `CRESSET_LOG=debug` the rest as well.

use crate::output::say;
use log::{Level, LevelFilter, Log, Metadata, Record};

struct Stderr;

impl Log for Stderr {
    /// The engine's own lines; wgpu and the drivers below it say much that nobody asked for.
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.target().starts_with("cresset")
    }

    fn log(&self, record: &Record) {
        if self.enabled(record.metadata()) {
            let kind = if record.level() <= Level::Warn { "warning" } else { "note" };
            say(&format!("{kind}: {}", record.args()));
        }
    }

    fn flush(&self) {}
}

/// Once, when the program starts.
pub fn start() {
    let level = std::env::var("CRESSET_LOG").ok().and_then(|level| level.parse().ok());
    log::set_max_level(level.unwrap_or(LevelFilter::Warn));
    log::set_logger(&Stderr).expect("the only logger");
}
