//! Files that are no models, told by their first bytes, so that the error can name them and say what to do.

/// What a person can do with a model in another program's format.
macro_rules! of_another_program {
    ($what:literal) => {
        concat!(
            "this is ",
            $what,
            "; Cresset reads GGUF and safetensors: look for such a file of the same model, or convert it"
        )
    };
}

/// What a person can do with a file of another purpose.
macro_rules! no_model {
    ($what:literal) => {
        concat!("this is ", $what, ", not a model; choose a .gguf or .safetensors file")
    };
}

/// What a person can do with a file in which a model may be.
macro_rules! packed {
    ($what:literal) => {
        concat!("this is ", $what, "; unpack it first")
    };
}

/// A sentence about what these first bytes of a file are, if they are a known kind of file that holds no GGUF or safetensors.
pub(super) fn recognise(head: &[u8]) -> Option<&'static str> {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    Some(match head {
        [] => "the file is empty",
        _ if text.starts_with(b"<svg") || text.starts_with(b"<?xml") => no_model!("an XML file or an SVG image"),
        _ if text.starts_with(b"<") => {
            "this is a web page, not a model file; the address may need a login or point to a page about the file"
        }
        _ if head.starts_with(b"version https://git-lfs") => {
            "this is a Git LFS pointer: the file itself was not downloaded (git lfs pull fetches it)"
        }
        _ if head.starts_with(b"PK\x03\x04") => zip(head),
        [0x80, 2..=5, ..] => of_another_program!("a Python pickle (an old PyTorch file)"),
        // The protobuf of an ONNX model opens with field 1, ir_version, then producer, domain or graph as bytes.
        [0x08, 1..=20, 0x12 | 0x1a | 0x22 | 0x32 | 0x3a, ..] => of_another_program!("an ONNX model"),
        [_, _, _, _, b'T', b'F', b'L', b'3', ..] => of_another_program!("a TensorFlow Lite model"),
        _ if head.starts_with(b"\x89HDF") => of_another_program!("an HDF5 file (Keras)"),
        _ if head.starts_with(b"\x93NUMPY") => of_another_program!("a NumPy array"),
        // ggml, ggmf, ggjt, ggla: the magic was a little-endian number.
        [b'l' | b'f' | b't' | b'a', b'm' | b'j' | b'l', b'g', b'g', ..] => {
            "this is a GGML file from before GGUF; convert it or download a GGUF"
        }
        _ if head.starts_with(b"\x1f\x8b") => packed!("a gzip archive"),
        _ if head.starts_with(b"BZh") => packed!("a bzip2 archive"),
        _ if head.starts_with(b"\xfd7zXZ\0") => packed!("an xz archive"),
        _ if head.starts_with(b"\x28\xb5\x2f\xfd") => packed!("a Zstandard archive"),
        _ if head.starts_with(b"7z\xbc\xaf\x27\x1c") => packed!("a 7-Zip archive"),
        _ if head.starts_with(b"Rar!\x1a\x07") => packed!("a RAR archive"),
        _ if head.get(257..262) == Some(b"ustar") => packed!("a tar archive"),
        _ if head.starts_with(b"%PDF-") => no_model!("a PDF document"),
        _ if is_image(head) => no_model!("an image"),
        _ if is_sound_or_film(head) => no_model!("a sound or video file"),
        _ if is_program(head) => no_model!("a program"),
        _ if head.starts_with(b"SQLite format 3\0") => no_model!("a SQLite database"),
        _ if head.starts_with(b"PAR1") => no_model!("a Parquet table"),
        _ => return None,
    })
}

/// A zip archive, by the first of what is in it.
fn zip(head: &[u8]) -> &'static str {
    // Names lie in the headers of entries, whose first two the beginning of the file usually has.
    let names = |name: &[u8]| head[..head.len().min(512)].windows(name.len()).any(|bytes| bytes == name);
    if names(b"data.pkl") {
        of_another_program!("a PyTorch file (.bin, .pt, .pth)")
    } else if names(b".npy") {
        of_another_program!("NumPy's or MLX's archive of arrays (.npz)")
    } else if names(b"[Content_Types].xml") || names(b"mimetype") {
        no_model!("an office document")
    } else {
        "this is a zip archive; unpack it if there is a model in it: Cresset reads GGUF and safetensors"
    }
}

fn is_image(head: &[u8]) -> bool {
    // The last are BMP with its reserved zeros, and HEIC and AVIF.
    let starts: [&[u8]; 6] = [b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"8BPS"];
    starts.iter().any(|start| head.starts_with(start))
        || (head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP"))
        || (head.starts_with(b"BM") && head.get(6..10) == Some(&[0; 4]))
        || (head.get(4..8) == Some(b"ftyp")
            && [b"heic", b"heix", b"mif1", b"avif"].iter().any(|kind| head.get(8..12) == Some(&kind[..])))
}

fn is_sound_or_film(head: &[u8]) -> bool {
    // MP3 with its tag and without, FLAC, Ogg, Matroska and WebM.
    let starts: [&[u8]; 6] = [b"ID3", b"\xff\xfb", b"\xff\xf3", b"fLaC", b"OggS", b"\x1aE\xdf\xa3"];
    starts.iter().any(|start| head.starts_with(start))
        || (head.starts_with(b"RIFF") && [&b"WAVE"[..], b"AVI "].iter().any(|&kind| head.get(8..12) == Some(kind)))
        || head.get(4..8) == Some(b"ftyp")
}

fn is_program(head: &[u8]) -> bool {
    // Linux, Windows, WebAssembly, macOS of one and of several processors, scripts.
    let starts: [&[u8]; 6] = [b"\x7fELF", b"MZ\x90\0", b"\0asm", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"#!/"];
    starts.iter().any(|start| head.starts_with(start))
}

/// Advice where there are files of these names, and none of a format that is read: from a semicolon on, or empty.
pub(super) fn advice<'a>(mut names: impl Iterator<Item = &'a str>) -> &'static str {
    const OTHERS: [&str; 9] = [".bin", ".pt", ".pth", ".ckpt", ".onnx", ".h5", ".msgpack", ".tflite", ".npz"];
    match names.any(|name| OTHERS.iter().any(|end| name.to_ascii_lowercase().ends_with(end))) {
        true => {
            "; its weights are in another program's format: look for a .gguf or .safetensors file of the same model, or convert it"
        }
        false => "",
    }
}
