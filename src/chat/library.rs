//! Functions, tests and filters of lists that templates have besides minijinja's own, and those that stand in for
//! minijinja's where what they make or walk would not be paid for.

use minijinja::value::{Kwargs, Rest, Tuple, ValueKind, ValueOrKwargs, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value, escape_formatter, filters, functions};

use super::arguments::{bound, by_keyword, given, pair};
use super::budget::{Meter, held, is_plain_map, pay, settled};
use super::filters::add_filter;
use super::format::remainder_of_text;
use super::print::printed;
use super::reasons::{cut, wrong};
use super::{changing, guard, json};

/// Items of a `range`, as many as Jinja's sandbox allows.
const MAX_RANGE: i64 = 100_000;
/// How often `map` may apply itself.
const MAX_MAPS: usize = 8;

/// Filters of minijinja's that only developers of templates use, or that Jinja does not have.
const REMOVED: [&str; 4] = ["chain", "lines", "pprint", "zip"];

pub(super) fn add_to(environment: &mut Environment<'static>) {
    environment.add_function(guard::PAY, |state: &State, value: Value| pay(state, &value).map(|_| value));
    environment.add_function(guard::TOUCH, touch);
    environment.add_function(guard::SETTLE, |state: &State, value: Value| settled(state, value));
    environment.add_function(guard::PRINT, |state: &State, value: Value| print(state, value));
    environment.add_function(guard::HOLD, |state: &State, value: Value| held(state, value));
    environment.add_function(guard::BOUND, bound_of_slice);
    environment.add_function(guard::ITEMS, items);
    environment.add_function(guard::TIMES, times);
    environment.add_function(guard::REMAINDER, remainder);
    environment.add_function(guard::VARIADIC, variadic);
    environment.add_function(guard::CYCLE, cycle);
    environment.add_function("namespace", namespace);
    environment.add_function("dict", dict);
    environment.add_function("range", range);
    environment.add_function("cycler", |state: &State, items: Rest<Value>| {
        changing::cycler(items.iter().map(|item| held(state, item.clone())).collect::<Result<_, _>>()?)
    });
    environment.add_function("joiner", |state: &State, separator: Option<Value>| {
        held(state, separator.unwrap_or_else(|| Value::from(", "))).map(changing::joiner)
    });
    environment
        .add_function("lipsum", || Err::<Value, _>(wrong("lipsum makes text by chance, which no prompt is made of")));
    environment.remove_global("debug");
    environment.add_function("raise_exception", |state: &State, message: Value| -> Result<Value, Error> {
        pay(state, &message)?;
        Err(wrong(cut(&message.to_string())))
    });

    for name in REMOVED {
        environment.remove_filter(name);
    }
    environment.add_test("iterable", |value: Value| is_iterable(&value));
    environment.add_test("sequence", |value: Value| is_iterable(&value) && value.kind() != ValueKind::Iterable);
    environment.add_test("callable", |value: Value| match value.kind() {
        ValueKind::Map => !is_plain_map(&value) && value.get_attr("arguments").is_ok_and(|names| !names.is_undefined()),
        kind => matches!(kind, ValueKind::Plain | ValueKind::Undefined),
    });
    environment.add_filter("tojson", json::tojson);
    let (numbers, map) = (Value::from_function(filters::sum), Value::from_function(filters::map));
    let (map_of_sum, map_of_join) = (map.clone(), map.clone());
    environment.add_filter("sum", move |state: &mut State, args: Rest<ValueOrKwargs>| {
        sum(state, &numbers, &map_of_sum, &args.into_values())
    });
    let join = Value::from_function(filters::join);
    add_filter(environment, "join", move |state, list, args| {
        let [separator, attribute] = bound(args, ["d", "attribute"])?;
        let list = match given(attribute) {
            Some(attribute) => each(state, &map_of_join, &[list.clone(), attributes(attribute)])?,
            None => list.clone(),
        };
        // A text is joined by its characters.
        let texts = match list.kind() {
            ValueKind::Seq | ValueKind::Iterable => list.try_iter()?.map(|item| printed(&item)).collect(),
            _ => list,
        };
        each(state, &join, &[texts, separator.unwrap_or_else(|| Value::from(""))])
    });
    for (name, filter, names) in [
        ("dictsort", Value::from_function(filters::dictsort), &["case_sensitive", "by", "reverse"][..]),
        ("max", Value::from_function(filters::max), &["case_sensitive", "attribute"]),
        ("min", Value::from_function(filters::min), &["case_sensitive", "attribute"]),
        ("sort", Value::from_function(filters::sort), &["reverse", "case_sensitive", "attribute"]),
        ("unique", Value::from_function(filters::unique), &["case_sensitive", "attribute"]),
    ] {
        add_filter(environment, name, move |state, list, args| {
            each(state, &filter, &[list.clone(), by_keyword(args, names)?.into()])
        });
    }
    for (name, filter) in [
        ("groupby", Value::from_function(filters::groupby)),
        ("map", map),
        ("reject", Value::from_function(filters::reject)),
        ("rejectattr", Value::from_function(filters::rejectattr)),
        ("select", Value::from_function(filters::select)),
        ("selectattr", Value::from_function(filters::selectattr)),
    ] {
        environment.add_filter(name, move |state: &mut State, args: Rest<ValueOrKwargs>| {
            each(state, &filter, &args.into_values())
        });
    }
    environment.set_formatter(|out, state, value| {
        let printed = print(state, value.clone())?;
        escape_formatter(out, state, &printed)
    });
}

