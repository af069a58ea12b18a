//! Printing: answers on stdout, everything else on stderr.

use cresset::error::Error;
use serde_json::Value;
use std::io::{ErrorKind, IsTerminal, Write, stderr, stdout};
use std::process::exit;

/// Writes to stdout. A closed pipe (`| head`) ends the program quietly, a full disk with an error.
pub fn print(text: &str) {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => exit(0),
        Err(error) => {
            say(&told(&Error::Storage { reason: format!("standard output: {error}") }));
            exit(1);
        }
    }
}

/// A piece of what a model writes: a program gets it as it is, a terminal without what would steer it.
pub fn print_answer(piece: &str) {
    match stdout().is_terminal() {
        true => print(&harmless(piece)),
        false => print(piece),
    }
}

/// Ends a text that was printed piece by piece, and says why there is not more of it if the engine stopped it.
pub fn end_answer(answer: &Value) {
    print("\n");
    if answer["usage"]["extra"]["stopped_by"] == "repetition" {
        say("note: stopped, since it repeated itself");
    }
}

/// One line.
pub fn print_json(value: &Value) {
    print(&format!("{value}\n"));
}

/// A line on stderr, without what would steer a terminal: errors quote files. Where nobody reads it, it is lost.
pub fn say(line: &str) {
    let _ = writeln!(stderr(), "{}", harmless(line));
}

/// An error as the terminal says it: in one line, and options have the names of the command line.
pub fn told(error: &Error) -> String {
    format!("error[{}]: {}", error.code(), error.to_string().replace("contextLength", "--context").replace('\n', " "))
}

/// What stands before a line that a person types.
pub const PROMPT: &str = "> ";

/// The beginning of a line on stderr, which the person completes.
pub fn ask(text: &str) {
    let _ = write!(stderr(), "{text}").and_then(|()| stderr().flush());
}

/// A text that others wrote, without the characters that steer terminals.
pub fn harmless(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\n' && c != '\t', "\u{fffd}")
}
