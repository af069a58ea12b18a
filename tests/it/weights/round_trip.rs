//! What the writer writes, the reader reads back; and how much the reader reads for it.

use std::cell::Cell;
use std::rc::Rc;

use cresset::quant::Format;
use cresset::weights::{
    Array, Checkpoint, DType, FileFormat, Files, GgufWriter, LocalBoxFuture, MemorySource, Metadata, Source, Value,
};
use cresset::{Error, Result};
use pollster::block_on;

use super::{code, open, refused};

fn written(writer: GgufWriter) -> Vec<u8> {
    let mut bytes = vec![];
    writer.write(&mut bytes).unwrap();
    bytes
}

/// One key of every type.
fn values() -> Vec<(&'static str, Value)> {
    vec![
        ("u8", Value::U8(200)),
        ("i8", Value::I8(-100)),
        ("u16", Value::U16(60_000)),
        ("i16", Value::I16(-30_000)),
        ("u32", 4_000_000_000u32.into()),
        ("i32", (-7).into()),
        ("u64", u64::MAX.into()),
        ("i64", Value::I64(i64::MIN)),
        ("f32", 0.1f32.into()),
        ("f64", Value::F64(0.1)),
        ("bool", true.into()),
        ("str", "Grüße, 世界 🌍\0".into()),
        ("empty", "".into()),
        ("u8s", Value::Array(Array::U8(vec![1, 255]))),
        ("i8s", Value::Array(Array::I8(vec![-1, 127]))),
        ("u16s", Value::Array(Array::U16(vec![1, 65_535]))),
        ("i16s", Value::Array(Array::I16(vec![-1, 9]))),
        ("u32s", vec![1u32, u32::MAX].into()),
        ("i32s", vec![-1, 5].into()),
        ("f32s", vec![1.5f32, -2.5].into()),
        ("bools", Value::Array(Array::Bool(vec![true, false]))),
        ("strs", vec!["a".to_owned(), String::new(), "ñ".to_owned()].into()),
        ("u64s", Value::Array(Array::U64(vec![u64::MAX]))),
        ("i64s", Value::Array(Array::I64(vec![i64::MIN]))),
        ("f64s", Value::Array(Array::F64(vec![f64::MAX]))),
        ("none", Value::Array(Array::String(vec![]))),
    ]
}

fn with_values() -> Checkpoint {
    open("a.gguf", written(values().into_iter().fold(GgufWriter::new(), |w, (key, value)| w.set(key, value)))).unwrap()
}

#[test]
fn metadata() {
    let model = with_values();
    assert_eq!(model.metadata().len(), values().len());
    for (key, value) in values() {
        assert_eq!(model.metadata().get(key), Some(&value), "{key}");
    }
}

#[test]
fn typed_getters() {
    let model = with_values();
    let meta = model.metadata();
    assert_eq!(meta.u64("absent").unwrap(), None);
    for (key, number) in [("u8", 200), ("u16", 60_000), ("u32", 4_000_000_000), ("u64", u64::MAX)] {
        assert_eq!(meta.u64(key).unwrap(), Some(number));
    }
    assert_eq!(meta.usize("u16").unwrap(), Some(60_000));
    assert_eq!(meta.f32("f32").unwrap(), Some(0.1));
    assert_eq!(meta.f32("f64").unwrap(), Some(0.1));
    assert_eq!(meta.f32("i32").unwrap(), Some(-7.0));
    assert_eq!(meta.bool("bool").unwrap(), Some(true));
    assert_eq!(meta.f32s("f64s").unwrap().unwrap()[..], [f32::INFINITY]);
    for (key, numbers) in [("i8s", [-1, 127]), ("u16s", [1, 65_535]), ("i32s", [-1, 5])] {
        assert_eq!(meta.i32s(key).unwrap().unwrap()[..], numbers);
    }
    fn wrong<T>(get: impl Fn(&Metadata, &str) -> Result<Option<T>>, meta: &Metadata, key: &str, piece: &str) {
        let error = get(meta, key).err().unwrap();
        assert_eq!(error.code(), "MODEL_FORMAT");
        assert!(error.to_string().contains(key) && error.to_string().contains(piece), "{error}");
    }
    wrong(Metadata::u64, meta, "i8", "out of range");
    wrong(Metadata::u64, meta, "f32", "must be an integer, the file has a number");
    wrong(Metadata::usize, meta, "bool", "must be an integer, the file has a boolean");
    wrong(Metadata::f32, meta, "str", "must be a number, the file has a string");
    wrong(Metadata::bool, meta, "u8", "must be a boolean, the file has an integer");
    wrong(|m, k| m.str(k).map(|x| x.map(str::len)), meta, "strs", "must be a string, the file has an array of strings");
    wrong(|m, k| m.strings(k).map(|x| x.map(<[_]>::len)), meta, "i32s", "the file has an array of integers");
    wrong(|m, k| m.f32s(k).map(|x| x.map(|x| x.len())), meta, "bools", "the file has an array of booleans");
    wrong(|m, k| m.i32s(k).map(|x| x.map(|x| x.len())), meta, "u32s", "integers that fit 32 bits");
}

