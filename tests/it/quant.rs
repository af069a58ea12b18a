//! Weight formats against the `gguf` package's reading and writing of them, and the error of our own quantisers.

use crate::blocks::{Blocks, input};
use cresset::quant::Format;

#[test]
fn every_format_reads_the_very_numbers() {
    for &format in Format::ALL {
        let known = Blocks::of(format);
        assert_eq!(Format::from_ggml_type(known.ggml_type), Some(format));
        let block = if format.is_quantized() { format.block_len() } else { 32 };
        assert_eq!((known.block_len(), Some(known.blocks[0].len())), (block, format.row_bytes(block)), "{format:?}");
        let bytes = [known.blocks, known.edges].concat().concat();
        let mut got = vec![f32::NAN; known.values.len()];
        format.dequantize(&bytes, &mut got);
        for (i, (got, want)) in got.iter().zip(&known.values).enumerate() {
            // 0 and -0 are the same number.
            assert!(got == want, "{format:?}, weight {i}: {got:e}, not {want:e}");
        }
    }
}

#[test]
fn simple_formats_write_the_very_bytes() {
    let input = input();
    let mut checked = vec![];
    for &format in Format::ALL {
        if let Some(want) = Blocks::of(format).quantized {
            assert_eq!(format.quantize(&input), want, "{format:?}");
            checked.push(format.name());
        }
    }
    assert_eq!(checked, ["f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1"]);
}

/// Weights of several kinds, each a whole number of super-blocks.
fn kinds() -> Vec<(&'static str, Vec<f32>)> {
    let mut state = 7u64;
    let mut uniform = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    let mut make = |kind: &dyn Fn(&mut dyn FnMut() -> f32) -> f32| (0..4096).map(|_| kind(&mut uniform)).collect();
    let normal = |uniform: &mut dyn FnMut() -> f32| (0..12).map(|_| uniform()).sum::<f32>() - 6.0;
    vec![
        ("normal", make(&|u| 0.02 * normal(u))),
        ("uniform", make(&|u| u() - 0.5)),
        ("long tails", make(&|u| 0.01 * normal(u).powi(3))),
        ("all above zero", make(&|u| 3.0 + normal(u).abs())),
        ("all below zero", make(&|u| -1.0 - u())),
        ("mostly zero", make(&|u| if u() < 0.9 { 0.0 } else { normal(u) })),
    ]
}

fn error(format: Format, x: &[f32]) -> f64 {
    let mut back = vec![0f32; x.len()];
    format.dequantize(&format.quantize(x), &mut back);
    squares(x, &back)
}

fn squares(x: &[f32], y: &[f32]) -> f64 {
    x.iter().zip(y).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>().sqrt()
}

/// The error of laying the range from 0 or below to the largest weight evenly over the codes, scales kept in full.
fn error_with_mins(x: &[f32], block: usize, most: f32) -> f64 {
    let plain = |block: &[f32]| -> Vec<f32> {
        let (min, max) = block.iter().fold((0f32, f32::MIN), |(min, max), &x| (min.min(x), max.max(x)));
        let scale = (max - min) / most;
        block.iter().map(|x| ((x - min) / scale.max(1e-30)).round() * scale + min).collect()
    };
    squares(x, &x.chunks(block).flat_map(plain).collect::<Vec<_>>())
}

/// The error of laying the weight of largest magnitude on the first of `values`, and on each other its nearest one.
fn error_around_zero(x: &[f32], block: usize, values: &[f32]) -> f64 {
    let plain = |block: &[f32]| -> Vec<f32> {
        let extreme = block.iter().fold(0f32, |m, &x| if x.abs() > m.abs() { x } else { m });
        let scale = extreme / values[0];
        let nearest = |x: f32| values.iter().fold(f32::MAX, |n, v| if (v - x).abs() < (n - x).abs() { *v } else { n });
        block.iter().map(|x| if scale == 0.0 { 0.0 } else { scale * nearest(x / scale) }).collect()
    };
    squares(x, &x.chunks(block).flat_map(plain).collect::<Vec<_>>())
}

