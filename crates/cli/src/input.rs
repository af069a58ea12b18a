//! Reading standard input.

use cresset::error::{Error, Result};
use std::fs;
use std::io::{self, BufRead, ErrorKind, IsTerminal, Read, stdin};
use std::path::Path;

/// What text editors and PowerShell put before a text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The text of an option, or without it of standard input.
///
/// # Errors
/// `INVALID_REQUEST` if both are missing, and as [`whole`].
pub fn given(option: &'static str, text: Option<String>) -> Result<String> {
    match text {
        Some(text) => Ok(text),
        None if stdin().is_terminal() => Err(Error::invalid(option, "is missing; give a text, or pipe one in")),
        None => Some(whole(stdin().lock())?)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| Error::invalid(option, "is missing, and standard input is empty; give a text by either")),
    }
}

/// The text of a file, or of standard input where that is called `-`.
///
/// # Errors
/// `STORAGE` if it cannot be read, `INVALID_REQUEST` if it is no UTF-8.
pub fn file(path: &Path) -> Result<String> {
    if path == Path::new("-") {
        return whole(stdin().lock());
    }
    let shown = path.display();
    fs::read_to_string(path).map_err(|error| match error.kind() {
        ErrorKind::InvalidData => Error::invalid("--file", format!("{shown} is not UTF-8 text")),
        _ => Error::Storage { reason: format!("{shown}: {error}") },
    })
}

/// All of a text, without the line break that ends it.
///
/// # Errors
/// `INVALID_REQUEST` if it is no UTF-8, `STORAGE` if it cannot be read.
pub fn whole(mut input: impl Read) -> Result<String> {
    let mut text = String::new();
    input.read_to_string(&mut text).map_err(refused)?;
    Ok(without_ends(&text).to_string())
}

/// The next line, without its line break; `None` at the end.
///
/// # Errors
/// As [`whole`].
pub fn line(input: &mut impl BufRead) -> Result<Option<String>> {
    let mut line = String::new();
    let read = input.read_line(&mut line).map_err(refused)?;
    Ok((read > 0).then(|| without_ends(&line).to_string()))
}

fn without_ends(text: &str) -> &str {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

fn refused(error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::InvalidData => Error::invalid("standard input", "is not UTF-8 text"),
        _ => Error::Storage { reason: format!("standard input: {error}") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_loses_its_mark_and_its_last_line_break() {
        for (given, text) in [("a\n\nb\r\n", "a\n\nb"), ("\u{feff}a", "a"), ("a\n\n", "a\n"), ("", "")] {
            assert_eq!(whole(given.as_bytes()), Ok(text.to_string()));
        }
        assert_eq!(whole(&b"\xff"[..]).map_err(|error| error.code()), Err("INVALID_REQUEST"));
    }

    #[test]
    fn lines_come_one_by_one() {
        let mut input = &b"\xef\xbb\xbfone\r\n\nlast"[..];
        for expected in [Some("one"), Some(""), Some("last"), None] {
            assert_eq!(line(&mut input), Ok(expected.map(str::to_string)));
        }
    }
}