#[test]
fn values_read_as_one_line() {
    let shown = |value: Value| value.to_string();
    assert_eq!(shown("a\nb".into()), r#""a\nb""#);
    assert_eq!(shown(vec![1, 2, 3, 4, 5].into()), "[1, 2, 3, 4, …] (5 elements)");
    assert_eq!(shown(0.5f32.into()), "0.5");
}

/// Every format and rank, in files of both versions, rows read one by one.
#[test]
fn tensors() {
    let shapes: [&[usize]; 6] = [&[], &[64], &[1, 32], &[3, 64], &[2, 3, 32], &[2, 1, 3, 96]];
    let mut writer = GgufWriter::new().set("general.alignment", 7u32);
    let mut expected = vec![];
    for &format in Format::ALL {
        for shape in shapes {
            let elements: usize = shape.iter().product();
            if !elements.is_multiple_of(format.block_len()) {
                continue; // scalars have no blocks
            }
            let n = expected.len();
            let bytes: Vec<u8> = (0..format.row_bytes(elements).unwrap()).map(|i| (i * 7 + n) as u8).collect();
            let name = format!("{} {shape:?}", format.name());
            writer = writer.tensor(&name, shape, format, bytes.clone());
            expected.push((name, format, shape, bytes));
        }
    }
    let mut file = written(writer);
    for version in [2, 3] {
        file[4] = version;
        let model = open("a.gguf", file.clone()).unwrap();
        assert_eq!(model.file_format(), FileFormat::Gguf { version: version.into() });
        assert_eq!(model.tensors().len(), expected.len());
        for (tensor, (name, format, shape, bytes)) in model.tensors().zip(&expected) {
            assert_eq!((&tensor.name, tensor.shape.as_slice()), (name, *shape));
            assert_eq!(tensor.dtype, DType::Known(*format));
            assert_eq!(tensor.offset % 32, 0);
            assert_eq!(&block_on(model.read_all(tensor)).unwrap(), bytes);
            let row = |i| block_on(model.read_rows(tensor, i..i + 1)).unwrap();
            assert_eq!(&(0..tensor.rows()).flat_map(row).collect::<Vec<u8>>(), bytes);
            assert_eq!(model.tensor(name), Some(tensor));
        }
    }
}

#[test]
fn writer_refuses() {
    let bad = GgufWriter::new().tensor("w", &[2, 32], Format::Q8_0, vec![0; 67]);
    assert_eq!(code(bad.write(vec![])), Some("INTERNAL"));
    let bad = GgufWriter::new().tensor("w", &[31], Format::Q4_0, vec![0; 18]);
    assert_eq!(code(bad.write(vec![])), Some("INTERNAL"));
    let full: &mut [u8] = &mut [0; 40];
    let good = GgufWriter::new().tensor("w", &[8], Format::F32, vec![0; 32]);
    assert_eq!(code(good.write(full)), Some("STORAGE"));
}

/// A source that counts what is read of it, and may misbehave.
struct Probe {
    inner: MemorySource,
    read: Rc<Cell<u64>>,
    answer: fn(Vec<u8>) -> Result<Vec<u8>>,
}

impl Source for Probe {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn read(&self, offset: u64, len: usize) -> LocalBoxFuture<'_, Result<Vec<u8>>> {
        self.read.set(self.read.get() + len as u64);
        Box::pin(async move { (self.answer)(self.inner.read(offset, len).await?) })
    }
}

fn probe(bytes: Vec<u8>, answer: fn(Vec<u8>) -> Result<Vec<u8>>) -> (Result<Checkpoint>, u64) {
    let read = Rc::new(Cell::new(0));
    let source = Probe { inner: MemorySource::new("a.gguf", bytes), read: read.clone(), answer };
    (block_on(Checkpoint::open(Files::single(source))), read.get())
}

/// A header of several MiB is read in growing steps, each byte once, and little of what follows it.
#[test]
fn large_header() {
    let tokens: Vec<String> = (0..300_000).map(|i| format!("token {i}")).collect();
    let writer =
        GgufWriter::new().set("tokens", tokens.clone()).tensor("w", &[4 << 20], Format::F32, vec![1; 16 << 20]);
    let (model, read) = probe(written(writer), Ok);
    let model = model.unwrap();
    assert_eq!(model.metadata().strings("tokens").unwrap().unwrap(), tokens);
    let header = model.tensor("w").unwrap().offset;
    assert!(header > 4 << 20 && read >= header && read <= 2 * header, "read {read} for a header of {header}");
}

#[test]
fn misbehaving_sources() {
    let file = written(GgufWriter::new().set("a", 1u32));
    refused(probe(file.clone(), |bytes| Ok(bytes[1..].to_vec())).0, "MODEL_FORMAT", "were wanted from byte 0");
    let lost = |_| Err(Error::Download { what: "a.gguf".into(), reason: "the connection broke".into() });
    refused(probe(file, lost).0, "DOWNLOAD", "the connection broke");
}
