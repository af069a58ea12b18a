//! Pictures as pixels: PNG, JPEG, WebP, GIF, BMP and TIFF, the way up that they were taken.

use cresset::error::{Error, Result};
use cresset::pictures::Picture;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Bytes that a picture may take while it is decoded.
const MOST_BYTES: u64 = 1 << 30;

/// The pictures of these files.
///
/// # Errors
/// `MODEL_NOT_FOUND` where there is no such file, `INVALID_REQUEST` for one that cannot be read as a picture.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Picture>> {
    paths.iter().map(|path| read_one(path)).collect()
}

fn read_one(path: &Path) -> Result<Picture> {
    let wrong =
        |why: String| Error::invalid("--image", format!("{} cannot be read as a picture: {why}", path.display()));
    let reader = ImageReader::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::ModelNotFound { what: path.display().to_string(), hint: "".into() },
        _ => wrong(error.to_string()),
    })?;
    let mut reader = reader.with_guessed_format().map_err(|error| wrong(error.to_string()))?;
    if reader.format().is_none() {
        return Err(wrong("it is no PNG, JPEG, WebP, GIF, BMP or TIFF file".into()));
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_BYTES);
    reader.limits(limits);
    let decode = || {
        let mut decoder = reader.into_decoder()?;
        let orientation = decoder.orientation()?;
        let mut picture = DynamicImage::from_decoder(decoder)?;
        picture.apply_orientation(orientation);
        Ok(picture)
    };
    let picture = decode().map_err(|error: image::ImageError| wrong(error.to_string()))?.into_rgba8();
    Picture::from_rgba(picture.width() as usize, picture.height() as usize, picture.as_raw())
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgba, RgbaImage};

    #[test]
    fn a_file_and_what_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("dot.png");
        RgbaImage::from_pixel(2, 1, Rgba([1, 2, 3, 255])).save(&path).expect("a file");
        assert_eq!(read_one(&path).expect("a picture").pixels, [1, 2, 3, 1, 2, 3]);
        let bytes = std::fs::read(&path).expect("its bytes");
        let broken =
            [("cut.png", &bytes[..bytes.len() / 2]), ("text.png", b"no picture at all".as_slice()), ("empty.jpg", b"")];
        for (name, bytes) in broken {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("a file");
            let error = read_one(&path).err().expect(name);
            assert!(error.code() == "INVALID_REQUEST" && error.to_string().contains(name), "{error}");
        }
        assert_eq!(read_one(&folder.path().join("none.png")).err().map(|error| error.code()), Some("MODEL_NOT_FOUND"));
    }
}
