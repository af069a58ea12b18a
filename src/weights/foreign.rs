//! Files that are no models, told by their first bytes, so that the error can name them.

/// A sentence about what these first bytes of a file are, if they are a known kind of file that holds no GGUF or safetensors.
pub(super) fn recognise(head: &[u8]) -> Option<&'static str> {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    Some(match head {
        [] => "the file is empty",
        _ if text.starts_with(b"<") => {
            "this is a web page, not a model file; the address may need a login or point to a page about the file"
        }
        _ if head.starts_with(b"version https://git-lfs") => {
            "this is a Git LFS pointer: the file itself was not downloaded (git lfs pull fetches it)"
        }
        _ if head.starts_with(b"PK\x03\x04") => {
            "this is a zip archive (PyTorch .bin and .pt files are); Cresset reads GGUF and safetensors"
        }
        [0x80, 2..=5, ..] => "this is a Python pickle (an old PyTorch file); Cresset reads GGUF and safetensors",
        // The protobuf of an ONNX model opens with field 1, ir_version, then producer, domain or graph as bytes.
        [0x08, 1..=20, 0x12 | 0x1a | 0x22 | 0x32 | 0x3a, ..] => {
            "this is an ONNX model; Cresset reads GGUF and safetensors"
        }
        [_, _, _, _, b'T', b'F', b'L', b'3', ..] => {
            "this is a TensorFlow Lite model; Cresset reads GGUF and safetensors"
        }
        _ if head.starts_with(b"\x89HDF") => "this is an HDF5 file (Keras); Cresset reads GGUF and safetensors",
        _ if head.starts_with(b"\x1f\x8b") => "this is a gzip archive; unpack it first",
        // ggml, ggmf, ggjt, ggla: the magic was a little-endian number.
        [b'l' | b'f' | b't' | b'a', b'm' | b'j' | b'l', b'g', b'g', ..] => {
            "this is a GGML file from before GGUF; convert it or download a GGUF"
        }
        _ => return None,
    })
}
