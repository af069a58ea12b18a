//! Another size of a picture, to the bit as `Image.resize` of Pillow up to version 12 computes it (`Resample.c`): filters as wide as
//! what is shrunk, weights of 22 bits, columns first, bytes between. (Version 13 takes rows first where that is less work.)

use super::picture::Picture;

/// Which neighbours count how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// The nearest pixel.
    Nearest,
    /// The mean of what a pixel covers.
    Box,
    /// A triangle.
    Bilinear,
    /// Hamming's window of a sinc.
    Hamming,
    /// Keys' cubic with a = −0.5 (1981).
    Bicubic,
    /// A sinc in the window of a wider one (Duchon 1979).
    Lanczos,
}

/// Bits of a weight behind its point.
const PRECISION: u32 = 32 - 8 - 2;

impl Filter {
    /// By its number in `preprocessor_config.json`, which is Pillow's.
    pub fn from_number(number: u64) -> Option<Filter> {
        use Filter::*;
        [Nearest, Lanczos, Bilinear, Bicubic, Box, Hamming].get(usize::try_from(number).ok()?).copied()
    }

    /// How far it reaches on either side, in pixels of the smaller picture.
    fn support(self) -> f64 {
        match self {
            Filter::Nearest | Filter::Box => 0.5,
            Filter::Bilinear | Filter::Hamming => 1.0,
            Filter::Bicubic => 2.0,
            Filter::Lanczos => 3.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        const A: f64 = -0.5;
        let sinc = |x: f64| if x == 0.0 { 1.0 } else { (x * std::f64::consts::PI).sin() / (x * std::f64::consts::PI) };
        let distance = x.abs();
        match self {
            Filter::Nearest | Filter::Box => f64::from(u8::from(x > -0.5 && x <= 0.5)),
            Filter::Bilinear => (1.0 - distance).max(0.0),
            Filter::Hamming if distance >= 1.0 => 0.0,
            Filter::Hamming => sinc(x) * (0.54 + 0.46 * (x * std::f64::consts::PI).cos()),
            Filter::Bicubic if distance < 1.0 => ((A + 2.0) * distance - (A + 3.0)) * distance * distance + 1.0,
            Filter::Bicubic if distance < 2.0 => (((distance - 5.0) * distance + 8.0) * distance - 4.0) * A,
            Filter::Bicubic => 0.0,
            Filter::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Filter::Lanczos => 0.0,
        }
    }

    /// For each of `to` pixels, the first of `from` pixels that it is made of, and their weights.
    fn weights(self, from: usize, to: usize) -> Vec<(usize, Vec<i32>)> {
        let scale = from as f64 / to as f64;
        let wider = scale.max(1.0);
        let support = self.support() * wider;
        let of = |i: usize| {
            let middle = (i as f64 + 0.5) * scale;
            let first = (middle - support + 0.5).max(0.0) as usize;
            let end = ((middle + support + 0.5).max(0.0) as usize).min(from);
            let weights: Vec<f64> =
                (first..end).map(|at| self.weight((at as f64 - middle + 0.5) * (1.0 / wider))).collect();
            let sum: f64 = weights.iter().sum();
            let fixed = |weight: &f64| {
                let scaled = weight / sum * f64::from(1 << PRECISION);
                (scaled + 0.5f64.copysign(scaled)) as i32
            };
            (first, weights.iter().map(fixed).collect())
        };
        (0..to).map(of).collect()
    }
}

/// The picture with `size` = [height, width].
pub fn resize(picture: &Picture, [height, width]: [usize; 2], filter: Filter) -> Picture {
    if filter == Filter::Nearest {
        return nearest(picture, [height, width]);
    }
    let narrowed = if width == picture.width { picture.clone() } else { columns(picture, width, filter) };
    if height == picture.height { narrowed } else { rows(&narrowed, height, filter) }
}

fn columns(picture: &Picture, width: usize, filter: Filter) -> Picture {
    let weights = filter.weights(picture.width, width);
    let mut pixels = Vec::with_capacity(3 * width * picture.height);
    for row in picture.pixels.chunks_exact(3 * picture.width) {
        for (first, weights) in &weights {
            let mut sums = [1 << (PRECISION - 1); 3];
            for (pixel, weight) in row[3 * first..].chunks_exact(3).zip(weights) {
                sums.iter_mut().zip(pixel).for_each(|(sum, &colour)| *sum += i32::from(colour) * weight);
            }
            pixels.extend(sums.map(byte));
        }
    }
    Picture { width, height: picture.height, pixels }
}

fn rows(picture: &Picture, height: usize, filter: Filter) -> Picture {
    let stride = 3 * picture.width;
    let mut pixels = Vec::with_capacity(stride * height);
    let mut sums = vec![0; stride];
    for (first, weights) in filter.weights(picture.height, height) {
        sums.fill(1 << (PRECISION - 1));
        for (row, weight) in picture.pixels[first * stride..].chunks_exact(stride).zip(&weights) {
            sums.iter_mut().zip(row).for_each(|(sum, &colour)| *sum += i32::from(colour) * weight);
        }
        pixels.extend(sums.iter().map(|&sum| byte(sum)));
    }
    Picture { width: picture.width, height, pixels }
}

fn byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

fn nearest(picture: &Picture, [height, width]: [usize; 2]) -> Picture {
    let at = |i: usize, from: usize, to: usize| (((i as f64 + 0.5) * from as f64 / to as f64) as usize).min(from - 1);
    let mut pixels = Vec::with_capacity(3 * width * height);
    for y in 0..height {
        let row = at(y, picture.height, height) * picture.width;
        for x in 0..width {
            let pixel = 3 * (row + at(x, picture.width, width));
            pixels.extend_from_slice(&picture.pixels[pixel..pixel + 3]);
        }
    }
    Picture { width, height, pixels }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As tests/golden/resize.py makes it.
    fn picture(width: usize, height: usize) -> Picture {
        let pixels = (0..3 * width * height).map(|i| ((i * i * 7 + i * 31) % 251) as u8).collect();
        Picture { width, height, pixels }
    }

    /// Pillow 12's results, by their sums and a hash (tests/golden/resize.py).
    #[test]
    fn as_pillow() {
        let cases: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/golden/resize.json")).expect("JSON");
        for case in cases.as_array().expect("cases") {
            let n = |key: &str| case[key].as_u64().expect("a number");
            let filter = Filter::from_number(n("filter")).expect("a filter");
            let size = |key: &str| n(key) as usize;
            let got = resize(&picture(size("width"), size("height")), [size("to_height"), size("to_width")], filter);
            let want: Vec<u8> = serde_json::from_value(case["pixels"].clone()).expect("bytes");
            assert_eq!(got.pixels, want, "{filter:?} {} × {}", n("to_width"), n("to_height"));
        }
    }
}
