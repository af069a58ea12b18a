//! Python's methods of texts, lists and dictionaries: minijinja's own set, what that lacks, and what makes much of little.

use cresset_numerics::sort_by;
use std::sync::LazyLock;

use minijinja::value::{Tuple, ValueKind};
use minijinja::{Error, State, Value};
use minijinja_contrib::pycompat::unknown_method_callback;
use regex::Regex;

use super::arguments::{bound, flag, integer, keywords, required, text as text_of};
use super::budget::{Meter, pay, settled};
use super::format::{Fields, check_format};
use super::print::is_printable;
use super::reasons::wrong;

/// A method of a value; minijinja calls it for those that an object does not have itself. The text itself is paid for.
pub(super) fn method(state: &mut State, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    for arg in args {
        pay(state, arg)?;
    }
    match (value.kind(), name) {
        (ValueKind::String, _) => method_of_text(state, value, name, args),
        (ValueKind::Seq | ValueKind::Map, "copy") => bound(args, []).map(|[]| value.clone()),
        (ValueKind::Seq, "index") => {
            let [item] = bound(args, ["value"])?;
            pay(state, value)?;
            let at = value.try_iter()?.position(|other| Some(&other) == item.as_ref());
            at.map(Value::from).ok_or_else(|| wrong("the item is not in the list"))
        }
        (ValueKind::Number, "is_integer") => {
            let [] = bound(args, [])?;
            Ok(Value::from(value.is_integer() || f64::try_from(value.clone())?.fract() == 0.0))
        }
        _ => {
            if name == "count" {
                pay(state, value)?;
            }
            let result = unknown_method_callback(state, value, name, args)?;
            settled(state, result)
        }
    }
}

