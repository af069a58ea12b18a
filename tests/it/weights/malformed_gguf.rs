//! Broken, absurd and foreign files in GGUF's place: each gets its code and a sentence.

use cresset::quant::Format;
use cresset::weights::GgufWriter;

use super::{open, refused};

/// A GGUF header, built entry by entry without any care.
struct Raw {
    keys: Vec<Vec<u8>>,
    tensors: Vec<Vec<u8>>,
    data: usize,
}

fn string(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text].concat()
}

impl Raw {
    fn new() -> Raw {
        Raw { keys: vec![], tensors: vec![], data: 0 }
    }

    fn key(mut self, key: &[u8], kind: u32, value: &[u8]) -> Raw {
        self.keys.push([&string(key), &kind.to_le_bytes()[..], value].concat());
        self
    }

    fn array(self, kind: u32, len: u64, items: &[u8]) -> Raw {
        self.key(b"list", 9, &[&kind.to_le_bytes(), &len.to_le_bytes()[..], items].concat())
    }

    fn tensor(mut self, name: &[u8], dims: &[u64], kind: u32, offset: u64) -> Raw {
        let dims_bytes: Vec<u8> = dims.iter().flat_map(|dim| dim.to_le_bytes()).collect();
        let n_dims = dims.len() as u32;
        self.tensors.push(
            [&string(name), &n_dims.to_le_bytes()[..], &dims_bytes, &kind.to_le_bytes(), &offset.to_le_bytes()]
                .concat(),
        );
        self
    }

    /// Bytes after the aligned end of the header.
    fn data(mut self, n: usize) -> Raw {
        self.data = n;
        self
    }

    fn bytes(self) -> Vec<u8> {
        let (n_tensors, n_keys) = (self.tensors.len() as u64, self.keys.len() as u64);
        let mut bytes = header(3, n_tensors, n_keys);
        bytes.extend(self.keys.concat());
        bytes.extend(self.tensors.concat());
        if self.data > 0 {
            bytes.resize(bytes.len().next_multiple_of(32) + self.data, 0);
        }
        bytes
    }
}

fn header(version: u32, n_tensors: u64, n_keys: u64) -> Vec<u8> {
    [b"GGUF", &version.to_le_bytes()[..], &n_tensors.to_le_bytes(), &n_keys.to_le_bytes()].concat()
}

#[track_caller]
fn malformed(raw: Raw, piece: &str) {
    refused(open("bad.gguf", raw.bytes()), "MODEL_FORMAT", piece);
}

#[test]
fn headers() {
    let bad = |bytes: Vec<u8>, code: &str, piece: &str| refused(open("bad.gguf", bytes), code, piece);
    bad(vec![], "MODEL_FORMAT", "the file is empty");
    bad(b"GGU".to_vec(), "MODEL_FORMAT", "the file is truncated or corrupt: the header needs 4 bytes");
    bad(b"GGUX\x03\0\0\0".to_vec(), "MODEL_FORMAT", "does not start with GGUF");
    bad(header(1, 0, 0), "MODEL_UNSUPPORTED", "GGUF version 1 is not supported");
    bad(header(4, 0, 0), "MODEL_UNSUPPORTED", "GGUF version 4");
    bad(header(0, 0, 0), "MODEL_UNSUPPORTED", "GGUF version 0");
    bad(header(3u32.swap_bytes(), 0, 0), "MODEL_UNSUPPORTED", "big-endian GGUF");
    bad(header(3, u64::MAX, 0), "MODEL_FORMAT", "absurd");
    bad(header(3, 0, u64::MAX), "MODEL_FORMAT", "absurd");
    bad(header(3, 1 << 18, 0), "MODEL_FORMAT", "the file is truncated or corrupt: the entry of tensor 1");
    bad(header(3, 0, 1 << 16), "MODEL_FORMAT", "the file is truncated or corrupt: key 1");
    assert_eq!(open("empty but well-formed.gguf", header(3, 0, 0)).unwrap().tensors().len(), 0);
}

