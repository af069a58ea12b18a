//! Kernels of encoders: attention without a mask, pooling, what is heard of a sound, convolutions.

use super::bench::{Bench, Case, Output, Setting, Tolerance, check, close};
use crate::support::{floats, json};
use cresset::device::SamplingSlot;
use cresset::ops::{
    Attended, FRAME, HOP, Pooling, RelativeBias, attention_weights, bidirectional, log_mel, mel_range, mel_tables,
    pool, unfold,
};
use std::path::Path;

/// Around the 64 keys of a tile; the plan has a few rows more than are in use.
const SEQUENCES: [&[usize]; 4] = [&[1], &[3, 1, 64], &[65, 2, 63], &[130]];

/// A table of biases, some of which outweigh all scores.
pub fn relative_bias(case: &mut Case, n_heads: usize, context: usize) -> RelativeBias {
    let numbers: Vec<f32> = case.randoms(n_heads * (2 * context - 1)).iter().map(|x| 4.0 * x).collect();
    RelativeBias { table: case.floats(&numbers), context }
}

#[test]
fn bidirectional_grid() {
    let mut bench = Bench::open();
    for lengths in SEQUENCES {
        let used: usize = lengths.iter().sum();
        let setting = Setting::sequences(lengths, used + 3);
        for (n_heads, head_dim) in [(1, 4), (3, 20), (2, 64), (12, 32), (1, 256)] {
            for window in [None, Some(0), Some(1), Some(40), Some(64)] {
                let scale = 1.0 / (head_dim as f32).sqrt();
                let biased = window == Some(1) || window.is_none() && n_heads > 1;
                let what = format!("bidirectional {lengths:?} {n_heads} × {head_dim}, {window:?}, biased: {biased}");
                check(&mut bench, &what, &setting, Tolerance::new(5e-6, 5e-6), |case| {
                    let [q, k, v, y] = std::array::from_fn(|_| case.tensor(used + 3, n_heads * head_dim));
                    let bias = biased.then(|| relative_bias(case, n_heads, 130));
                    bidirectional(&mut case.pass, [&q, &k, &v], n_heads, scale, Attended::Own { window, bias }, &y);
                    vec![Output::Rows { tensor: y, used }]
                });
            }
        }
    }
}

/// More rows than a dispatch takes, and one in which none is in use.
#[test]
fn bidirectional_in_several_dispatches() {
    let mut bench = Bench::open();
    for (lengths, rows) in [(&[700, 600][..], 1303), (&[1024], 1025), (&[5], 3000)] {
        let used = lengths.iter().sum();
        let what = format!("bidirectional {lengths:?} of {rows}");
        check(&mut bench, &what, &Setting::sequences(lengths, rows), Tolerance::new(5e-6, 5e-6), |case| {
            let [q, k, v, y] = std::array::from_fn(|_| case.tensor(rows, 32));
            bidirectional(&mut case.pass, [&q, &k, &v], 1, 0.2, Attended::Own { window: None, bias: None }, &y);
            vec![Output::Rows { tensor: y, used }]
        });
    }
}

#[test]
fn pool_grid() {
    let mut bench = Bench::open();
    for lengths in SEQUENCES {
        let rows = lengths.iter().sum::<usize>() + 3;
        for columns in [1, 3, 64, 65, 384] {
            for (pooling, normalize) in Pooling::ALL.into_iter().zip([true, false, true, false, false]) {
                let what = format!("pool {lengths:?} × {columns}, {pooling:?}");
                let setting = Setting::sequences(lengths, rows);
                check(&mut bench, &what, &setting, Tolerance::new(2e-6, 4e-6), |case| {
                    let (x, y) = (case.tensor(rows, columns), case.tensor(lengths.len() + 1, columns));
                    pool(&mut case.pass, &x, pooling, normalize, &y);
                    vec![Output::Rows { tensor: y, used: lengths.len() }]
                });
            }
        }
    }
}

/// A decoder's rows over the keys of an encoder: the same for all, wherever the rows stand.
#[test]
fn attention_to_another_sequence() {
    let mut bench = Bench::open();
    for (rows, used, keys) in [(1, 1, 1), (4, 3, 64), (70, 66, 65), (2, 2, 1500)] {
        for (n_heads, head_dim) in [(1, 4), (6, 64), (1, 256)] {
            // All keys, or as many as the slot's parameters say.
            let attended = if n_heads > 1 { keys as u32 / 2 } else { 0 };
            let what = format!("attention of {rows} rows to {attended} of {keys} keys, {n_heads} × {head_dim}");
            let sampling = vec![SamplingSlot { attended, ..SamplingSlot::default() }];
            let setting = Setting { sampling, ..Setting::rows(rows, used) };
            check(&mut bench, &what, &setting, Tolerance::new(5e-6, 5e-6), |case| {
                let [q, y] = std::array::from_fn(|_| case.tensor(rows, n_heads * head_dim));
                let [k, v] = std::array::from_fn(|_| case.tensor(keys, n_heads * head_dim));
                bidirectional(&mut case.pass, [&q, &k, &v], n_heads, 0.3, Attended::Other, &y);
                vec![Output::Rows { tensor: y, used }]
            });
        }
    }
}