/// Prints a value, which is paid for unless it is a text: that is paid for as it is copied.
fn print(state: &State, value: Value) -> Result<Value, Error> {
    if value.as_object().is_some() {
        pay(state, &value)?;
    }
    Ok(printed(&value))
}

/// Pays for a look at each character of a text, or for going to some item of a list.
fn touch(state: &State, value: Value) -> Result<Value, Error> {
    let bytes = value.as_str().map_or_else(|| value.len().unwrap_or(0), str::len);
    Meter::new(state).charge(bytes as u64)?;
    Ok(value)
}

/// The items of a loop: the characters of a text as a list, so that the loop knows its end.
fn items(state: &State, value: Value) -> Result<Value, Error> {
    let Some(text) = value.as_str() else { return touch(state, value) };
    let mut meter = Meter::new(state);
    let item = |c: char| meter.charge_item(c.len_utf8()).map(|()| Value::from(c));
    text.chars().map(item).collect::<Result<Vec<_>, _>>().map(Value::from)
}

fn is_iterable(value: &Value) -> bool {
    match value.kind() {
        ValueKind::Map => is_plain_map(value),
        kind => matches!(kind, ValueKind::String | ValueKind::Seq | ValueKind::Iterable | ValueKind::Undefined),
    }
}

/// The start, the end or the step of a slice: beyond 31 bits they would be cut off, to a step of 0 as well.
fn bound_of_slice(value: Value) -> Value {
    match value.as_i64() {
        Some(i) => Value::from(i.clamp(-i64::from(i32::MAX), i64::from(i32::MAX))),
        None => value,
    }
}

/// `a * b`: numbers, or a text or a list some number of times.
fn times(state: &State, a: Value, b: Value) -> Result<Value, Error> {
    let (many, count) = match (a.kind(), b.kind()) {
        (ValueKind::String | ValueKind::Seq | ValueKind::Iterable, _) => (&a, &b),
        (_, ValueKind::String | ValueKind::Seq | ValueKind::Iterable) => (&b, &a),
        _ => return product(&a, &b),
    };
    let count = match (count.kind(), i64::try_from(count.clone())) {
        (ValueKind::Bool | ValueKind::Number, Ok(count)) => u64::try_from(count).unwrap_or(0),
        _ => return Err(wrong("a text or a list can only be multiplied by a whole number")),
    };
    let mut meter = Meter::new(state);
    if many.len() == Some(0) {
        return Ok(many.clone());
    }
    if let Some(text) = many.as_str() {
        meter.charge(count.saturating_mul(text.len() as u64))?;
        return Ok(Value::from(text.repeat(count as usize)));
    }
    let items: Vec<Value> = many.try_iter()?.collect();
    meter.charge(count.saturating_mul(items.len() as u64 * 64))?;
    let items: Vec<Value> = std::iter::repeat_n(items, count as usize).flatten().collect();
    let repeated = if many.is_tuple() { Value::from(Tuple::from(items)) } else { Value::from(items) };
    settled(state, repeated)
}

fn product(a: &Value, b: &Value) -> Result<Value, Error> {
    arithmetic("*", a, b, |a, b| a.checked_mul(b), |a, b| a * b)
}

/// `a % b`: what is left of a division, with the sign of `b`; or a format and its arguments.
fn remainder(state: &State, a: Value, b: Value) -> Result<Value, Error> {
    match a.as_str() {
        Some(text) => remainder_of_text(state, text, &b),
        None => arithmetic(
            "%",
            &a,
            &b,
            |a, b| a.checked_rem(b).map(|rest| if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }),
            |a, b| if a % b != 0.0 && (a % b < 0.0) != (b < 0.0) { a % b + b } else { a % b },
        ),
    }
}

fn arithmetic(
    operator: &str,
    a: &Value,
    b: &Value,
    whole: impl Fn(i128, i128) -> Option<i128>,
    real: impl Fn(f64, f64) -> f64,
) -> Result<Value, Error> {
    let integer = |value: &Value| match value.kind() {
        ValueKind::Bool => Some(i128::from(value.is_true())),
        _ if value.is_integer() => i128::try_from(value.clone()).ok(),
        _ => None,
    };
    if let (Some(a), Some(b)) = (integer(a), integer(b)) {
        let result = whole(a, b).ok_or_else(|| wrong(format!("unable to calculate {a} {operator} {b}")))?;
        return Ok(i64::try_from(result).map_or_else(|_| Value::from(result), Value::from));
    }
    match (f64::try_from(a.clone()), f64::try_from(b.clone())) {
        (Ok(a), Ok(b)) => Ok(Value::from(real(a, b))),
        _ => {
            let (a, b) = (a.kind(), b.kind());
            Err(wrong(format!("tried to use {operator} operator on unsupported types {a} and {b}")))
        }
    }
}

