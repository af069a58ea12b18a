//! Products of bytes: rows of x rounded to 8 bits, weights as their codes, four multiply-adds an instruction
//! (`dot4I8Packed`). The rounding is that of llama.cpp's Q8_0: 32 columns share a scale.

use super::plain::{Products, plain_products, slices};
use crate::device::{Options, Twin};
use crate::quant::{DEVICE_BLOCK, Format};

/// The constants of a shader for weights of these formats. Floats have no codes: beside them nothing is packed.
pub fn packed(options: Options, wanted: bool, formats: &[Format]) -> Options {
    let packed = wanted && formats.iter().all(|format| format.is_quantized());
    let mut options = options.set("PACKED", packed.into());
    options.features.packed = packed;
    if packed {
        let halves = formats.iter().any(|format| format.group() < DEVICE_BLOCK);
        options = options.set("HALVES", 1 + u32::from(halves));
    }
    options
}

/// The twin's products, as those constants say: of x rounded to 8 bits, or of x as it is.
pub fn specified(t: &Twin) -> Products {
    if t.constant("PACKED") == 1 { packed_products } else { plain_products }
}

/// [T, N] = rounded x · weightᵀ.
fn packed_products(format: Format, weight: &[u8], x: &[&[f32]]) -> Vec<f32> {
    let x: Vec<Vec<f32>> = x.iter().map(|x| rounded(x)).collect();
    plain_products(format, weight, &slices(&x))
}

/// A row as numbers of 8 bits, `columns_of` in `shaders/shared/weights_packed.wgsl`.
fn rounded(x: &[f32]) -> Vec<f32> {
    let block = |x: &[f32]| {
        let most = x.iter().fold(1e-30f32, |most, x| most.max(x.abs()));
        let (per_unit, scale) = (127.0 / most, most / 127.0);
        let scale = if x.iter().all(|x| x.is_finite()) { scale } else { f32::NAN };
        x.iter().map(move |x| scale * (x * per_unit).round_ties_even()).collect::<Vec<_>>()
    };
    x.chunks(DEVICE_BLOCK).flat_map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_rounded_by_blocks() {
        let mut x = vec![0.0; 70];
        (x[0], x[1], x[2], x[31]) = (127.0, 0.4, -2.5, 1.5); // steps of 1, halves to even
        (x[32], x[33]) = (-1.0, 0.5 / 127.0 + 1e-6);
        let got = rounded(&x);
        assert_eq!((got[0], got[1], got[2], got[31]), (127.0, 0.0, -2.0, 2.0));
        assert_eq!((got[32], got[33]), (-1.0, 1.0 / 127.0));
        assert_eq!(got[34..], x[34..]);
    }
}
