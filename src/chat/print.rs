//! Values as Python prints them: `str` and `repr`.

use minijinja::Value;
use minijinja::value::ValueKind;

use super::budget::is_plain_map;

/// What `str` makes of a value, which has been paid for. A text stays what it is.
pub(super) fn printed(value: &Value) -> Value {
    match value.kind() {
        ValueKind::String => value.clone(),
        ValueKind::Number if value.is_integer() => value.clone(),
        ValueKind::Number | ValueKind::Seq | ValueKind::Iterable => Value::from(repr(value)),
        ValueKind::Map if is_plain_map(value) => Value::from(repr(value)),
        _ => value.clone(),
    }
}

/// What `repr` makes of a value, which has been paid for and so is nested in bounds.
pub(super) fn repr(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    let float_of = |value: &Value| f64::try_from(value.clone()).ok().filter(|_| !value.is_integer());
    match value.kind() {
        ValueKind::Undefined => out.push_str("Undefined"),
        ValueKind::String => write_text(value.as_str().unwrap_or_default(), out),
        ValueKind::Number if let Some(x) = float_of(value) => out.push_str(&float(x)),
        ValueKind::Seq | ValueKind::Iterable => {
            // A group of `groupby` is a tuple with names.
            let is_tuple = value.is_tuple() || value.get_attr("grouper").is_ok_and(|name| !name.is_undefined());
            let (open, close) = if is_tuple { ("(", ")") } else { ("[", "]") };
            out.push_str(open);
            let count = value.try_iter().into_iter().flatten().enumerate().map(|(i, item)| {
                out.push_str(if i > 0 { ", " } else { "" });
                write(&item, out);
            });
            let count = count.count();
            out.push_str(if is_tuple && count == 1 { "," } else { "" });
            out.push_str(close);
        }
        ValueKind::Map if is_plain_map(value) => {
            out.push('{');
            for (i, key) in value.try_iter().into_iter().flatten().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                write(&key, out);
                out.push_str(": ");
                write(&value.get_item(&key).unwrap_or_default(), out);
            }
            out.push('}');
        }
        _ => out.push_str(&value.to_string()),
    }
}

fn write_text(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if is_printable(c) => out.push(c),
            c => out.push_str(&match c as u32 {
                code @ ..0x100 => format!("\\x{code:02x}"),
                code @ ..0x10000 => format!("\\u{code:04x}"),
                code => format!("\\U{code:08x}"),
            }),
        }
    }
    out.push(quote);
}

/// Whether `repr` shows a character as it is: none that is a control, a separator or a mark of format.
pub(super) fn is_printable(c: char) -> bool {
    let format = matches!(c, '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..);
    c == ' ' || !(c.is_control() || c.is_whitespace() || format)
}

/// A float as `repr` writes it: the shortest digits, an exponent outside 1e-4 … 1e16.
pub(super) fn float(x: f64) -> String {
    if x.is_nan() {
        return "nan".into();
    }
    if x == 0.0 || !x.is_finite() || (1e-4..1e16).contains(&x.abs()) {
        return format!("{x:?}");
    }
    let text = format!("{x:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}
