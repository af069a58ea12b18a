//! Jinja's filters of texts and numbers that minijinja has not, or has otherwise.

use std::borrow::Cow;

use minijinja::value::{Kwargs, Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value, filters};
use minijinja_contrib::filters::{filesizeformat, striptags};

use super::arguments::{bound, flag, integer, pair, text};
use super::budget::{Meter, pay};
use super::format::percent;
use super::methods::{centered, lines, split, trimmed};
use super::print::printed;
use super::reasons::wrong;

/// Characters by which `truncate` lets a text be too long.
const LEEWAY: i64 = 5;

type Filter = fn(&State, &Value, &[Value]) -> Result<Value, Error>;

pub(super) fn add_to(environment: &mut Environment<'static>) {
    let own: [(&str, Filter); 17] = [
        ("center", center),
        ("e", escape),
        ("escape", escape),
        ("float", float),
        ("filesizeformat", |_, value, args| {
            let [binary] = bound(args, ["binary"])?;
            let bytes = as_text(value).parse().map_err(|_| wrong("a file's size is a number"))?;
            Ok(Value::from(filesizeformat(bytes, Some(flag(&binary)))))
        }),
        ("forceescape", force_escape),
        ("format", |state, value, args| percent(state, &as_text(value), args)),
        ("indent", indent),
        ("int", int),
        ("replace", replace),
        ("split", |state, value, args| {
            let [separator, most] = bound(args, ["sep", "maxsplit"])?;
            pay(state, value)?;
            split(state, &as_text(value), text(&separator)?, integer(&most)?)
        }),
        ("string", |_, value, args| {
            let [] = bound(args, [])?;
            Ok(if value.as_str().is_some() { value.clone() } else { Value::from(as_text(value)) })
        }),
        ("striptags", |_, value, args| bound(args, []).map(|[]| Value::from(striptags(as_text(value).into_owned())))),
        ("trim", |_, value, args| {
            let [characters] = bound(args, ["chars"])?;
            Ok(Value::from(trimmed(&as_text(value), text(&characters)?, true, true)))
        }),
        ("truncate", truncate),
        ("urlencode", urlencode),
        ("wordcount", |_, value, args| {
            let [] = bound(args, [])?;
            let text = as_text(value);
            let words = text.split(|c: char| c != '_' && !c.is_alphanumeric());
            Ok(Value::from(words.filter(|word| !word.is_empty()).count()))
        }),
    ];
    for (name, filter) in own {
        add_filter(environment, name, move |state, value, args| filter(state, value, args));
    }
    // Those of minijinja's that take by position alone what has a name in Jinja.
    for (name, filter, names) in [
        ("batch", Value::from_function(filters::batch), ["linecount", "fill_with"]),
        ("d", Value::from_function(filters::default), ["default_value", "boolean"]),
        ("default", Value::from_function(filters::default), ["default_value", "boolean"]),
        ("slice", Value::from_function(filters::slice), ["slices", "fill_with"]),
    ] {
        add_filter(environment, name, move |state, value, args| {
            let [first, second] = bound(args, names)?;
            let args = [Some(value.clone()), first.or_else(|| Some(Value::from(""))), second];
            filter.call(state, &args.into_iter().flatten().collect::<Vec<_>>())
        });
    }
}

/// Adds a filter that takes a value, and its arguments as they are given.
pub(super) fn add_filter(
    environment: &mut Environment<'static>,
    name: &'static str,
    filter: impl Fn(&mut State, &Value, &[Value]) -> Result<Value, Error> + Send + Sync + 'static,
) {
    environment.add_filter(name, move |state: &mut State, args: Rest<ValueOrKwargs>| {
        let args = args.into_values();
        let (value, args) = args.split_first().ok_or(ErrorKind::MissingArgument)?;
        filter(state, value, args)
    });
}

/// A value as `str` makes a text of it, which has been paid for.
fn as_text(value: &Value) -> Cow<'_, str> {
    value.as_str().map_or_else(|| printed(value).to_string().into(), Cow::Borrowed)
}

fn center(state: &State, value: &Value, args: &[Value]) -> Result<Value, Error> {
    let [width] = bound(args, ["width"])?;
    centered(state, &as_text(value), integer(&width)?.unwrap_or(80), ' ').map(Value::from)
}

fn escape(state: &State, value: &Value, args: &[Value]) -> Result<Value, Error> {
    if value.is_safe() { Ok(value.clone()) } else { force_escape(state, value, args) }
}

fn force_escape(state: &State, value: &Value, args: &[Value]) -> Result<Value, Error> {
    let [] = bound(args, [])?;
    let mut meter = Meter::new(state);
    let mut escaped = String::new();
    for c in as_text(value).chars() {
        let entity = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' => "&#34;",
            '\'' => "&#39;",
            _ => {
                escaped.push(c);
                continue;
            }
        };
        meter.charge(entity.len() as u64)?;
        escaped.push_str(entity);
    }
    Ok(Value::from_safe_string(escaped))
}

/// A whole number, from a text of any base; the default where there is none.
fn int(state: &State, value: &Value, args: &[Value]) -> Result<Value, Error> {
    let [default, base] = bound(args, ["default", "base"])?;
    let default = default.unwrap_or_else(|| Value::from(0));
    let base = integer(&base)?.unwrap_or(10);
    let none = || Kwargs::from_iter::<[(&str, Value); 0]>([]);
    let of_kind = |value: &Value| filters::int(state, value, None, None, none()).ok();
    let Some(text) = value.as_str() else {
        let number = matches!(value.kind(), ValueKind::Bool | ValueKind::Number).then(|| of_kind(value)).flatten();
        return Ok(number.unwrap_or(default));
    };
    Meter::new(state).charge(text.len() as u64)?;
    let digits = text.trim().replace('_', "");
    let prefix = match base {
        2 => "0b",
        8 => "0o",
        16 => "0x",
        _ => "",
    };
    let whole = match u32::try_from(base) {
        Ok(10) => None,
        Ok(base @ 2..=36) => {
            i64::from_str_radix(digits.to_lowercase().trim_start_matches(prefix), base).ok().map(Value::from)
        }
        _ => None,
    };
    Ok(whole.or_else(|| of_kind(&Value::from(digits))).unwrap_or(default))
}

