//! JSON for templates: what the caller gives as their values, and their values as `json.dumps` writes them.

use cresset_numerics::sort_by;
use minijinja::value::{Rest, ValueKind, ValueOrKwargs};
use minijinja::{Error, ErrorKind, State, Value};

use super::arguments::{bound, flag, given};
use super::budget::{MAX_DEPTH, Meter, pay};
use super::print::float;

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

/// How `tojson` writes.
struct Style {
    ensure_ascii: bool,
    /// The indentation of a level, each item on a line of its own.
    indent: Option<String>,
    item_separator: String,
    key_separator: String,
    sort_keys: bool,
}

/// `tojson(ensure_ascii=False, indent=None, separators=None, sort_keys=False)`, as Hugging Face defines it: no HTML
/// escapes, a space after commas and colons.
pub(super) fn tojson(state: &State, value: Value, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    pay(state, &value)?;
    // A text by itself is paid for as one that is copied, not as one that is written with escapes.
    Meter::new(state).charge(7 * value.as_str().map_or(0, str::len) as u64)?;
    let names = ["ensure_ascii", "indent", "separators", "sort_keys"];
    let [ensure_ascii, indent, separators, sort_keys] = bound(&args.into_values(), names)?.map(given);
    let indent = match indent {
        Some(indent) => Some(match indent.as_str() {
            Some(text) => text.chars().take(16).collect(),
            None => " ".repeat(i64::try_from(indent)?.clamp(0, 16) as usize),
        }),
        None => None,
    };
    let (mut item_separator, mut key_separator) = (if indent.is_some() { "," } else { ", " }.into(), ": ".into());
    if let Some(separators) = separators {
        item_separator = separators.get_item_by_index(0)?.to_string();
        key_separator = separators.get_item_by_index(1)?.to_string();
    }
    let style =
        Style { ensure_ascii: flag(&ensure_ascii), indent, item_separator, key_separator, sort_keys: flag(&sort_keys) };
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
        ValueKind::Number => out.push_str(&number(f64::try_from(value.clone())?)),
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
                sort_by(&mut keys, Ord::cmp);
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

/// A float as `json.dumps` writes it.
fn number(x: f64) -> String {
    match x {
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        _ if x.is_nan() => "NaN".into(),
        _ => float(x),
    }
}