fn method_of_text(state: &mut State, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    let text = value.as_str().unwrap_or_default();
    Ok(match name {
        "strip" | "lstrip" | "rstrip" => {
            let [characters] = bound(args, ["chars"])?;
            Value::from(trimmed(text, text_of(&characters)?, name != "rstrip", name != "lstrip"))
        }
        "split" | "rsplit" => {
            let [separator, most] = bound(args, ["sep", "maxsplit"])?;
            let (separator, most) = (text_of(&separator)?, integer(&most)?);
            if name == "split" { split(state, text, separator, most)? } else { rsplit(state, text, separator, most)? }
        }
        "splitlines" => {
            let [keep_ends] = bound(args, ["keepends"])?;
            Value::from(pieces(state, lines(text, flag(&keep_ends)))?)
        }
        "find" | "rfind" | "index" | "rindex" | "count" | "startswith" | "endswith" => {
            let [what, start, end] = bound(args, ["sub", "start", "end"])?;
            let (text, skipped) = window(text, integer(&start)?, integer(&end)?);
            match (name, &what) {
                ("startswith" | "endswith", Some(what)) => {
                    return unknown_method_callback(state, &Value::from(text), name, std::slice::from_ref(what));
                }
                ("count", _) => Value::from(text.matches(required(&what)?).count()),
                _ => {
                    let what = required(&what)?;
                    let at = if name.starts_with('r') { text.rfind(what) } else { text.find(what) };
                    match at {
                        Some(at) => Value::from(skipped + text[..at].chars().count()),
                        None if name.ends_with("find") => Value::from(-1),
                        None => return Err(wrong("substring not found")),
                    }
                }
            }
        }
        "format" => {
            check_format(state, Fields::Braces, text, args)?;
            return unknown_method_callback(state, value, name, args);
        }
        "format_map" => {
            let [map] = bound(args, ["mapping"])?;
            return method_of_text(state, value, "format", &[keywords(&map.unwrap_or_default())?.into()]);
        }
        "removeprefix" => {
            let [prefix] = bound(args, ["prefix"])?;
            Value::from(text.strip_prefix(required(&prefix)?).unwrap_or(text))
        }
        "removesuffix" => {
            let [suffix] = bound(args, ["suffix"])?;
            Value::from(text.strip_suffix(required(&suffix)?).unwrap_or(text))
        }
        "partition" | "rpartition" => {
            let [separator] = bound(args, ["sep"])?;
            let separator = checked_separator(required(&separator)?)?;
            let found = if name == "partition" { text.split_once(separator) } else { text.rsplit_once(separator) };
            let parts = match found {
                Some((before, after)) => [before, separator, after],
                None if name == "partition" => [text, "", ""],
                None => ["", "", text],
            };
            Value::from(Tuple::from(parts.map(Value::from).to_vec()))
        }
        "ljust" | "rjust" | "center" | "zfill" => {
            let [width, fill] = bound(args, ["width", "fillchar"])?;
            let width = integer(&width)?.unwrap_or(0);
            let mut fill = text_of(&fill)?.unwrap_or(" ").chars();
            let (Some(fill), None) = (fill.next(), fill.next()) else {
                return Err(wrong("the fill character must be exactly one character long"));
            };
            Value::from(match name {
                "ljust" => padded(state, text, width, fill, |_| 0)?,
                "rjust" => padded(state, text, width, fill, |missing| missing)?,
                "center" => centered(state, text, width, fill)?,
                _ => {
                    let digits = text.trim_start_matches(['+', '-']);
                    let sign = &text[..(text.len() - digits.len()).min(1)];
                    let width = width.saturating_sub(sign.len() as i64);
                    sign.to_owned() + &padded(state, &text[sign.len()..], width, '0', |missing| missing)?
                }
            })
        }
        "expandtabs" => {
            let [size] = bound(args, ["tabsize"])?;
            let size = integer(&size)?.map_or(8, |size| usize::try_from(size).unwrap_or(0));
            Value::from(without_tabs(state, text, size)?)
        }
        "swapcase" => Value::from(text.chars().fold(String::new(), |mut all, c| {
            if c.is_uppercase() {
                all.extend(c.to_lowercase());
            } else {
                all.extend(c.to_uppercase());
            }
            all
        })),
        "title" => Value::from(title(text)),
        "casefold" => Value::from(text.to_lowercase().replace('ß', "ss").replace('ς', "σ")),
        "istitle" => Value::from(text.chars().any(|c| c.is_uppercase() || c.is_lowercase()) && title(text) == text),
        "isprintable" => Value::from(text.chars().all(is_printable)),
        "isidentifier" => Value::from(
            text.starts_with(|c: char| c == '_' || c.is_alphabetic())
                && text.chars().all(|c| c == '_' || c.is_alphanumeric()),
        ),
        "isdecimal" => Value::from(!text.is_empty() && text.chars().all(|c| is_digit(c, false))),
        "isdigit" => Value::from(!text.is_empty() && text.chars().all(|c| is_digit(c, true))),
        _ => return unknown_method_callback(state, value, name, args),
    })
}

/// The part of a text from one character to another, as slices count them, and how many come before.
fn window(text: &str, start: Option<i64>, end: Option<i64>) -> (&str, usize) {
    if start.is_none() && end.is_none() {
        return (text, 0);
    }
    let count = text.chars().count() as i64;
    let place = |i: i64| if i < 0 { (i.saturating_add(count)).max(0) } else { i.min(count) } as usize;
    let byte = |at: usize| text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte);
    let (start, end) = (place(start.unwrap_or(0)), place(end.unwrap_or(count)));
    (&text[byte(start)..byte(end.max(start))], start)
}

/// A text with so many characters at least; `before` says how many of those that are missing go before it.
fn padded(state: &State, text: &str, width: i64, fill: char, before: impl Fn(usize) -> usize) -> Result<String, Error> {
    let missing = usize::try_from(width).unwrap_or(0).saturating_sub(text.chars().count());
    Meter::new(state).charge(missing.saturating_mul(fill.len_utf8()) as u64)?;
    let fill = fill.to_string();
    let left = before(missing);
    Ok([&fill.repeat(left), text, &fill.repeat(missing - left)].concat())
}

/// A text in the middle of so many characters, as Python shares out an odd number of them.
pub(super) fn centered(state: &State, text: &str, width: i64, fill: char) -> Result<String, Error> {
    padded(state, text, width, fill, |missing| missing / 2 + (missing & width as usize & 1))
}

