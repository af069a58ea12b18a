//! What Python gives to chat templates and Jinja alone does not: JSON as `json.dumps` writes it, and methods of text that
//! minijinja's own set lacks.

use minijinja::value::{Kwargs, Rest, StringInput, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat::unknown_method_callback;

use super::budget::{MAX_DEPTH, Meter, pay, settled};
use super::format::{Fields, check_format};

/// How much a caller gives to a template.
#[derive(Default)]
pub(super) struct Size {
    pub values: u64,
    /// Bytes of texts.
    pub bytes: u64,
}

/// A JSON value for templates; objects keep their order.
pub(super) fn from_json(value: &serde_json::Value, size: &mut Size) -> Value {
    size.values += 1;
    match value {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(value) => Value::from(*value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::from(number),
            (None, Some(number)) => Value::from(number),
            (None, None) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => {
            size.bytes += text.len() as u64;
            Value::from(text.as_str())
        }
        serde_json::Value::Array(list) => list.iter().map(|value| from_json(value, size)).collect(),
        serde_json::Value::Object(map) => {
            Value::from_pairs(map.iter().map(|(key, value)| (key.as_str(), from_json(value, size))))
        }
    }
}

/// Python's methods of text, lists and dictionaries: minijinja's set, and what that lacks. The text itself is paid for.
pub(super) fn method(state: &mut State, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    for arg in args {
        pay(state, arg)?;
    }
    let Some(text) = value.as_str() else {
        if name == "count" {
            pay(state, value)?;
        }
        let result = unknown_method_callback(state, value, name, args)?;
        return settled(state, result);
    };
    Ok(match name {
        "strip" | "lstrip" | "rstrip" => {
            let (characters,): (Option<&str>,) = from_args(args)?;
            Value::from(trimmed(text, characters, name != "rstrip", name != "lstrip"))
        }
        "split" => {
            let (separator, most): (Option<&str>, Option<i64>) = from_args(args)?;
            split(state, text, separator, most)?
        }
        "rsplit" => {
            let (separator, most): (Option<&str>, Option<i64>) = from_args(args)?;
            let most = limit(most).unwrap_or(usize::MAX);
            let mut parts = match separator {
                Some(separator) => pieces(state, text.rsplitn(most, checked_separator(separator)?))?,
                None => pieces(state, words_from_the_end(text, most))?,
            };
            parts.reverse();
            Value::from(parts)
        }
        "splitlines" => {
            let (keep_ends,): (Option<bool>,) = from_args(args)?;
            let lines = text.split_inclusive('\n');
            Value::from(match keep_ends {
                Some(true) => pieces(state, lines)?,
                _ => pieces(state, text.lines())?,
            })
        }
        "format" => {
            check_format(state, Fields::Braces, text, args)?;
            return unknown_method_callback(state, value, name, args);
        }
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            Value::from(text.strip_prefix(prefix).unwrap_or(text))
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            Value::from(text.strip_suffix(suffix).unwrap_or(text))
        }
        "partition" | "rpartition" => {
            let (separator,): (&str,) = from_args(args)?;
            let found = if name == "partition" { text.split_once(separator) } else { text.rsplit_once(separator) };
            let parts = match found {
                Some((before, after)) => [before, separator, after],
                None if name == "partition" => [text, "", ""],
                None => ["", "", text],
            };
            parts.into_iter().map(Value::from).collect()
        }
        "index" => {
            let (what,): (&str,) = from_args(args)?;
            match text.find(what) {
                Some(at) => Value::from(text[..at].chars().count()),
                None => return Err(Error::new(ErrorKind::InvalidOperation, "substring not found")),
            }
        }
        "casefold" => Value::from(text.to_lowercase()),
        _ => return unknown_method_callback(state, value, name, args),
    })
}

/// The filter `split`.
pub(super) fn split_filter(
    state: &State,
    text: &str,
    separator: Option<&str>,
    most: Option<i64>,
) -> Result<Value, Error> {
    split(state, text, separator, most)
}

/// The filter `trim`.
pub(super) fn trim_filter(text: StringInput<'_>, characters: Option<&str>) -> Value {
    Value::from(trimmed(text.as_str(), characters, true, true))
}

/// A text without white space, or without these characters, at its ends.
fn trimmed<'t>(text: &'t str, characters: Option<&str>, start: bool, end: bool) -> &'t str {
    let mut sorted: Vec<char> = characters.unwrap_or_default().chars().collect();
    sorted.sort_unstable();
    let goes = |c: char| match characters {
        None => c.is_whitespace(),
        Some(_) => sorted.binary_search(&c).is_ok(),
    };
    let text = if start { text.trim_start_matches(goes) } else { text };
    if end { text.trim_end_matches(goes) } else { text }
}