fn float(state: &State, value: &Value, args: &[Value]) -> Result<Value, Error> {
    let [default] = bound(args, ["default"])?;
    let number = match value.as_str() {
        Some(text) => {
            Meter::new(state).charge(text.len() as u64)?;
            text.trim().replace('_', "").parse().ok()
        }
        None if value.kind() == ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        None => f64::try_from(value.clone()).ok(),
    };
    Ok(number.map(Value::from).or(default).unwrap_or_else(|| Value::from(0.0)))
}

/// Lines behind an indentation: all but the first and, unless they are asked for, those that are empty.
fn indent(state: &State, value: &Value, args: &[Value]) -> Result<Value, Error> {
    let [width, first, blank] = bound(args, ["width", "first", "blank"])?;
    let mut meter = Meter::new(state);
    let indentation = match width.as_ref().map(|width| (width.as_str(), width)) {
        Some((Some(text), _)) => text.to_owned(),
        Some((None, width)) => {
            let width = usize::try_from(i64::try_from(width.clone())?).unwrap_or(0);
            meter.charge(width as u64)?;
            " ".repeat(width)
        }
        None => " ".repeat(4),
    };
    // A line break at the end begins a line that is empty.
    let text = as_text(value).into_owned() + "\n";
    let mut indented = String::new();
    for (i, line) in lines(&text, false).enumerate() {
        if i > 0 {
            indented.push('\n');
        }
        if if i == 0 { flag(&first) } else { flag(&blank) || !line.is_empty() } {
            meter.charge(indentation.len() as u64)?;
            indented.push_str(&indentation);
        }
        indented.push_str(line);
    }
    Ok(Value::from(indented))
}

/// A text with another in the place of what it holds, of the first `count` at most.
fn replace(state: &State, value: &Value, args: &[Value]) -> Result<Value, Error> {
    let [old, new, count] = bound(args, ["old", "new", "count"])?;
    let most = integer(&count)?.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
    let (Some(old), Some(new)) = (old, new) else { return Err(Error::from(ErrorKind::MissingArgument)) };
    let (text, old, new) = (as_text(value), as_text(&old), as_text(&new));
    let times = text.matches(&*old).count().min(most);
    Meter::new(state).charge(times.saturating_mul(new.len()) as u64)?;
    Ok(Value::from(text.replacen(&*old, &new, times)))
}

/// A text that is cut after a word, or anywhere, where it is longer than `length` and some.
fn truncate(_: &State, value: &Value, args: &[Value]) -> Result<Value, Error> {
    let [length, killwords, end, leeway] = bound(args, ["length", "killwords", "end", "leeway"])?;
    let (length, leeway) = (integer(&length)?.unwrap_or(255), integer(&leeway)?.unwrap_or(LEEWAY));
    let (whole, end) = (as_text(value), text(&end)?.unwrap_or("..."));
    if whole.chars().count() as i64 <= length.saturating_add(leeway) {
        return Ok(Value::from(whole));
    }
    let kept = usize::try_from(length).unwrap_or(0).saturating_sub(end.chars().count());
    let cut = &whole[..whole.char_indices().nth(kept).map_or(whole.len(), |(byte, _)| byte)];
    let cut = if flag(&killwords) { cut } else { cut.rsplit_once(' ').map_or(cut, |(words, _)| words) };
    Ok(Value::from(cut.to_owned() + end))
}

/// A text, or pairs of keys and values, as a part of an address.
fn urlencode(state: &State, value: &Value, args: &[Value]) -> Result<Value, Error> {
    let [] = bound(args, [])?;
    let mut meter = Meter::new(state);
    let mut encoded = String::new();
    let pairs: Result<Vec<(Value, Value)>, Error> = match value.kind() {
        ValueKind::Map => value.try_iter()?.map(|key| Ok((key.clone(), value.get_item(&key)?))).collect(),
        ValueKind::Seq | ValueKind::Iterable => value.try_iter()?.map(|item| pair(&item)).collect(),
        _ => {
            quote(&as_text(value), "/", &mut meter, &mut encoded)?;
            return Ok(Value::from(encoded));
        }
    };
    for (i, (key, value)) in pairs?.iter().enumerate() {
        encoded.push_str(if i > 0 { "&" } else { "" });
        quote(&as_text(key), " ", &mut meter, &mut encoded)?;
        encoded.push('=');
        quote(&as_text(value), " ", &mut meter, &mut encoded)?;
    }
    Ok(Value::from(encoded))
}

/// Writes letters, digits, a few marks and those of `plain` as they are, a space that is among them as `+`, and others as `%`
/// and their bytes.
fn quote(text: &str, plain: &str, meter: &mut Meter, out: &mut String) -> Result<(), Error> {
    for byte in text.bytes() {
        match char::from(byte) {
            ' ' if plain == " " => out.push('+'),
            c if c.is_ascii_alphanumeric() || "-._~".contains(c) || plain.contains(c) => out.push(c),
            _ => {
                meter.charge(3)?;
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    Ok(())
}