/// Calls a macro that names `varargs` or `kwargs`, which are its last two parameters, with what no other takes.
fn variadic(state: &mut State, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let args = args.into_values();
    let (called, args) = args.split_first().ok_or(ErrorKind::MissingArgument)?;
    let (positional, keywords): (Rest<Value>, Kwargs) = from_args(args)?;
    let names: Vec<Value> = called.get_attr("arguments")?.try_iter()?.collect();
    let own = names.len().saturating_sub(guard::REST.len());
    let is_own = |name: &str| name == "caller" || names[..own].iter().any(|own| own.as_str() == Some(name));
    let mut given: Vec<(String, Value)> = Vec::new();
    let mut rest: Vec<(String, Value)> = Vec::new();
    for name in keywords.args() {
        let place = if is_own(name) { &mut given } else { &mut rest };
        place.push((name.to_owned(), keywords.peek(name)?));
    }
    let (first, more) = positional.split_at(own.min(positional.len()));
    let more = settled(state, Value::from(Tuple::from(more.to_vec())))?;
    let rest = settled(state, Value::from_pairs(rest))?;
    given.extend(guard::REST.map(String::from).into_iter().zip([more, rest]));
    let mut args = first.to_vec();
    args.push(Kwargs::from_iter(given).into());
    called.call(state, &args)
}

fn cycle(state: &mut State, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let args = args.into_values();
    match args.split_first() {
        Some((_, [])) | None => Err(wrong("cycle needs a value")),
        Some((object, values)) => object.call_method(state, "cycle", values),
    }
}

fn namespace(state: &State, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let args = args.into_values();
    let mut given = Vec::new();
    for arg in &args {
        pay(state, arg)?;
        // A map, or the keywords of the call.
        for key in arg.try_iter()? {
            let value = held(state, arg.get_item(&key)?)?;
            given.push((key, value));
        }
    }
    functions::namespace(Some(Value::from_pairs(given).into()))
}

fn dict(state: &State, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let args = args.into_values();
    for arg in &args {
        pay(state, arg)?;
    }
    let (first, more): (Option<Value>, Kwargs) = from_args(&args)?;
    let map = match first {
        Some(pairs) if matches!(pairs.kind(), ValueKind::Seq | ValueKind::Iterable) => {
            Some(Value::from_pairs(pairs.try_iter()?.map(|item| pair(&item)).collect::<Result<Vec<_>, Error>>()?))
        }
        map => map,
    };
    settled(state, functions::dict(map, more)?)
}

fn range(first: i64, second: Option<i64>, step: Option<i64>) -> Result<Value, Error> {
    let (start, end) = second.map_or((0, first), |end| (first, end));
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(wrong("cannot create range with step of 0"));
    }
    let (from, to) = if step > 0 { (start, end) } else { (end, start) };
    let steps = (i128::from(to) - i128::from(from)).max(0) as u128;
    let count = steps.div_ceil(step.unsigned_abs().into());
    if count > MAX_RANGE as u128 {
        return Err(wrong("range has too many elements"));
    }
    Ok((0..count as i64).map(|i| Value::from(start + i * step)).collect())
}

/// The sum of numbers, or of lists one after the other.
fn sum(state: &mut State, numbers: &Value, map: &Value, args: &[Value]) -> Result<Value, Error> {
    let (list, attribute, start, keywords): (Value, Option<&str>, Option<Value>, Kwargs) = from_args(args)?;
    let attribute = attribute.or(keywords.get("attribute")?);
    let start = start.or(keywords.get("start")?);
    match start {
        Some(start) if matches!(start.kind(), ValueKind::Seq) => {
            let list = match attribute {
                Some(attribute) => each(state, map, &[list, attributes(Value::from(attribute))])?,
                None => list,
            };
            let mut all: Vec<Value> = start.try_iter()?.collect();
            let mut meter = Meter::new(state);
            for part in list.try_iter()?.checked() {
                for item in part?.try_iter()?.checked() {
                    meter.charge_item(0)?;
                    all.push(item?);
                }
            }
            Ok(Value::from(all))
        }
        Some(start) if !start.is_number() => Err(wrong(format!("can only sum numbers, got {}", start.kind()))),
        _ => each(state, numbers, args),
    }
}

/// A filter that does something with each item, and with what it is given besides each time.
fn each(state: &mut State, filter: &Value, args: &[Value]) -> Result<Value, Error> {
    let mut units = 0;
    // `map('map', 'map', …)` calls itself that often.
    let mut maps = 0;
    for arg in args.iter().skip(1) {
        units += pay(state, arg)?;
        maps += usize::from(arg.as_str() == Some("map"));
    }
    if maps > MAX_MAPS {
        return Err(wrong("map is nested too deeply"));
    }
    let items = args.first().and_then(Value::len).unwrap_or(0);
    Meter::new(state).charge((units + 64).saturating_mul(items as u64))?;
    filter.call(state, args)
}

/// The arguments with which `map` takes an attribute of each item.
fn attributes(name: Value) -> Value {
    Kwargs::from_iter([("attribute", name)]).into()
}