fn split(state: &State, text: &str, separator: Option<&str>, most: Option<i64>) -> Result<Value, Error> {
    let parts = match (separator, limit(most)) {
        (None, None) => pieces(state, text.split_whitespace()),
        (None, Some(most)) => pieces(state, words(text, most)),
        (Some(separator), None) => pieces(state, text.split(checked_separator(separator)?)),
        (Some(separator), Some(most)) => pieces(state, text.splitn(most, checked_separator(separator)?)),
    };
    parts.map(Value::from)
}

/// How many pieces at most, for so many splits at most.
fn limit(splits: Option<i64>) -> Option<usize> {
    splits.and_then(|splits| usize::try_from(splits).ok()).map(|splits| splits.saturating_add(1))
}

fn checked_separator(separator: &str) -> Result<&str, Error> {
    match separator {
        "" => Err(Error::new(ErrorKind::InvalidOperation, "empty separator")),
        _ => Ok(separator),
    }
}

/// Pieces of a text, each paid for before it is made.
fn pieces<'t>(state: &State, pieces: impl Iterator<Item = &'t str>) -> Result<Vec<Value>, Error> {
    let mut meter = Meter::new(state);
    let piece = |piece: &str| meter.charge_item(piece.len()).map(|()| Value::from(piece));
    pieces.map(piece).collect()
}

/// The words of a text; once there are `most`, the last one given is all that is left.
fn words(text: &str, most: usize) -> impl Iterator<Item = &str> {
    let mut rest = text.trim_start();
    let mut given = 0;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        given += 1;
        let at = rest.find(char::is_whitespace).filter(|_| given < most).unwrap_or(rest.len());
        let (word, after) = rest.split_at(at);
        rest = after.trim_start();
        Some(word)
    })
}

/// The words of a text, last first; once there are `most`, the last one given is all that is left.
fn words_from_the_end(text: &str, most: usize) -> impl Iterator<Item = &str> {
    let mut rest = text.trim_end();
    let mut given = 0;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        given += 1;
        let at = rest.rfind(char::is_whitespace).filter(|_| given < most);
        let start = at.map_or(0, |at| at + rest[at..].chars().next().map_or(0, char::len_utf8));
        let word = &rest[start..];
        rest = rest[..at.unwrap_or(0)].trim_end();
        Some(word)
    })
}

/// How `tojson` writes.
struct Style {
    ensure_ascii: bool,
    /// What a level is indented by, each item on a line of its own.
    indent: Option<String>,
    item_separator: String,
    key_separator: String,
    sort_keys: bool,
}

/// `tojson(ensure_ascii=False, indent=None, separators=None, sort_keys=False)`, as Hugging Face defines it: no HTML
/// escapes, a space after commas and colons.
pub(super) fn tojson(state: &State, value: Value, positional: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    pay(state, &value)?;
    // A text by itself is paid for as one that is copied, not as one that is written with escapes.
    Meter::new(state).charge(7 * value.as_str().map_or(0, str::len) as u64)?;
    let argument = |i: usize, name: &str| -> Result<Option<Value>, Error> {
        let value = match positional.get(i) {
            Some(value) => Some(value.clone()),
            None => kwargs.get::<Option<Value>>(name)?,
        };
        Ok(value.filter(|value| !value.is_none()))
    };
    let indent = match argument(1, "indent")? {
        Some(indent) => Some(match indent.as_str() {
            Some(text) => text.chars().take(16).collect(),
            None => " ".repeat(i64::try_from(indent)?.clamp(0, 16) as usize),
        }),
        None => None,
    };
    let (mut item_separator, mut key_separator) = (if indent.is_some() { "," } else { ", " }.into(), ": ".into());
    if let Some(separators) = argument(2, "separators")? {
        item_separator = separators.get_item_by_index(0)?.to_string();
        key_separator = separators.get_item_by_index(1)?.to_string();
    }
    let style = Style {
        ensure_ascii: argument(0, "ensure_ascii")?.is_some_and(|value| value.is_true()),
        indent,
        item_separator,
        key_separator,
        sort_keys: argument(3, "sort_keys")?.is_some_and(|value| value.is_true()),
    };
    kwargs.assert_all_used()?;
    let mut json = String::new();
    write_json(&value, &style, 0, &mut Meter::new(state), &mut json)?;
    Ok(Value::from(json))
}