fn without_tabs(state: &State, text: &str, size: usize) -> Result<String, Error> {
    let mut meter = Meter::new(state);
    let (mut out, mut column) = (String::new(), 0);
    for c in text.chars() {
        if c == '\t' {
            let spaces = if size == 0 { 0 } else { size - column % size };
            meter.charge(spaces as u64)?;
            out.push_str(&" ".repeat(spaces));
            column += spaces;
        } else {
            out.push(c);
            column = if matches!(c, '\n' | '\r') { 0 } else { column + 1 };
        }
    }
    Ok(out)
}

/// A letter is large where none comes before it, and small elsewhere.
fn title(text: &str) -> String {
    let (mut out, mut within) = (String::new(), false);
    for c in text.chars() {
        if within {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        within = c.is_alphabetic();
    }
    out
}

/// Whether a character is a decimal digit, or another that has a digit's value, such as `²`.
fn is_digit(c: char, any: bool) -> bool {
    static DECIMAL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\d").expect("a pattern"));
    let decimal = |c: char| c.is_ascii_digit() || (c.is_numeric() && DECIMAL.is_match(c.encode_utf8(&mut [0; 4])));
    let other =
        |c: char| matches!(c, '²' | '³' | '¹' | '⁰' | '⁴'..='⁹' | '₀'..='₉' | '①'..='⑨' | '⑴'..='⑼' | '⒈'..='⒐');
    decimal(c) || (any && other(c))
}

/// The lines of a text, with or without what ends them: all that Python takes for the end of a line.
pub(super) fn lines(text: &str, keep_ends: bool) -> impl Iterator<Item = &str> {
    let ends =
        |c: char| matches!(c, '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let at = rest.find(ends).unwrap_or(rest.len());
        let end = match rest[at..].chars().next() {
            Some('\r') if rest[at..].starts_with("\r\n") => 2,
            end => end.map_or(0, char::len_utf8),
        };
        let line = &rest[..if keep_ends { at + end } else { at }];
        rest = &rest[at + end..];
        Some(line)
    })
}

/// A text without white space, or without these characters, at its ends.
pub(super) fn trimmed<'t>(text: &'t str, characters: Option<&str>, start: bool, end: bool) -> &'t str {
    let mut sorted: Vec<u32> = characters.unwrap_or_default().chars().map(u32::from).collect();
    sort_by(&mut sorted, u32::cmp);
    let goes = |c: char| match characters {
        None => c.is_whitespace(),
        Some(_) => sorted.binary_search(&u32::from(c)).is_ok(),
    };
    let text = if start { text.trim_start_matches(goes) } else { text };
    if end { text.trim_end_matches(goes) } else { text }
}

/// The pieces of a text between separators, or its words; `most` is how often it is split at most.
pub(super) fn split(state: &State, text: &str, separator: Option<&str>, most: Option<i64>) -> Result<Value, Error> {
    let parts = match (separator, limit(most)) {
        (None, None) => pieces(state, text.split_whitespace()),
        (None, Some(most)) => pieces(state, words(text, most)),
        (Some(separator), None) => pieces(state, text.split(checked_separator(separator)?)),
        (Some(separator), Some(most)) => pieces(state, text.splitn(most, checked_separator(separator)?)),
    };
    parts.map(Value::from)
}

/// As [`split`], from the end.
fn rsplit(state: &State, text: &str, separator: Option<&str>, most: Option<i64>) -> Result<Value, Error> {
    let most = limit(most).unwrap_or(usize::MAX);
    let mut parts = match separator {
        Some(separator) => pieces(state, text.rsplitn(most, checked_separator(separator)?))?,
        None => pieces(state, words_from_the_end(text, most))?,
    };
    parts.reverse();
    Ok(Value::from(parts))
}

/// How many pieces at most, for so many splits at most.
fn limit(splits: Option<i64>) -> Option<usize> {
    splits.and_then(|splits| usize::try_from(splits).ok()).map(|splits| splits.saturating_add(1))
}

fn checked_separator(separator: &str) -> Result<&str, Error> {
    match separator {
        "" => Err(wrong("empty separator")),
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