/// Two heads of several, side by side.
#[test]
fn attention_weights_grid() {
    let mut bench = Bench::open();
    for (rows, used, keys) in [(1, 1, 1), (4, 3, 64), (70, 66, 65), (2, 2, 1500)] {
        for (n_heads, head_dim) in [(2, 4), (6, 64), (2, 256)] {
            let what = format!("weights of {rows} rows for {keys} keys, {n_heads} × {head_dim}");
            let ran = check(&mut bench, &what, &Setting::rows(rows, used), Tolerance::new(5e-6, 5e-6), |case| {
                let [q, k] = [rows, keys].map(|rows| case.tensor(rows, n_heads * head_dim));
                let w = case.tensor(rows, 2 * keys);
                for (at, head) in [n_heads - 1, 0].into_iter().enumerate() {
                    attention_weights(&mut case.pass, [&q, &k], (head, n_heads), 0.3, &w, at);
                }
                vec![Output::Rows { tensor: w, used }]
            });
            let sum: f32 = ran.row(0, used - 1)[..keys].iter().sum();
            assert!((sum - 1.0).abs() < 1e-4, "{what}: {sum}");
        }
    }
}

/// Noise, a tone of 1000 Hz, silence: logarithms of energies of which some are next to nothing.
#[test]
fn mel_bands() {
    let mut bench = Bench::open();
    for (mels, rows, used) in [(80, 4, 4), (128, 67, 66)] {
        let samples = HOP * (rows - 1) + FRAME;
        let setting = Setting::rows(rows, used);
        for sound in ["noise", "tone", "silence"] {
            let what = format!("{mels} mel bands of {sound}");
            let ran = check(&mut bench, &what, &setting, Tolerance::new(2e-4, 2e-4), |case| {
                let samples: Vec<f32> = match sound {
                    "noise" => case.randoms(samples),
                    "tone" => (0..samples).map(|i| (i as f32 * std::f32::consts::TAU / 16.0).sin()).collect(),
                    _ => vec![0.0; samples],
                };
                let (samples, tables) = (case.floats(&samples), case.floats(&mel_tables(mels)));
                let mut peaks = vec![f32::MIN; rows + 2];
                peaks[rows..].copy_from_slice(&[0.5, used as f32 - 1.0]);
                let (peaks, y) = (case.floats(&peaks), case.tensor(rows, mels));
                log_mel(&mut case.pass, samples, tables, peaks, &y);
                mel_range(&mut case.pass, peaks, &y);
                vec![Output::Rows { tensor: y, used }]
            });
            assert!(ran.row(0, used - 1).iter().all(|y| *y == 0.0), "behind the end there is nothing");
            let (lowest, loudest) = ran.row(0, 1).iter().fold((f32::MAX, f32::MIN), |(a, b), y| (a.min(*y), b.max(*y)));
            assert!(loudest - lowest <= 2.0, "eight decades over four: {lowest} to {loudest}");
            assert!(sound != "silence" || lowest == (0.5 - 8.0 + 4.0) / 4.0, "silence is eight decades below the rest");
        }
    }
}

#[test]
fn unfold_grid() {
    let mut bench = Bench::open();
    for (from, rows, used, step) in [(1, 1, 1, 1), (7, 7, 6, 1), (8, 4, 4, 2), (7, 4, 3, 2)] {
        for (columns, taps, before) in [(4, 3, 1), (80, 3, 1), (8, 1, 0), (4, 5, 2)] {
            let what = format!("unfold {from} × {columns} to {rows} × {taps}");
            check(&mut bench, &what, &Setting::rows(rows, used), Tolerance::EXACT, |case| {
                let (x, y) = (case.tensor(from, columns), case.tensor(rows, taps * columns));
                unfold(&mut case.pass, &x, step, before, &y);
                vec![Output::Rows { tensor: y, used }]
            });
        }
    }
}

/// What transformers' feature extractor makes of a recording, within 10⁻⁴.
#[test]
fn mel_bands_as_transformers() {
    for folder in ["whisper", "whisper-128"] {
        let expected = json(Path::new(&format!("tests/golden/speech/{folder}/expected.json")));
        let want: Vec<Vec<f32>> = expected["mel"].as_array().expect("frames").iter().map(floats).collect();
        let sound = crate::speech::sound(expected["seconds"].as_f64().expect("seconds"));
        let (frames, mels) = (200, want[0].len());
        // The first frame's middle is the first sample; before it the sound is mirrored, behind its end there is silence.
        let at = |i: isize| sound.get(i.unsigned_abs()).copied().unwrap_or(0.0);
        let samples: Vec<f32> = (0..HOP * (frames - 1) + FRAME).map(|i| at(i as isize - FRAME as isize / 2)).collect();
        let setting = Setting::rows(frames, frames);
        let ran = check(&mut Bench::open(), folder, &setting, Tolerance::new(2e-4, 2e-4), |case| {
            let (samples, tables) = (case.floats(&samples), case.floats(&mel_tables(mels)));
            let mut peaks = vec![f32::MIN; frames + 2];
            peaks[frames + 1] = frames as f32;
            let (peaks, y) = (case.floats(&peaks), case.tensor(frames, mels));
            log_mel(&mut case.pass, samples, tables, peaks, &y);
            mel_range(&mut case.pass, peaks, &y);
            vec![Output::Rows { tensor: y, used: frames }]
        });
        for (i, want) in want.iter().enumerate() {
            close(ran.row(0, 9 * i), want, Tolerance::new(1e-4, 0.0), &format!("{folder}: frame {}", 9 * i));
        }
    }
}
