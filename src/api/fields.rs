//! The fields of a JSON object, each checked as it is read and named when it is wrong.

use crate::error::{Error, Result};
use crate::sampler::Range;
use serde_json::{Map, Value};
use std::ops::RangeInclusive;

/// The fields of a request or of an option object. `null` is the same as absent.
#[derive(Clone, Copy)]
pub struct Fields<'a>(Option<&'a Map<String, Value>>);

impl<'a> Fields<'a> {
    /// The fields of a request.
    ///
    /// # Errors
    /// `INVALID_REQUEST` if it is no object.
    pub fn of(request: &'a Value) -> Result<Self> {
        request.as_object().map(|map| Fields(Some(map))).ok_or_else(|| Error::invalid("request", "must be an object"))
    }

    /// The fields of an option object that may be left out: `null` has none.
    ///
    /// # Errors
    /// `INVALID_REQUEST` if they are neither an object nor null.
    pub fn of_options(options: &'a Value) -> Result<Self> {
        if options.is_null() { Ok(Fields(None)) } else { Fields::of(options) }
    }

    /// A field's value, null or not.
    pub fn raw(&self, field: &str) -> Option<&'a Value> {
        self.0?.get(field)
    }

    /// A field that is there and not null.
    pub fn get(&self, field: &str) -> Option<&'a Value> {
        self.raw(field).filter(|v| !v.is_null())
    }

    /// True or false; false where it is absent.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for anything else.
    pub fn flag(&self, field: &'static str) -> Result<bool> {
        match self.get(field) {
            None => Ok(false),
            Some(value) => value.as_bool().ok_or_else(|| Error::invalid(field, "must be true or false")),
        }
    }

    /// A number within a range.
    ///
    /// # Errors
    /// `INVALID_REQUEST`, which says the range.
    pub fn number(&self, range: &Range) -> Result<Option<f32>> {
        let Some(value) = self.get(range.name) else { return Ok(None) };
        let number = value.as_f64().filter(|x| (range.min..=range.max).contains(x));
        number.map(|x| Some(x as f32)).ok_or_else(|| range.refusal(value))
    }

    /// A whole number within a range.
    ///
    /// # Errors
    /// `INVALID_REQUEST`, which says the range.
    pub fn count(&self, field: &'static str, range: RangeInclusive<u64>) -> Result<Option<usize>> {
        let (min, max) = (*range.start() as f64, *range.end() as f64);
        self.whole(&Range { name: field, min, max, default: None, whole: true })
    }

    /// A whole number within a named range.
    ///
    /// # Errors
    /// `INVALID_REQUEST`, which says the range.
    pub fn whole(&self, range: &Range) -> Result<Option<usize>> {
        let Some(value) = self.get(range.name) else { return Ok(None) };
        // Casts of floats saturate: no end is 2⁶⁴ − 1.
        let number = value.as_u64().filter(|n| (range.min as u64..=range.max as u64).contains(n));
        number.map(|n| Some(n as usize)).ok_or_else(|| range.refusal(value))
    }

    /// A whole number within a named range that may lie below 0.
    ///
    /// # Errors
    /// `INVALID_REQUEST`, which says the range.
    pub fn integer(&self, range: &Range) -> Result<Option<i64>> {
        let Some(value) = self.get(range.name) else { return Ok(None) };
        let number = value.as_i64().filter(|n| range.has(*n as f64));
        number.map(Some).ok_or_else(|| range.refusal(value))
    }

    /// A text.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for anything else.
    pub fn text(&self, field: &'static str) -> Result<Option<&'a str>> {
        let Some(value) = self.get(field) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| Error::invalid(field, "must be text"))
    }
}

/// A list of token ids; `None` if something else is in it.
pub fn ids(list: &[Value]) -> Option<Vec<u32>> {
    list.iter().map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok())).collect()
}
