//! Broken and absurd safetensors headers.

use cresset::weights::FileFormat;

use super::{open, refused, safetensors};

#[track_caller]
fn malformed(header: &str, data_len: usize, piece: &str) {
    refused(open("bad.safetensors", safetensors(header, &vec![0; data_len])), "MODEL_FORMAT", piece);
}

#[test]
fn good() {
    let header = r#"{"__metadata__":{"format":"pt"},
        "b":{"dtype":"BF16","shape":[2,2],"data_offsets":[16,24]},
        "a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},
        "none":{"dtype":"F16","shape":[0,4],"data_offsets":[24,24]},
        "s":{"dtype":"F8_E4M3","shape":[],"data_offsets":[24,25]},
        "n":{"dtype":"F4","shape":[2],"data_offsets":[25,26]},
        "x":{"dtype":"NEW1","shape":[3],"data_offsets":[26,28]}}   "#;
    let model = open("a name that tells nothing", safetensors(header, &[0; 28])).unwrap();
    assert_eq!(model.file_format(), FileFormat::Safetensors);
    let facts = |name: &str| {
        let tensor = model.tensor(name).unwrap();
        (tensor.dtype.to_string(), tensor.shape.clone(), tensor.bytes, tensor.rows())
    };
    assert_eq!(facts("a"), ("f32".into(), vec![4], 16, 1));
    assert_eq!(facts("b"), ("bf16".into(), vec![2, 2], 8, 2));
    assert_eq!(facts("none"), ("f16".into(), vec![0, 4], 0, 0));
    assert_eq!(facts("s"), ("F8_E4M3".into(), vec![], 1, 1));
    assert_eq!(facts("x"), ("NEW1".into(), vec![3], 2, 1));
    assert_eq!(open("empty.safetensors", safetensors("{}", &[])).unwrap().tensors().len(), 0);
}

#[test]
fn lengths() {
    let bad = |bytes: &[u8], piece: &str| refused(open("bad.safetensors", bytes), "MODEL_FORMAT", piece);
    bad(b"\x10\0\0", "truncated: it has only 3 bytes");
    bad(&u64::MAX.to_le_bytes(), "at most 100000000 are allowed");
    bad(&100_000_001u64.to_le_bytes(), "at most 100000000 are allowed");
    bad(&100_000_000u64.to_le_bytes(), "its header ends at byte 100000008, but the file has 8 bytes");
    bad(&safetensors("{}", &[])[..9], "its header ends at byte 10, but the file has 9");
    bad(&0u64.to_le_bytes(), "not what safetensors prescribes");
}

#[test]
fn headers() {
    let one = |entry: &str| format!(r#"{{"w":{entry}}}"#);
    let tensor = |dtype: &str, shape: &str, offsets: &str| {
        one(&format!(r#"{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}"#))
    };
    for json in ["[]", "{", "null", "{\"w\":1}", "{}{}", "\"\\ud800\"", "{\"__metadata__\":{\"a\":1}}"] {
        malformed(json, 0, "not what safetensors prescribes");
    }
    malformed(&"[".repeat(100_000), 0, "not what safetensors prescribes");
    malformed(&one(r#"{"dtype":"F32","shape":[1]}"#), 4, "missing field `data_offsets`");
    malformed(&tensor("F32", "[-1]", "[0,4]"), 4, "not what safetensors prescribes");
    malformed(&tensor("F32", "[1.5]", "[0,4]"), 4, "not what safetensors prescribes");
    malformed(&tensor("F32", "[99999999999999999999]", "[0,4]"), 4, "not what safetensors prescribes");
    malformed(&tensor("F32", "[1]", "[0,4,8]"), 4, "not what safetensors prescribes");
    malformed(&tensor("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, r#"tensor "w" has 9 dimensions"#);
    malformed(&tensor("F32", "[4294967296,4294967296,4294967296]", "[0,4]"), 4, "absurd shape");
    malformed(&tensor("F32", "[9223372036854775808,2,0]", "[0,0]"), 0, "absurd shape");
    malformed(&tensor("F32", "[2]", "[0,4]"), 4, r#"tensor "w" has shape [2] of F32, but 4 bytes"#);
    malformed(&tensor("F4", "[3]", "[0,1]"), 1, r#"tensor "w" has shape [3] of F4, but 1 bytes"#);
    malformed(&tensor("F32", "[1]", "[4,0]"), 4, "before its start");
    malformed(&tensor("F32", "[2]", "[0,8]"), 4, "truncated or corrupt");
    malformed(&tensor("F32", "[1]", "[18446744073709551612,18446744073709551615]"), 4, "truncated or corrupt");
    malformed(&tensor("F32", "[1]", "[4,8]"), 8, "leaves a gap");
    malformed(&tensor("F32", "[1]", "[0,4]"), 8, "the tensors end at byte");

    let entry = |offsets: &str| format!(r#"{{"dtype":"U8","shape":[4],"data_offsets":{offsets}}}"#);
    let two = |name: &str, offsets: &str| format!(r#"{{"a":{},"{name}":{}}}"#, entry("[0,4]"), entry(offsets));
    malformed(&two("b", "[2,6]"), 6, r#"tensor "b" overlaps"#);
    malformed(&two("b", "[0,4]"), 4, "overlaps");
    malformed(&two("a", "[4,8]"), 8, r#"the tensor "a" occurs twice"#);
    malformed(r#"{"a":{"dtype":"U8","dtype":"I8","shape":[],"data_offsets":[0,1]}}"#, 1, "duplicate field");
    malformed(r#"{"__metadata__":{},"__metadata__":{}}"#, 0, "__metadata__ occurs twice");
    malformed(&two(&"b".repeat(1025), "[4,8]"), 8, "a tensor has a name of 1025 bytes");
    malformed(&tensor(&"F".repeat(33), "[1]", "[0,4]"), 4, "a type whose name takes 33 bytes");
}
