//! The arguments of a call, bound to names as Python does it.

use minijinja::value::{Kwargs, Rest, from_args};
use minijinja::{Error, ErrorKind, Value};

/// A value of two items: a key with its value, as `items()` gives them.
pub(super) fn pair(value: &Value) -> Result<(Value, Value), Error> {
    Ok((value.get_item_by_index(0)?, value.get_item_by_index(1)?))
}

/// The entries of a dictionary as keywords.
pub(super) fn keywords(dictionary: &Value) -> Result<Kwargs, Error> {
    dictionary.try_iter()?.map(|key| Ok((key.to_string(), dictionary.get_item(&key)?))).collect()
}

/// The arguments in the order of these names, by position or by keyword.
pub(super) fn bound<const N: usize>(args: &[Value], names: [&str; N]) -> Result<[Option<Value>; N], Error> {
    let (positional, keywords): (Rest<Value>, Kwargs) = from_args(args)?;
    if positional.len() > N {
        return Err(Error::from(ErrorKind::TooManyArguments));
    }
    let mut bound = [const { None }; N];
    for (i, name) in names.into_iter().enumerate() {
        bound[i] = match positional.get(i) {
            Some(value) => Some(value.clone()),
            None if keywords.has(name) => Some(keywords.get(name)?),
            None => None,
        };
    }
    keywords.assert_all_used()?;
    Ok(bound)
}

/// An argument of which Python's default is `None`.
pub(super) fn given(argument: Option<Value>) -> Option<Value> {
    argument.filter(|value| !value.is_none() && !value.is_undefined())
}

/// An argument that is a text, where it is given.
pub(super) fn text(argument: &Option<Value>) -> Result<Option<&str>, Error> {
    let not_text = || Error::new(ErrorKind::InvalidOperation, "an argument is not a text");
    match argument {
        Some(value) if !value.is_none() => value.as_str().map(Some).ok_or_else(not_text),
        _ => Ok(None),
    }
}

/// An argument that is a whole number, where it is given.
pub(super) fn integer(argument: &Option<Value>) -> Result<Option<i64>, Error> {
    argument.as_ref().filter(|value| !value.is_none()).map(|value| i64::try_from(value.clone())).transpose()
}

/// A text that has to be given.
pub(super) fn required(argument: &Option<Value>) -> Result<&str, Error> {
    text(argument)?.ok_or_else(|| Error::from(ErrorKind::MissingArgument))
}

/// Whether an argument is given and true.
pub(super) fn flag(argument: &Option<Value>) -> bool {
    argument.as_ref().is_some_and(Value::is_true)
}

/// The arguments as minijinja's filters take them that want keywords, which Jinja takes by position as well.
pub(super) fn by_keyword(args: &[Value], names: &[&'static str]) -> Result<Kwargs, Error> {
    let (positional, keywords): (Rest<Value>, Kwargs) = from_args(args)?;
    if positional.len() > names.len() {
        return Err(Error::from(ErrorKind::TooManyArguments));
    }
    let mut all: Vec<(String, Value)> = Vec::new();
    for name in keywords.args() {
        all.push((name.to_owned(), keywords.peek(name)?));
    }
    all.extend(names.iter().map(|name| (*name).to_owned()).zip(positional.iter().cloned()));
    Ok(Kwargs::from_iter(all))
}
