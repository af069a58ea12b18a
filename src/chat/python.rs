//! What Python gives to chat templates and Jinja alone does not: JSON as `json.dumps` writes it, and methods of text that
//! minijinja's own set lacks.

use std::fmt::Write;

use minijinja::value::{Kwargs, Rest, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat::unknown_method_callback;

/// Nesting of values that templates build and `tojson` writes.
const MAX_DEPTH: usize = 100;

/// A JSON value for templates; objects keep their order.
pub(super) fn from_json(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(value) => Value::from(*value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::from(number),
            (None, Some(number)) => Value::from(number),
            (None, None) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(list) => list.iter().map(from_json).collect(),
        serde_json::Value::Object(map) => {
            Value::from_pairs(map.iter().map(|(key, value)| (key.as_str(), from_json(value))))
        }
    }
}

/// The value, if it is not nested too deeply. Looking costs fuel.
pub(super) fn bounded(state: &State, value: Value) -> Result<Value, Error> {
    fn look(state: &State, value: &Value, depth: usize) -> Result<(), Error> {
        state.consume_fuel(1)?;
        if depth > MAX_DEPTH {
            return Err(Error::new(ErrorKind::InvalidOperation, "the template nests a value too deeply"));
        }
        match value.kind() {
            ValueKind::Seq => value.try_iter()?.try_for_each(|item| look(state, &item, depth + 1)),
            ValueKind::Map => value.try_iter()?.try_for_each(|key| look(state, &value.get_item(&key)?, depth + 1)),
            _ => Ok(()),
        }
    }
    look(state, &value, 0)?;
    Ok(value)
}

/// Python's methods of text, lists and dictionaries: minijinja's set, and what that lacks.
pub(super) fn method(state: &mut State, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    match unknown_method_callback(state, value, name, args) {
        Err(error) if error.kind() == ErrorKind::UnknownMethod => {}
        known => return known,
    }
    let Some(text) = value.as_str() else { return Err(Error::from(ErrorKind::UnknownMethod)) };
    Ok(match name {
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
        "rsplit" => {
            let (separator, most): (Option<&str>, Option<i64>) = from_args(args)?;
            let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX).saturating_add(1);
            let mut parts: Vec<&str> = match separator {
                Some(separator) => text.rsplitn(most, separator).collect(),
                None => split_words_from_the_end(text, most),
            };
            parts.reverse();
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
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    })
}

/// The words of a text, last first; once there are `most`, the last one given is all that is left.
fn split_words_from_the_end(text: &str, most: usize) -> Vec<&str> {
    let mut rest = text.trim_end();
    let mut words = Vec::new();
    while !rest.is_empty() {
        let at = rest.rfind(char::is_whitespace).filter(|_| words.len() + 1 < most);
        let start = at.map_or(0, |at| at + rest[at..].chars().next().map_or(0, char::len_utf8));
        words.push(&rest[start..]);
        rest = rest[..at.unwrap_or(0)].trim_end();
    }
    words
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
pub(super) fn tojson(value: Value, positional: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
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
    write_json(&value, &style, 0, &mut json)?;
    Ok(Value::from(json))
}

fn write_json(value: &Value, style: &Style, depth: usize, out: &mut String) -> Result<(), Error> {
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
                items.next(out);
                write_json(&item, style, depth + 1, out)?;
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
                items.next(out);
                let text = match key.kind() {
                    ValueKind::Bool => String::from(if key.is_true() { "true" } else { "false" }),
                    ValueKind::None => "null".into(),
                    _ => key.to_string(),
                };
                write_string(&text, style.ensure_ascii, out);
                out.push_str(&style.key_separator);
                write_json(&value.get_item(&key)?, style, depth + 1, out)?;
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

    fn next(&mut self, out: &mut String) {
        if !self.empty {
            out.push_str(&self.style.item_separator);
        }
        self.empty = false;
        self.line_break(self.depth + 1, out);
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
                    write!(out, "\\u{unit:04x}").expect("a String takes all");
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
