//! GGUF's key/value pairs, typed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::{Error, Result};

/// One value of a GGUF header, in the width it has in the file.
#[allow(missing_docs, reason = "named as in the GGUF specification")]
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    U64(u64),
    I64(i64),
    F32(f32),
    F64(f64),
    Bool(bool),
    String(String),
    Array(Array),
}

/// An array of one type. Arrays of arrays are refused on reading.
#[allow(missing_docs, reason = "named as in the GGUF specification")]
#[derive(Debug, Clone, PartialEq)]
pub enum Array {
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    U64(Vec<u64>),
    I64(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Bool(Vec<bool>),
    String(Vec<String>),
}

/// Runs `$body` with `$v` bound to the vector inside any variant of [`Array`].
macro_rules! each_array {
    ($array:expr, $v:ident => $body:expr) => {
        match $array {
            Array::U8($v) => $body,
            Array::I8($v) => $body,
            Array::U16($v) => $body,
            Array::I16($v) => $body,
            Array::U32($v) => $body,
            Array::I32($v) => $body,
            Array::U64($v) => $body,
            Array::I64($v) => $body,
            Array::F32($v) => $body,
            Array::F64($v) => $body,
            Array::Bool($v) => $body,
            Array::String($v) => $body,
        }
    };
}

impl Array {
    /// Values in it.
    pub fn len(&self) -> usize {
        each_array!(self, v => v.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first `most` elements.
    fn first(&self, most: usize) -> serde_json::Value {
        each_array!(self, v => v.iter().take(most).map(|x| serde_json::json!(x)).collect())
    }

    fn type_name(&self) -> &'static str {
        match self {
            Array::F32(_) | Array::F64(_) => "an array of numbers",
            Array::Bool(_) => "an array of booleans",
            Array::String(_) => "an array of strings",
            _ => "an array of integers",
        }
    }

    /// The elements, if all are integers.
    fn integers(&self) -> Option<Vec<i128>> {
        Some(match self {
            Array::U8(v) => v.iter().map(|&x| x.into()).collect(),
            Array::I8(v) => v.iter().map(|&x| x.into()).collect(),
            Array::U16(v) => v.iter().map(|&x| x.into()).collect(),
            Array::I16(v) => v.iter().map(|&x| x.into()).collect(),
            Array::U32(v) => v.iter().map(|&x| x.into()).collect(),
            Array::I32(v) => v.iter().map(|&x| x.into()).collect(),
            Array::U64(v) => v.iter().map(|&x| x.into()).collect(),
            Array::I64(v) => v.iter().map(|&x| x.into()).collect(),
            Array::F32(_) | Array::F64(_) | Array::Bool(_) | Array::String(_) => return None,
        })
    }
}

impl Value {
    fn type_name(&self) -> &'static str {
        match self {
            Value::F32(_) | Value::F64(_) => "a number",
            Value::Bool(_) => "a boolean",
            Value::String(_) => "a string",
            Value::Array(array) => array.type_name(),
            _ => "an integer",
        }
    }

    /// The number, if it is an integer of any width.
    fn integer(&self) -> Option<i128> {
        Some(match *self {
            Value::U8(x) => x.into(),
            Value::I8(x) => x.into(),
            Value::U16(x) => x.into(),
            Value::I16(x) => x.into(),
            Value::U32(x) => x.into(),
            Value::I32(x) => x.into(),
            Value::U64(x) => x.into(),
            Value::I64(x) => x.into(),
            _ => return None,
        })
    }
}

/// Strings in quotes, numbers plain, arrays as their first elements and their length: one line for a person.
impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 4;
        match self {
            Value::U8(x) => write!(f, "{x}"),
            Value::I8(x) => write!(f, "{x}"),
            Value::U16(x) => write!(f, "{x}"),
            Value::I16(x) => write!(f, "{x}"),
            Value::U32(x) => write!(f, "{x}"),
            Value::I32(x) => write!(f, "{x}"),
            Value::U64(x) => write!(f, "{x}"),
            Value::I64(x) => write!(f, "{x}"),
            Value::F32(x) => write!(f, "{x}"),
            Value::F64(x) => write!(f, "{x}"),
            Value::Bool(x) => write!(f, "{x}"),
            Value::String(x) => write!(f, "{x:?}"),
            Value::Array(array) => {
                let more = if array.len() > SHOWN { ", …" } else { "" };
                let first = each_array!(array, v => v.iter().take(SHOWN).map(|x| format!("{x:?}")).collect::<Vec<_>>());
                write!(f, "[{}{more}] ({} elements)", first.join(", "), array.len())
            }
        }
    }
}

macro_rules! into_value {
    ($($from:ty => $value:ident),*; $($element:ty => $array:ident),*) => {
        $(impl From<$from> for Value {
            fn from(x: $from) -> Self {
                Value::$value(x.into())
            }
        })*
        $(impl From<Vec<$element>> for Value {
            fn from(x: Vec<$element>) -> Self {
                Value::Array(Array::$array(x))
            }
        })*
    };
}
into_value!(
    u32 => U32, i32 => I32, u64 => U64, f32 => F32, bool => Bool, &str => String, String => String;
    u32 => U32, i32 => I32, f32 => F32, String => String
);

