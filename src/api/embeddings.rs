//! `embeddings.create`: texts or ids → OpenAI's list of vectors.

use super::fields::{Fields, ids};
use crate::embed::How;
use crate::error::{Error, Result};
use crate::ops::Pooling;
use crate::pictures::Picture;
use serde_json::{Value, json};

/// Inputs of a request: OpenAI's own limit.
const MOST_INPUTS: usize = 2048;

/// An embeddings request, without its input.
#[derive(Debug, Clone, Copy)]
pub struct EmbeddingsRequest {
    /// How rows become a vector.
    pub how: How,
    /// Ids that longer inputs are cut to.
    truncate: Option<usize>,
    /// Numbers of each vector, if fewer than the model's.
    dimensions: Option<usize>,
    /// Whether vectors are sent as base64 instead of numbers.
    base64: bool,
}

impl EmbeddingsRequest {
    /// For a model with this context (positions), this width of its vectors, and its `own` pooling.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for a field that is wrong.
    pub fn parse(fields: &Fields, context: usize, d_model: usize, own: Pooling) -> Result<Self> {
        let truncate = fields.count("truncate_prompt_tokens", 1..=context as u64)?;
        let dimensions = fields.count("dimensions", 1..=d_model as u64)?;
        let base64 = match fields.text("encoding_format")? {
            None | Some("float") => false,
            Some("base64") => true,
            Some(other) => {
                return Err(Error::invalid("encoding_format", format!("must be float or base64, not {other}")));
            }
        };
        let pooling = match fields.text("pooling")? {
            None => own,
            Some(name) => *Pooling::ALL.iter().find(|kind| kind.name() == name).ok_or_else(|| {
                let names = Pooling::ALL.map(Pooling::name).join(", ");
                Error::invalid("pooling", format!("must be one of {names}, not {name}"))
            })?,
        };
        let normalize = fields.get("normalize").is_none() || fields.flag("normalize")?;
        Ok(EmbeddingsRequest { how: How { pooling, normalize }, truncate, dimensions, base64 })
    }

    /// The ids of each `input`: a text, ids, or a list of either. Texts become ids by `encode`.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for an input that is empty or something else, and those of `encode`.
    pub fn inputs(&self, fields: &Fields, encode: &dyn Fn(&str) -> Result<Vec<u32>>) -> Result<Vec<Vec<u32>>> {
        let mut sequences = inputs(fields, encode)?;
        if let Some(most) = self.truncate {
            sequences.iter_mut().for_each(|ids| cut(ids, most));
        }
        Ok(sequences)
    }

    /// The pictures of `given` that the inputs mean: `{ "image": n }`, or a list of those.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for an input that is none of them.
    pub fn pictures<'p>(&self, fields: &Fields, given: &'p [Picture]) -> Result<Vec<&'p Picture>> {
        let picture = |input: &Value| {
            let at = input["image"].as_u64().and_then(|at| usize::try_from(at).ok());
            at.and_then(|at| given.get(at)).ok_or_else(|| {
                Error::invalid("input", "must be { image } or a list of those: the model makes vectors of pictures")
            })
        };
        match fields.get("input") {
            Some(Value::Array(list)) if (1..=MOST_INPUTS).contains(&list.len()) => list.iter().map(picture).collect(),
            Some(Value::Array(list)) if list.len() > MOST_INPUTS => Err(too_many(list.len())),
            input => Ok(vec![picture(input.unwrap_or(&Value::Null))?]),
        }
    }

    /// The vectors at unit length, where the request wants them so.
    pub fn normalized(&self, mut vectors: Vec<Vec<f32>>) -> Vec<Vec<f32>> {
        if self.how.normalize {
            vectors.iter_mut().for_each(|vector| normalize(vector));
        }
        vectors
    }

    /// OpenAI's list of vectors [d_model], made from `tokens` ids by the model of that name.
    pub fn answer(&self, vectors: Vec<Vec<f32>>, model: &str, tokens: usize) -> Value {
        let data = vectors.into_iter().enumerate().map(|(index, mut vector)| {
            if let Some(n) = self.dimensions {
                shorten(&mut vector, n, self.how.normalize);
            }
            let embedding = if self.base64 { json!(to_base64(&vector)) } else { json!(vector) };
            json!({ "object": "embedding", "index": index, "embedding": embedding })
        });
        json!({
            "object": "list",
            "data": data.collect::<Vec<_>>(),
            "model": model,
            "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
        })
    }
}