/// The value itself is paid for; the meter charges for the separators in between.
fn write_json(value: &Value, style: &Style, depth: usize, meter: &mut Meter, out: &mut String) -> Result<(), Error> {
    let refuse = |why: &str| Error::new(ErrorKind::InvalidOperation, format!("tojson: {why}"));
    if depth > MAX_DEPTH {
        return Err(refuse("the value is nested too deeply"));
    }
    match value.kind() {
        ValueKind::None => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number if value.is_integer() => out.push_str(&value.to_string()),
        ValueKind::Number => out.push_str(&float(f64::try_from(value.clone())?)),
        ValueKind::String => write_string(value.as_str().unwrap_or_default(), style.ensure_ascii, out),
        ValueKind::Seq | ValueKind::Iterable => {
            let mut items = Items::new('[', style, depth, out);
            for item in value.try_iter()? {
                items.next(meter, out)?;
                write_json(&item, style, depth + 1, meter, out)?;
            }
            items.finish(']', out);
        }
        ValueKind::Map => {
            let mut keys: Vec<Value> = value.try_iter()?.collect();
            if style.sort_keys {
                keys.sort();
            }
            let mut items = Items::new('{', style, depth, out);
            for key in keys {
                items.next(meter, out)?;
                let text = match key.kind() {
                    ValueKind::Bool => String::from(if key.is_true() { "true" } else { "false" }),
                    ValueKind::None => "null".into(),
                    _ => key.to_string(),
                };
                write_string(&text, style.ensure_ascii, out);
                out.push_str(&style.key_separator);
                write_json(&value.get_item(&key)?, style, depth + 1, meter, out)?;
            }
            items.finish('}', out);
        }
        ValueKind::Undefined => return Err(refuse("the value is undefined")),
        kind => return Err(refuse(&format!("a {kind} is no JSON"))),
    }
    Ok(())
}

/// The separators and line breaks between the items of a list or an object.
struct Items<'s> {
    style: &'s Style,
    depth: usize,
    empty: bool,
}

impl<'s> Items<'s> {
    fn new(open: char, style: &'s Style, depth: usize, out: &mut String) -> Self {
        out.push(open);
        Items { style, depth, empty: true }
    }

    fn next(&mut self, meter: &mut Meter, out: &mut String) -> Result<(), Error> {
        let indent = self.style.indent.as_ref().map_or(0, String::len);
        let between = self.style.item_separator.len() + self.style.key_separator.len();
        meter.charge((between + (self.depth + 1) * indent) as u64)?;
        if !self.empty {
            out.push_str(&self.style.item_separator);
        }
        self.empty = false;
        self.line_break(self.depth + 1, out);
        Ok(())
    }

    fn finish(self, close: char, out: &mut String) {
        if !self.empty {
            self.line_break(self.depth, out);
        }
        out.push(close);
    }

    fn line_break(&self, depth: usize, out: &mut String) {
        if let Some(indent) = &self.style.indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(indent.as_str(), depth));
        }
    }
}

fn write_string(text: &str, ensure_ascii: bool, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' || (ensure_ascii && !(' '..='~').contains(&c)) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str("\\u");
                    out.extend(
                        [12, 8, 4, 0].map(|bit| char::from(b"0123456789abcdef"[usize::from(*unit >> bit & 15)])),
                    );
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A float as Python's `repr` writes it: the shortest digits, an exponent outside 1e-4 … 1e16.
fn float(x: f64) -> String {
    if !x.is_finite() {
        return if x.is_nan() {
            "NaN"
        } else if x > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .into();
    }
    if x == 0.0 || (1e-4..1e16).contains(&x.abs()) {
        return format!("{x:?}");
    }
    let text = format!("{x:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}