impl Value {
    /// For people and programs to read: of an array longer than `most` its length and first elements.
    pub fn to_json(&self, most: usize) -> serde_json::Value {
        use serde_json::json;
        match self {
            Value::U8(x) => json!(x),
            Value::I8(x) => json!(x),
            Value::U16(x) => json!(x),
            Value::I16(x) => json!(x),
            Value::U32(x) => json!(x),
            Value::I32(x) => json!(x),
            Value::U64(x) => json!(x),
            Value::I64(x) => json!(x),
            Value::F32(x) => json!(x),
            Value::F64(x) => json!(x),
            Value::Bool(x) => json!(x),
            Value::String(x) => json!(x),
            Value::Array(array) if array.len() > most => json!({ "length": array.len(), "first": array.first(most) }),
            Value::Array(array) => array.first(most),
        }
    }
}

/// The keys of a GGUF header. Empty for safetensors.
///
/// The typed getters return `None` for an absent key and `MODEL_FORMAT`, naming the key, for a value of another type.
/// Integers of any width convert where they fit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    file: String,
    entries: BTreeMap<String, Value>,
}

impl Metadata {
    /// No entries yet; `file` is what errors name.
    pub(super) fn new(file: &str) -> Self {
        Metadata { file: file.to_owned(), entries: BTreeMap::new() }
    }

    /// Adds an entry; `false` if the key was there already.
    pub(super) fn insert(&mut self, key: &str, value: Value) -> bool {
        self.entries.insert(key.to_owned(), value).is_none()
    }

    /// A value by its key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.get(key)
    }

    /// All entries, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// An integer that is not negative.
    ///
    /// # Errors
    /// [`Error::Format`] where the key holds something else.
    pub fn u64(&self, key: &str) -> Result<Option<u64>> {
        self.integer(key)
    }

    /// An integer that is not negative and fits the platform's addresses.
    ///
    /// # Errors
    /// [`Error::Format`] where the key holds something else.
    pub fn usize(&self, key: &str) -> Result<Option<usize>> {
        self.integer(key)
    }

    /// A number: a float of either width or an integer.
    ///
    /// # Errors
    /// [`Error::Format`] where the key holds something else.
    pub fn f32(&self, key: &str) -> Result<Option<f32>> {
        self.typed(key, "a number", |value| match *value {
            Value::F32(x) => Some(x),
            Value::F64(x) => Some(x as f32),
            _ => value.integer().map(|x| x as f32),
        })
    }

    /// A switch.
    ///
    /// # Errors
    /// [`Error::Format`] where the key holds something else.
    pub fn bool(&self, key: &str) -> Result<Option<bool>> {
        self.typed(key, "a boolean", |value| match *value {
            Value::Bool(x) => Some(x),
            _ => None,
        })
    }

    /// A text.
    ///
    /// # Errors
    /// [`Error::Format`] where the key holds something else.
    pub fn str(&self, key: &str) -> Result<Option<&str>> {
        self.typed(key, "a string", |value| match value {
            Value::String(x) => Some(x.as_str()),
            _ => None,
        })
    }

    /// A list of texts.
    ///
    /// # Errors
    /// [`Error::Format`] where the key holds something else.
    pub fn strings(&self, key: &str) -> Result<Option<&[String]>> {
        self.typed(key, "an array of strings", |value| match value {
            Value::Array(Array::String(x)) => Some(x.as_slice()),
            _ => None,
        })
    }

    /// An array of floats of either width.
    ///
    /// # Errors
    /// [`Error::Format`] where the key holds something else.
    pub fn f32s(&self, key: &str) -> Result<Option<Cow<'_, [f32]>>> {
        self.typed(key, "an array of numbers", |value| match value {
            Value::Array(Array::F32(x)) => Some(Cow::Borrowed(x.as_slice())),
            Value::Array(Array::F64(x)) => Some(x.iter().map(|&x| x as f32).collect()),
            _ => None,
        })
    }

    /// An array of switches, also as integers.
    ///
    /// # Errors
    /// [`Error::Format`] where the key holds something else.
    pub fn bools(&self, key: &str) -> Result<Option<Cow<'_, [bool]>>> {
        self.typed(key, "an array of booleans", |value| match value {
            Value::Array(Array::Bool(x)) => Some(Cow::Borrowed(x.as_slice())),
            Value::Array(array) => Some(array.integers()?.into_iter().map(|x| x != 0).collect()),
            _ => None,
        })
    }

    /// An array of integers of any width, each of which must fit an `i32`.
    ///
    /// # Errors
    /// [`Error::Format`] where the key holds something else.
    pub fn i32s(&self, key: &str) -> Result<Option<Cow<'_, [i32]>>> {
        self.typed(key, "an array of integers that fit 32 bits", |value| match value {
            Value::Array(Array::I32(x)) => Some(Cow::Borrowed(x.as_slice())),
            Value::Array(array) => array.integers()?.into_iter().map(|x| i32::try_from(x).ok()).collect(),
            _ => None,
        })
    }

    fn integer<T: TryFrom<i128>>(&self, key: &str) -> Result<Option<T>> {
        let Some(x) = self.typed(key, "an integer", Value::integer)? else {
            return Ok(None);
        };
        match T::try_from(x) {
            Ok(x) => Ok(Some(x)),
            Err(_) => Err(Error::format(&self.file, format!("the value of {key}, {x}, is out of range"))),
        }
    }

    fn typed<'a, T>(&'a self, key: &str, want: &str, read: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        match read(value) {
            Some(x) => Ok(Some(x)),
            None => {
                let got = value.type_name();
                Err(Error::format(&self.file, format!("the value of {key} must be {want}, the file has {got}")))
            }
        }
    }
}
