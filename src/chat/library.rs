//! Functions and filters that templates have besides minijinja's own, and those that stand in for minijinja's where what
//! they make or walk would not be paid for.

use minijinja::value::{Kwargs, Rest, Tuple, ValueKind, ValueOrKwargs, from_args};
use minijinja::{Environment, Error, State, Value, escape_formatter, filters, functions};

use super::budget::{Meter, held, pay, settled};
use super::format::{Fields, check_format};
use super::reasons::{cut, wrong};
use super::{guard, python};

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
    environment.add_function(guard::BOUND, bound);
    environment.add_function(guard::TIMES, times);
    environment.add_function(guard::CYCLE, cycle);
    environment.add_function("namespace", namespace);
    environment.add_function("dict", dict);
    environment.add_function("range", range);
    environment.remove_global("debug");
    environment.add_function("raise_exception", |state: &State, message: Value| -> Result<Value, Error> {
        pay(state, &message)?;
        Err(wrong(cut(&message.to_string())))
    });

    for name in REMOVED {
        environment.remove_filter(name);
    }
    environment.add_filter("tojson", python::tojson);
    environment.add_filter("split", python::split_filter);
    environment.add_filter("trim", python::trim_filter);
    let (numbers, map) = (Value::from_function(filters::sum), Value::from_function(filters::map));
    environment.add_filter("sum", move |state: &mut State, args: Rest<ValueOrKwargs>| sum(state, &numbers, &map, args));
    let percent = Value::from_function(filters::format);
    environment.add_filter("format", move |state: &mut State, args: Rest<ValueOrKwargs>| {
        let args = args.into_values();
        let format = args.first().and_then(Value::as_str).unwrap_or_default();
        check_format(state, Fields::Percent, format, args.get(1..).unwrap_or_default())?;
        percent.call(state, &args)
    });
    for (name, filter) in [
        ("groupby", Value::from_function(filters::groupby)),
        ("join", Value::from_function(filters::join)),
        ("map", Value::from_function(filters::map)),
        ("max", Value::from_function(filters::max)),
        ("min", Value::from_function(filters::min)),
        ("reject", Value::from_function(filters::reject)),
        ("rejectattr", Value::from_function(filters::rejectattr)),
        ("select", Value::from_function(filters::select)),
        ("selectattr", Value::from_function(filters::selectattr)),
        ("sort", Value::from_function(filters::sort)),
        ("unique", Value::from_function(filters::unique)),
    ] {
        environment.add_filter(name, move |state: &mut State, args: Rest<ValueOrKwargs>| each(state, &filter, args));
    }
    environment.set_formatter(|out, state, value| {
        print(state, value.clone())?;
        escape_formatter(out, state, value)
    });
}

/// Pays for what a value looks like, where that is not what it is: a text is paid for as it is copied.
fn print(state: &State, value: Value) -> Result<Value, Error> {
    if value.as_object().is_some() {
        pay(state, &value)?;
    }
    Ok(value)
}

/// Pays for a look at each character of a text, or for going to some item of a list.
fn touch(state: &State, value: Value) -> Result<Value, Error> {
    let bytes = value.as_str().map_or_else(|| value.len().unwrap_or(0), str::len);
    Meter::new(state).charge(bytes as u64)?;
    Ok(value)
}

/// The start, the end or the step of a slice: beyond 31 bits they would be cut off, to a step of 0 as well.
fn bound(value: Value) -> Value {
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
    let integer = |value: &Value| match value.kind() {
        ValueKind::Bool => Some(i128::from(value.is_true())),
        _ if value.is_integer() => i128::try_from(value.clone()).ok(),
        _ => None,
    };
    if let (Some(a), Some(b)) = (integer(a), integer(b)) {
        let product = a.checked_mul(b).ok_or_else(|| wrong(format!("{a} * {b} is too large")))?;
        return Ok(i64::try_from(product).map_or_else(|_| Value::from(product), Value::from));
    }
    match (f64::try_from(a.clone()), f64::try_from(b.clone())) {
        (Ok(a), Ok(b)) => Ok(Value::from(a * b)),
        _ => Err(wrong(format!("tried to use * operator on unsupported types {} and {}", a.kind(), b.kind()))),
    }
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
    let (map, more): (Option<Value>, Kwargs) = from_args(&args)?;
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
fn sum(state: &mut State, numbers: &Value, map: &Value, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let args = args.into_values();
    let (list, attribute, start, keywords): (Value, Option<&str>, Option<Value>, Kwargs) = from_args(&args)?;
    let attribute = attribute.or(keywords.get("attribute")?);
    let start = start.or(keywords.get("start")?);
    match start {
        Some(start) if matches!(start.kind(), ValueKind::Seq) => {
            let list = match attribute {
                Some(attribute) => {
                    let keywords = Kwargs::from_iter([("attribute", Value::from(attribute))]);
                    let attributes = Rest(vec![list.into(), Value::from(keywords).into()]);
                    each(state, map, attributes)?
                }
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
        _ => each(state, numbers, Rest(args.into_iter().map(ValueOrKwargs::from).collect())),
    }
}

/// A filter that does something with each item, and with what it is given besides each time.
fn each(state: &mut State, filter: &Value, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let args = args.into_values();
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
    filter.call(state, &args)
}
