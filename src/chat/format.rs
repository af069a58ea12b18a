//! `'%5.2f'|format(x)` and `'{:>5}'.format(x)`: what they may ask for, and what it costs.

use minijinja::formatting::{FormatStyle, format};
use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};

use super::arguments::keywords;
use super::budget::{Meter, pay};
use super::print::printed;
use super::reasons::wrong;

/// Characters that a field may be widened to. minijinja panics at some widths of more than 16 bits.
const MAX_WIDTH: usize = 9999;

/// How a format marks its fields.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Fields {
    /// `%5.2f`, `%(name)s`
    Percent,
    /// `{name:>5}`
    Braces,
}

/// Pays for a text made by a format, in which each field may show all arguments.
pub(super) fn check_format(state: &State, style: Fields, format: &str, args: &[Value]) -> Result<(), Error> {
    let mut units = 64;
    for arg in args {
        units += pay(state, arg)?;
    }
    let mut meter = Meter::new(state);
    let (mut in_field, mut in_key, mut width) = (false, false, 0);
    for c in format.chars() {
        match (style, c) {
            (Fields::Percent, '%') | (Fields::Braces, '{') => {
                (in_field, in_key, width) = (true, false, 0);
                meter.charge(units)?;
            }
            (Fields::Percent, '(') if in_field => in_key = true,
            (Fields::Percent, ')') if in_key => in_key = false,
            _ if in_key => {}
            (_, '0'..='9') if in_field => {
                width = width * 10 + (c as u32 - '0' as u32) as usize;
                if width > MAX_WIDTH {
                    return Err(wrong("a format has a field that is too wide"));
                }
            }
            (Fields::Percent, '*') if in_field => {
                return Err(wrong("a format cannot take a width from its arguments"));
            }
            (Fields::Percent, '-' | '+' | ' ' | '#' | '.') | (Fields::Braces, _) if in_field => {
                in_field = c != '}';
                // A fill character has up to four bytes.
                meter.charge(4 * width as u64)?;
                width = 0;
            }
            _ => {
                meter.charge(4 * width as u64)?;
                (in_field, width) = (false, 0);
            }
        }
    }
    Ok(())
}

/// `'%s'|format(…)`: the arguments by position, or all by keyword.
pub(super) fn percent(state: &State, text: &str, args: &[Value]) -> Result<Value, Error> {
    check_format(state, Fields::Percent, text, args)?;
    // A list or a dictionary is shown as `str` makes a text of it.
    let shown = |arg: &Value| if arg.is_kwargs() || arg.as_object().is_none() { arg.clone() } else { printed(arg) };
    format(FormatStyle::Printf, text, &args.iter().map(shown).collect::<Vec<_>>()).map(Value::from)
}

/// `'%s' % value`: a tuple has the arguments by position, a dictionary has them by name.
pub(super) fn remainder_of_text(state: &State, text: &str, value: &Value) -> Result<Value, Error> {
    match value.kind() {
        _ if value.is_tuple() => percent(state, text, &value.try_iter()?.collect::<Vec<_>>()),
        ValueKind::Map if text.contains("%(") => {
            pay(state, value)?;
            percent(state, text, &[keywords(value)?.into()])
        }
        _ => percent(state, text, std::slice::from_ref(value)),
    }
}
