//! Safetensors headers and the index of sharded files: bytes in, tables out.
//! Format: an 8-byte little-endian length, that many bytes of JSON, then the data, without holes.
//! (huggingface/safetensors, README "Format".)

use cresset_numerics::sort_by;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use crate::quant::Format;
use crate::{Error, Result};

use super::gguf::{MAX_NAME, MAX_TENSORS};
use super::source::{Source, read_exact};
use super::tensor::{DType, TensorInfo, count};

/// The reference implementation's limit.
const MAX_HEADER: u64 = 100_000_000;
const MAX_DIMS: usize = 8;
/// Bytes of a type's name; the longest so far have seven.
const MAX_DTYPE: usize = 32;

/// Whether these first bytes open a safetensors file: a length, then a JSON object.
pub(super) fn recognise(head: &[u8]) -> bool {
    matches!(head, [_, _, _, _, _, 0, 0, 0, b'{', ..])
}

/// Reads the header of a source whose first bytes are `head`. `file` is 0 in all the tensors.
pub(super) async fn read(source: &dyn Source, mut head: Vec<u8>) -> Result<Vec<TensorInfo>> {
    let (name, file_len) = (source.name(), source.len());
    let Some(&length) = head.first_chunk::<8>() else {
        return Err(Error::format(name, format!("the file is truncated: it has only {file_len} bytes")));
    };
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER {
        return Err(Error::format(name, format!("the header claims {length} bytes; at most {MAX_HEADER} are allowed")));
    }
    let data = 8 + length;
    if data > file_len {
        let why = format!("the file is truncated: its header ends at byte {data}, but the file has {file_len} bytes");
        return Err(Error::format(name, why));
    }
    let have = head.len() as u64;
    if have < data {
        head.extend(read_exact(source, have, (data - have) as usize).await?);
    }
    parse(name, &head[8..data as usize], data, file_len)
}

/// `data` is where the data starts.
fn parse(file: &str, json: &[u8], data: u64, file_len: u64) -> Result<Vec<TensorInfo>> {
    let header: Header = serde_json::from_slice(json)
        .map_err(|error| json_error(file, "the header is not what safetensors prescribes", &error))?;
    let mut tensors = header
        .tensors
        .into_iter()
        .map(|(name, entry)| tensor(file, name, entry, data, file_len))
        .collect::<Result<Vec<_>>>()?;
    sort_by(&mut tensors, |a, b| (a.offset, a.bytes).cmp(&(b.offset, b.bytes)));
    let mut end = data;
    for tensor in &tensors {
        if tensor.offset != end {
            let relation = if tensor.offset < end { "overlaps" } else { "leaves a gap after" };
            let why = format!("tensor {:?} {relation} the data before it; the file is corrupt", tensor.name);
            return Err(Error::format(file, why));
        }
        end += tensor.bytes;
    }
    if end != file_len {
        let why = format!("the tensors end at byte {end}, but the file has {file_len} bytes");
        return Err(Error::format(file, why));
    }
    Ok(tensors)
}

/// The JSON parser's message, cut short: it repeats parts of the file, which may be long.
fn json_error(file: &str, what: &str, error: &serde_json::Error) -> Error {
    const SHOWN: usize = 300;
    let error: String = error.to_string().chars().take(SHOWN).collect();
    Error::format(file, format!("{what}: {error}"))
}

fn tensor(file: &str, name: String, entry: Entry, data: u64, file_len: u64) -> Result<TensorInfo> {
    let bad = |why: String| Err(Error::format(file, format!("tensor {name:?} {why}")));
    let [start, end] = entry.data_offsets;
    if start > end {
        return bad(format!("ends at {end}, before its start at {start}"));
    }
    if end > file_len - data {
        let have = file_len - data;
        return bad(format!("ends at byte {end} of the data, but the file has {have}: it is truncated or corrupt"));
    }
    if entry.dtype.len() > MAX_DTYPE {
        return bad(format!("has a type whose name takes {} bytes", entry.dtype.len()));
    }
    if entry.shape.len() > MAX_DIMS {
        return bad(format!("has {} dimensions; at most {MAX_DIMS} are allowed", entry.shape.len()));
    }
    let shape = entry.shape.iter().map(|&dim| usize::try_from(dim).ok()).collect::<Option<Vec<_>>>();
    let Some((shape, elements)) = shape.and_then(|shape| count(&shape).map(|n| (shape, n))) else {
        return bad(format!("has an absurd shape, {:?}", entry.shape));
    };
    let bytes = end - start;
    if let Some(bits) = bits(&entry.dtype) {
        let want = (elements as u64).checked_mul(bits).filter(|n| n % 8 == 0).map(|n| n / 8);
        if want != Some(bytes) {
            return bad(format!("has shape {shape:?} of {}, but {bytes} bytes", entry.dtype));
        }
    }
    let dtype = match entry.dtype.as_str() {
        "F32" => DType::Known(Format::F32),
        "F16" => DType::Known(Format::F16),
        "BF16" => DType::Known(Format::BF16),
        _ => DType::Other(entry.dtype),
    };
    Ok(TensorInfo { name, shape, dtype, file: 0, offset: data + start, bytes })
}

/// Bits of one number. A type that is not listed has a size that cannot be checked.
fn bits(dtype: &str) -> Option<u64> {
    Some(match dtype {
        "F4" => 4,
        "F6_E2M3" | "F6_E3M2" => 6,
        "BOOL" | "U8" | "I8" | "F8_E5M2" | "F8_E4M3" | "F8_E8M0" => 8,
        "U16" | "I16" | "F16" | "BF16" => 16,
        "U32" | "I32" | "F32" => 32,
        "U64" | "I64" | "F64" | "C64" => 64,
        _ => return None,
    })
}

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// The JSON of the header. A map type would let the last of two equal names win silently.
struct Header {
    tensors: BTreeMap<String, Entry>,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object with one entry for each tensor")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut tensors = BTreeMap::new();
                let mut free_text = false;
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        if std::mem::replace(&mut free_text, true) {
                            return Err(A::Error::custom("__metadata__ occurs twice"));
                        }
                        // Strings of the writer's own, or null (MLX); nothing here reads them.
                        map.next_value::<Option<HashMap<String, String>>>()?;
                    } else if name.len() > MAX_NAME {
                        return Err(A::Error::custom(format!("a tensor has a name of {} bytes", name.len())));
                    } else if tensors.len() as u64 == MAX_TENSORS {
                        return Err(A::Error::custom("there are too many tensors"));
                    } else {
                        let entry = map.next_value()?;
                        if tensors.contains_key(&name) {
                            return Err(A::Error::custom(format!("the tensor {name:?} occurs twice")));
                        }
                        tensors.insert(name, entry);
                    }
                }
                Ok(Header { tensors })
            }
        }
        deserializer.deserialize_map(Names)
    }
}

/// `*.safetensors.index.json`: which file holds which tensor.
#[derive(Deserialize)]
pub(super) struct Index {
    pub weight_map: BTreeMap<String, String>,
}

impl Index {
    pub(super) fn parse(file: &str, json: &str) -> Result<Index> {
        let index: Index = serde_json::from_str(json)
            .map_err(|error| json_error(file, "this is not an index of safetensors files", &error))?;
        match index.weight_map.iter().flat_map(|(tensor, file)| [tensor.len(), file.len()]).max() {
            Some(n) if n > MAX_NAME => Err(Error::format(file, format!("the index has a name of {n} bytes"))),
            _ => Ok(index),
        }
    }
}