fn inputs(fields: &Fields, encode: &dyn Fn(&str) -> Result<Vec<u32>>) -> Result<Vec<Vec<u32>>> {
    let wrong = || Error::invalid("input", "must be a text, a list of token ids, or a list of either");
    let other = |item: &Value| match item.get("image") {
        Some(_) => Error::invalid("input", "is a picture, but the model makes vectors of texts"),
        None => wrong(),
    };
    let text = |text: &str| match text.is_empty() {
        true => Err(Error::invalid("input", "has an empty text")),
        false => encode(text),
    };
    let ids = |list: &[Value]| ids(list).filter(|ids| !ids.is_empty()).ok_or_else(wrong);
    let list = match fields.get("input") {
        Some(Value::String(input)) => return Ok(vec![text(input)?]),
        Some(Value::Array(list)) if list.first().is_some_and(Value::is_number) => return Ok(vec![ids(list)?]),
        Some(Value::Array(list)) if (1..=MOST_INPUTS).contains(&list.len()) => list,
        Some(Value::Array(list)) if list.len() > MOST_INPUTS => {
            return Err(too_many(list.len()));
        }
        input => return Err(other(input.unwrap_or(&Value::Null))),
    };
    let item = |item: &Value| match item {
        Value::String(input) => text(input),
        Value::Array(list) => ids(list),
        item => Err(other(item)),
    };
    list.iter().map(item).collect()
}

/// The first `most` ids, with the last one (a `[SEP]`, an end of text) kept at the end.
fn cut(ids: &mut Vec<u32>, most: usize) {
    if let Some(&last) = ids.last()
        && ids.len() > most
    {
        ids.truncate(most);
        ids[most - 1] = last;
    }
}

/// The first `n` numbers (Matryoshka embeddings, Kusupati et al. 2022, <https://arxiv.org/abs/2205.13147>), of unit
/// length again if the whole was.
fn shorten(vector: &mut Vec<f32>, n: usize, normalize: bool) {
    vector.truncate(n);
    if normalize {
        self::normalize(vector);
    }
}

fn normalize(vector: &mut [f32]) {
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-12);
    vector.iter_mut().for_each(|x| *x /= norm);
}

fn too_many(items: usize) -> Error {
    Error::invalid("input", format!("has {items} items; at most {MOST_INPUTS}"))
}

/// Little-endian f32 in RFC 4648's base64, as OpenAI sends them.
fn to_base64(vector: &[f32]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    let group = |bytes: &[u8]| {
        let word = (0..3).fold(0u32, |word, i| word << 8 | u32::from(bytes.get(i).copied().unwrap_or(0)));
        let digit = |i: usize| match i <= bytes.len() {
            true => char::from(DIGITS[(word >> (18 - 6 * i)) as usize & 63]),
            false => '=',
        };
        (0..4).map(digit).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_floats() {
        assert_eq!(to_base64(&[1.0]), "AACAPw==");
        assert_eq!(to_base64(&[1.0, -2.5]), "AACAPwAAIMA=");
        assert_eq!(to_base64(&[1.0, -2.5, 0.5]), "AACAPwAAIMAAAAA/");
    }

    #[test]
    fn a_cut_keeps_the_last_token() {
        let mut ids = vec![101, 1, 2, 3, 4, 102];
        cut(&mut ids, 4);
        assert_eq!(ids, [101, 1, 2, 102]);
        cut(&mut ids, 9);
        assert_eq!(ids.len(), 4);
    }
}
