//! Printing on stdout.

use serde_json::Value;
use std::io::{Write, stdout};

/// Writes to stdout; a closed pipe (`| head`) is no error worth a message.
pub fn print(text: &str) {
    let mut out = stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// One line.
pub fn print_json(value: &Value) {
    print(&format!("{value}\n"));
}
