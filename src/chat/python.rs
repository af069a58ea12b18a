//! What Python gives to chat templates and Jinja alone does not: JSON as `json.dumps` writes it, dates as `strftime`
//! writes them.

use std::fmt::Write;

use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

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

/// How `tojson` writes.
struct Style {
    ensure_ascii: bool,
    /// Spaces a level, each item on a line of its own.
    indent: Option<usize>,
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
        Some(indent) => Some(usize::try_from(indent)?.min(16)),
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
        if let Some(indent) = self.style.indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent * depth));
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

/// A date in C's `strftime` notation, in English. `now` counts seconds since 1970 in the time zone that is meant.
pub(super) fn strftime(now: i64, format: &str) -> Result<String, Error> {
    const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let now = now.clamp(-62_135_596_800, 253_402_300_799); // the years 1 to 9999
    let (days, seconds) = (now.div_euclid(86_400), now.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let weekday = (days + 4).rem_euclid(7); // 1970-01-01 was a Thursday
    let year_day = days - days_before(year) + 1;
    let hour12 = (hour + 11) % 12 + 1;
    let day_name = DAYS[weekday as usize];
    let month_name = MONTHS[month as usize - 1];

    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut directive = chars.next();
        let bare = directive == Some('-'); // glibc's and Python's "no padding"
        if bare {
            directive = chars.next();
        }
        let two = |n: i64| if bare { n.to_string() } else { format!("{n:02}") };
        out.push_str(&match directive {
            Some('Y') => year.to_string(),
            Some('y') => two(year.rem_euclid(100)),
            Some('m') => two(month),
            Some('d') => two(day),
            Some('e') => format!("{day:2}"),
            Some('j') if bare => year_day.to_string(),
            Some('j') => format!("{year_day:03}"),
            Some('H') => two(hour),
            Some('I') => two(hour12),
            Some('M') => two(minute),
            Some('S') => two(second),
            Some('p') => if hour < 12 { "AM" } else { "PM" }.into(),
            Some('A') => day_name.into(),
            Some('a') => day_name[..3].into(),
            Some('B') => month_name.into(),
            Some('b' | 'h') => month_name[..3].into(),
            Some('w') => weekday.to_string(),
            Some('F') => format!("{year}-{month:02}-{day:02}"),
            Some('T') => format!("{hour:02}:{minute:02}:{second:02}"),
            Some('%') => "%".into(),
            _ => {
                let detail = format!("strftime_now: a directive of {format:?} is not supported");
                return Err(Error::new(ErrorKind::InvalidOperation, detail));
            }
        });
    }
    Ok(out)
}

/// Days from 1970-01-01 to the first of January of a year in the Gregorian calendar.
fn days_before(year: i64) -> i64 {
    let y = year - 1;
    y * 365 + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) - 719_162
}

/// The year, month and day of a number of days since 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let mut year = 1970 + days.div_euclid(366); // never too late
    while days_before(year + 1) <= days {
        year += 1;
    }
    let leap = days_before(year + 1) - days_before(year) == 366;
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut day = days - days_before(year);
    let mut month = 0;
    while month < 11 && day >= lengths[month] {
        day -= lengths[month];
        month += 1;
    }
    (year, month as i64 + 1, day + 1)
}