#[test]
fn keys() {
    malformed(Raw::new().key(b"", 4, &[0; 4]), "key 1 has no name");
    malformed(Raw::new().key(&[b'k'; 1025], 4, &[0; 4]), "a name of 1025 bytes");
    malformed(Raw::new().key(b"twice", 4, &[0; 4]).key(b"twice", 0, &[0]), r#"the key "twice" occurs twice"#);
    malformed(Raw::new().key(b"odd", 13, &[0; 8]), r#"the value of key "odd" has the unknown type 13"#);
    malformed(Raw::new().key(b"flag", 7, &[2]), r#"key "flag" should be 0 or 1"#);
    malformed(Raw::new().key(b"text", 8, &u64::MAX.to_le_bytes()), r#"the length of key "text" is absurd"#);
    malformed(Raw::new().key(b"text", 8, &(1u64 << 40).to_le_bytes()), r#"truncated or corrupt: key "text""#);
    malformed(Raw::new().key(b"short", 10, &[0; 7]), r#"truncated or corrupt: key "short""#);
}

/// As llama.cpp, which knows bytes alone.
#[test]
fn bytes_that_are_no_utf8_are_marked() {
    let raw = Raw::new().key(b"\xff\xfe", 4, &[7, 0, 0, 0]).key(b"text", 8, &string(b"a\x80"));
    let model = open("odd.gguf", raw.tensor(b"w\xc3", &[4], 0, 0).data(32).bytes()).unwrap();
    assert_eq!(model.metadata().u64("\u{fffd}\u{fffd}").unwrap(), Some(7));
    assert_eq!(model.metadata().str("text").unwrap(), Some("a\u{fffd}"));
    assert_eq!(model.tensor("w\u{fffd}").unwrap().bytes, 16);
}

/// A tensor without numbers takes no place: another one may begin where it does.
#[test]
fn empty_tensors_overlap_nothing() {
    for (first, second) in [([4, 1], [4, 0]), ([4, 0], [4, 1])] {
        let raw = Raw::new().tensor(b"a", &first, 0, 0).tensor(b"b", &second, 0, 0).data(32);
        assert_eq!(open("empty.gguf", raw.bytes()).unwrap().tensors().len(), 2);
    }
}

#[test]
fn arrays() {
    malformed(Raw::new().array(9, 1, &[0; 12]), r#"key "list" is an array of arrays"#);
    malformed(Raw::new().array(77, 1, &[0; 12]), r#"key "list" is an array of the unknown type 77"#);
    malformed(Raw::new().array(7, 2, &[1, 3]), "should be 0 or 1");
    for kind in [0, 4, 7, 8, 10, 12] {
        malformed(Raw::new().array(kind, 1 << 50, &[0; 64]), r#"key "list""#);
        malformed(Raw::new().array(kind, u64::MAX, &[0; 64]), r#"key "list""#);
    }
    malformed(Raw::new().array(8, 2, &string(b"the second is missing")), r#"truncated or corrupt: key "list""#);
}

#[test]
fn tensors() {
    let tensor = |dims: &[u64], kind, offset| Raw::new().tensor(b"w", dims, kind, offset).data(256);
    assert_eq!(open("good.gguf", tensor(&[8, 8], 0, 0).bytes()).unwrap().tensor("w").unwrap().bytes, 256);
    malformed(tensor(&[1; 5], 0, 0), r#"tensor "w" has 5 dimensions"#);
    assert_eq!(open("empty.gguf", tensor(&[8, 0], 0, 0).bytes()).unwrap().tensor("w").unwrap().bytes, 0);
    malformed(tensor(&[0, 1 << 62, 4], 0, 0), r#"tensor "w" has an absurd shape"#);
    malformed(tensor(&[1 << 32, 1 << 32], 0, 0), r#"tensor "w" has an absurd shape"#);
    malformed(tensor(&[1 << 62], 0, 0), r#"tensor "w" has an absurd shape"#);
    malformed(tensor(&[u64::MAX; 4], 0, 0), r#"tensor "w" has an absurd shape"#);
    malformed(tensor(&[48, 2], 8, 0), r#"tensor "w" has rows of 48 weights, but q8_0 packs 32 in a block"#);
    malformed(tensor(&[64], 12, 0), "q4_k packs 256 in a block");
    malformed(tensor(&[], 2, 0), "q4_0 packs 32 in a block");
    malformed(tensor(&[4], 0, 8), "which is not a multiple of 32");
    malformed(tensor(&[65], 0, 0), r#"truncated or corrupt: tensor "w" ends at byte"#);
    malformed(tensor(&[4], 0, 256), r#"truncated or corrupt: tensor "w" ends at byte"#);
    malformed(tensor(&[4], 0, u64::MAX - 31), r#"tensor "w" has an absurd offset"#);
    malformed(Raw::new().tensor(b"", &[4], 0, 0).data(32), "the entry of tensor 1 has no name");
    for kind in [4, 5, 31, 99, u32::MAX] {
        let piece = format!(r#"the type of tensor "w", ggml type {kind}, is not supported"#);
        refused(open("bad.gguf", tensor(&[4], kind, 0).bytes()), "MODEL_UNSUPPORTED", &piece);
    }
    let two = |second: &[u8], offset| Raw::new().tensor(b"a", &[16], 0, 0).tensor(second, &[16], 0, offset).data(128);
    assert_eq!(open("good.gguf", two(b"b", 64).bytes()).unwrap().tensors().len(), 2);
    malformed(two(b"b", 32), r#"tensors "a" and "b" overlap"#);
    malformed(two(b"b", 0), r#"overlap"#);
    malformed(two(b"a", 64), r#"tensor "a" occurs twice"#);
}

#[test]
fn alignments() {
    let aligned = |alignment: u32, offset| {
        let key = Raw::new().key(b"general.alignment", 4, &alignment.to_le_bytes());
        key.tensor(b"a", &[1], 24, 0).tensor(b"b", &[1], 24, offset).data(256)
    };
    for (alignment, offset) in [(1, 1), (2, 6), (8, 8), (64, 64)] {
        assert_eq!(open("good.gguf", aligned(alignment, offset).bytes()).unwrap().tensors().len(), 2);
    }
    malformed(aligned(64, 32), "not a multiple of 64");
    for alignment in [0, 3, 48, u32::MAX, 1 << 31] {
        malformed(aligned(alignment, 0), &format!("general.alignment is {alignment}"));
    }
    malformed(Raw::new().key(b"general.alignment", 8, &string(b"32")), "general.alignment must be an integer");
}

/// Cut anywhere, a file is refused as truncated; with a byte too many it is fine.
#[test]
fn truncated_anywhere() {
    let mut file = vec![];
    let writer = GgufWriter::new().set("name", "tiny").set("list", vec!["a".to_owned(), "b".to_owned()]);
    let writer = writer.tensor("a", &[2, 32], Format::Q8_0, vec![7; 68]).tensor("b", &[8], Format::F32, vec![0; 32]);
    writer.write(&mut file).unwrap();
    for n in 1..file.len() {
        refused(open("cut.gguf", &file[..n]), "MODEL_FORMAT", "truncated");
    }
    file.push(0);
    assert_eq!(open("more.gguf", file).unwrap().tensors().len(), 2);
}

#[test]
fn foreign_files() {
    for (head, piece) in [
        (&b"<!DOCTYPE html><html>"[..], "this is a web page, not a model file"),
        (b"\xef\xbb\xbf\r\n <html>", "this is a web page"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:",
            "Git LFS pointer: the file itself was not downloaded",
        ),
        (b"PK\x03\x04\0\0archive/data.pkl", "a PyTorch file (.bin, .pt, .pth); Cresset reads GGUF and safetensors"),
        (b"PK\x03\x04\0\0weights.npy", "archive of arrays (.npz)"),
        (b"PK\x03\x04\0\0[Content_Types].xml", "an office document, not a model"),
        (b"PK\x03\x04\0\0holiday.txt", "zip archive; unpack it"),
        (b"\x80\x02}q\x00(X\x05\0\0\0", "Python pickle"),
        (b"\x08\x07\x12\x07pytorch", "ONNX"),
        (b"\x1c\0\0\0TFL3\0\0", "TensorFlow Lite"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x93NUMPY\x01\0", "a NumPy array"),
        (b"\x1f\x8b\x08\0\0\0", "a gzip archive; unpack it first"),
        (b"BZh91AY", "bzip2"),
        (b"\xfd7zXZ\0\0", "an xz archive"),
        (b"\x28\xb5\x2f\xfd\x04", "Zstandard"),
        (b"7z\xbc\xaf\x27\x1c\0", "7-Zip"),
        (b"Rar!\x1a\x07\x01\0", "RAR"),
        (b"%PDF-1.7\n", "a PDF document, not a model; choose a .gguf or .safetensors file"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "an image, not a model"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "an image"),
        (b"GIF89a", "an image"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "an image"),
        (b"BM\x36\x10\0\0\0\0\0\0", "an image"),
        (b"\0\0\0\x1cftypavif", "an image"),
        (b"<?xml version=\"1.0\"?><svg>", "an XML file or an SVG image"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "a sound or video file"),
        (b"ID3\x04\0\0", "a sound or video file"),
        (b"\0\0\0\x18ftypisom", "a sound or video file"),
        (b"\x7fELF\x02\x01", "a program"),
        (b"SQLite format 3\0", "a SQLite database"),
        (b"PAR1\x15\0", "a Parquet table"),
        (b"tjgg\x03\0\0\0", "GGML file from before GGUF"),
    ] {
        for name in ["model.gguf", "model.safetensors", "model.bin"] {
            refused(open(name, head), "MODEL_FORMAT", piece);
        }
    }
    let mut tar = vec![b'a'; 512];
    tar[257..262].copy_from_slice(b"ustar");
    refused(open("model.gguf", tar), "MODEL_FORMAT", "a tar archive");
    refused(open("download", b"{\"error\": \"gated\"}"), "MODEL_FORMAT", "this is a JSON file, not weights");
    refused(open("download", b"plain text"), "MODEL_FORMAT", "neither a GGUF nor a safetensors file");
}
