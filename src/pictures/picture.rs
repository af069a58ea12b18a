//! A picture's pixels, decoded by whoever gives it: the page by its platform, the terminal by a library.

use crate::error::{Error, Result};

/// Red, green and blue, 8 bits each.
#[derive(Clone, PartialEq)]
pub struct Picture {
    /// Pixels of a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// [height, width, 3]
    pub pixels: Vec<u8>,
}

/// Pixels that a picture may have: 100 million take 300 MB.
const MOST_PIXELS: usize = 100_000_000;

impl Picture {
    /// Of bytes [height, width, 4]: red, green, blue and opacity, before it is multiplied with them. What is transparent shows white.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for a picture without pixels, with too many, or with another number of bytes.
    pub fn from_rgba(width: usize, height: usize, rgba: &[u8]) -> Result<Picture> {
        let pixels = width.checked_mul(height).filter(|pixels| (1..=MOST_PIXELS).contains(pixels));
        if pixels.and_then(|pixels| pixels.checked_mul(4)) != Some(rgba.len()) {
            let what = format!(
                "is {width} × {height} with {} bytes; a picture has 1 to {MOST_PIXELS} pixels of 4 bytes",
                rgba.len()
            );
            return Err(Error::invalid("image", what));
        }
        let on_white = |colour: u8, opacity: u8| {
            let opacity = u32::from(opacity);
            ((u32::from(colour) * opacity + 255 * (255 - opacity) + 127) / 255) as u8
        };
        let pixels =
            rgba.as_chunks::<4>().0.iter().flat_map(|&[r, g, b, a]| [r, g, b].map(|colour| on_white(colour, a)));
        Ok(Picture { width, height, pixels: pixels.collect() })
    }

    /// A rectangle of it, `size` = [height, width], from `top` and `left` on; what lies outside is black.
    pub fn cut(&self, [top, left]: [isize; 2], [height, width]: [usize; 2]) -> Picture {
        let mut pixels = vec![0; 3 * height * width];
        for (y, row) in pixels.chunks_exact_mut(3 * width).enumerate() {
            let Some(from) = (top + y as isize).try_into().ok().filter(|y: &usize| *y < self.height) else { continue };
            let first = left.clamp(0, self.width as isize) as usize;
            let last = (left + width as isize).clamp(0, self.width as isize) as usize;
            if first < last {
                let at = (first as isize - left) as usize;
                let own = &self.pixels[3 * (from * self.width + first)..3 * (from * self.width + last)];
                row[3 * at..3 * at + own.len()].copy_from_slice(own);
            }
        }
        Picture { width, height, pixels }
    }

    /// A hash of its size and pixels: FNV-1a (Fowler, Noll, Vo), eight bytes at a time.
    pub fn hash(&self) -> u64 {
        let words = self.pixels.chunks(8).map(|bytes| {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            u64::from_le_bytes(word)
        });
        let step = |hash: u64, word: u64| {
            let mixed = (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3);
            mixed ^ (mixed >> 32)
        };
        [self.width as u64, self.height as u64].into_iter().chain(words).fold(0xcbf2_9ce4_8422_2325, step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_transparent_shows_white() {
        let picture = Picture::from_rgba(3, 1, &[10, 20, 30, 255, 10, 20, 30, 0, 0, 100, 255, 51]).expect("a picture");
        assert_eq!(picture.pixels, [10, 20, 30, 255, 255, 255, 204, 224, 255]);
        assert_eq!(Picture::from_rgba(0, 4, &[]).err().map(|error| error.code()), Some("INVALID_REQUEST"));
        assert_eq!(Picture::from_rgba(2, 2, &[0; 15]).err().map(|error| error.code()), Some("INVALID_REQUEST"));
        assert!(Picture::from_rgba(usize::MAX, 2, &[0; 15]).is_err());
    }

    #[test]
    fn a_rectangle_beyond_its_edges_is_black_there() {
        let picture = Picture { width: 2, height: 2, pixels: (1..=12).collect() };
        assert_eq!(picture.cut([1, 1], [1, 1]).pixels, [10, 11, 12]);
        assert_eq!(picture.cut([-1, 1], [2, 2]).pixels, [0, 0, 0, 0, 0, 0, 4, 5, 6, 0, 0, 0]);
        assert_eq!(picture.cut([5, 0], [1, 2]).pixels, [0; 6]);
    }

    #[test]
    fn hashes_know_size_and_pixels() {
        let of = |width, height, pixels: &[u8]| Picture { width, height, pixels: pixels.to_vec() }.hash();
        let all = [of(2, 1, &[0; 6]), of(1, 2, &[0; 6]), of(2, 1, &[0, 0, 0, 0, 0, 1]), of(2, 1, &[1, 0, 0, 0, 0, 0])];
        assert!(all.iter().enumerate().all(|(i, hash)| !all[..i].contains(hash)), "{all:?}");
    }
}