/// Searching for scales must pay, although they are then rounded to six or eight bits.
#[test]
fn searched_scales_beat_plain_ones() {
    let six_bits: Vec<f32> = (-32..32).map(|v| v as f32).collect();
    let spread = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113].map(|v| v as f32);
    for (kind, x) in kinds() {
        for (format, plain) in [
            (Format::Q4_K, error_with_mins(&x, 32, 15.0)),
            (Format::Q5_K, error_with_mins(&x, 32, 31.0)),
            (Format::Q6_K, error_around_zero(&x, 16, &six_bits)),
            (Format::IQ4_NL, error_around_zero(&x, 32, &spread)),
        ] {
            let ours = error(format, &x);
            println!("{kind}: {} {:.3} of the plain error", format.name(), ours / plain);
            assert!(ours <= 1.02 * plain, "{kind}: {format:?} {ours}, plain {plain}");
        }
    }
}

/// More bits, less error.
#[test]
fn formats_rank_by_their_bits() {
    use Format::*;
    for (kind, x) in kinds() {
        for (better, worse) in [(Q8_0, Q6_K), (Q5_K, Q4_K), (Q5_1, Q4_1), (Q5_0, Q4_0), (F16, Q8_0)] {
            let (a, b) = (error(better, &x), error(worse, &x));
            assert!(a < b, "{kind}: {better:?} {a}, {worse:?} {b}");
        }
    }
}

/// What no model should hold is still written as whole blocks, and zeros stay zeros.
#[test]
fn odd_numbers_are_written_too() {
    let odd = [0.0, -0.0, f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e-45, -1e-40, 1e38];
    for format in Format::ALL.iter().filter(|f| f.is_writable()) {
        for a in odd {
            for b in odd {
                let x: Vec<f32> = (0..512).map(|i| if i % 37 == 0 { a } else { b }).collect();
                let bytes = format.quantize(&x);
                assert_eq!(bytes.len(), format.row_bytes(512).unwrap());
                let mut back = vec![1f32; 512];
                format.dequantize(&bytes, &mut back);
                if a == 0.0 && b == 0.0 {
                    assert!(back.iter().all(|x| *x == 0.0), "{format:?}");
                }
            }
        }
    }
}

#[test]
fn names_and_numbers_lead_back() {
    for &format in Format::ALL {
        assert_eq!(Format::from_name(format.name()), Some(format));
        assert_eq!(Format::from_ggml_type(format.ggml_type()), Some(format));
    }
}

/// llama.cpp's habits: (to, from, columns, output's matrix?) → what it becomes, if anything.
#[test]
fn matrices_get_a_format_that_fits() {
    use Format::*;
    for (to, from, columns, is_output, want) in [
        (Q4_K, F32, 512, false, Some(Q4_K)),
        (Q4_K, BF16, 512, true, Some(Q6_K)),
        (Q4_0, F16, 512, true, Some(Q6_K)),
        (Q8_0, F16, 512, true, Some(Q8_0)),
        (Q4_K, F16, 288, false, Some(Q5_0)),
        (Q5_K, F16, 288, false, Some(Q5_1)),
        (Q6_K, F16, 288, false, Some(Q8_0)),
        (Q4_K, F16, 288, true, Some(Q8_0)),
        (IQ4_NL, F16, 96, false, Some(IQ4_NL)),
        (Q4_K, F16, 100, false, None),
        (Q8_0, F32, 33, true, None),
        (F16, F32, 33, false, Some(F16)),
        (F16, BF16, 64, false, None),
        (Q8_0, Q8_0, 64, false, None),
        (Q8_0, Q4_0, 64, false, None),
        (Q4_0, Q8_0, 64, false, Some(Q4_0)),
    ] {
        assert_eq!(to.for_matrix(from, columns, is_output), want, "{to:?} {from:?} {columns} {is_output}");
    }
}

/// On several threads as on one, whatever the number of rows.
#[test]
fn rows_are_converted_one_by_one() {
    let x = &kinds()[0].1[..7 * 256];
    for rows in 0..=7 {
        let x = &x[..rows * 256];
        let bytes = Format::F32.convert_rows(&Format::F32.quantize(x), 256, Format::Q4_K);
        assert_eq!(bytes, Some(Format::Q4_K.quantize(x)));
    }
    let mut sick = x.to_vec();
    sick[1700] = f32::INFINITY;
    assert_eq!(Format::F32.convert_rows(&Format::F32.quantize(&sick), 256, Format::Q4_K), None);
}
