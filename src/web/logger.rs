//! Prints the log lines of the engine on the console.

use log::{Level, LevelFilter, Log, Metadata, Record};
use web_sys::console;

struct Console;

impl Log for Console {
    /// The engine's own lines: wgpu says much that nobody asked for.
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.target().starts_with("cresset")
    }

    fn log(&self, record: &Record) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = format!("Cresset: {}", record.args()).into();
        match record.level() {
            Level::Error | Level::Warn => console::warn_1(&line),
            Level::Info => console::info_1(&line),
            Level::Debug | Level::Trace => console::debug_1(&line),
        }
    }

    fn flush(&self) {}
}

/// Once for each worker: of threads that share memory, the first one counts.
pub fn start() {
    log::set_max_level(LevelFilter::Info);
    let _ = log::set_logger(&Console);
}
