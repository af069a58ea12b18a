//! Kernels that know positions: rope, kv_write, attention.

use super::bench::{Bench, Case, Output, Setting, Tolerance, check, close, run};
use super::encoder::relative_bias;
use cresset::device::{KvFormat, Tensor};
use cresset::ops::{HeadNorms, KvCache, Pairing, Scores, attend, attention, kv_write, rope};

/// Five slots at positions around a page and a workgroup of keys; the last is past the context and stays as it is.
fn setting() -> Setting {
    let mut setting = Setting::slots(&[0, 31, 63, 64, 200, 256], &[1; 6], 256, 32);
    setting.layout.rows += 1;
    setting
}

const USED: usize = 6;
const ROWS: usize = USED + 1;

#[test]
fn rope_grid() {
    let mut bench = Bench::open();
    for (heads, head_dim, rope_dims) in
        [(1, 2, 2), (1, 4, 2), (3, 8, 8), (4, 64, 64), (5, 20, 12), (2, 128, 64), (9, 80, 80)]
    {
        for pairing in [Pairing::Adjacent, Pairing::HalfSplit] {
            let what = format!("rope {heads} × {head_dim}, {rope_dims} turn, {pairing:?}");
            // Two products and a sum, which the GPU may fuse.
            check(&mut bench, &what, &setting(), Tolerance::ROUNDING, |case| {
                let x = case.tensor(ROWS, heads * head_dim);
                let table = case.randoms(case.pass.layout.context * rope_dims);
                let table = case.floats(&table);
                rope(&mut case.pass, &x, heads, rope_dims, pairing, table);
                vec![Output::Rows { tensor: x, used: USED - 1 }]
            });
        }
    }
}

/// A cache full of random numbers, and how it is compared.
fn cache(case: &mut Case, format: KvFormat, n_kv_heads: usize, head_dim: usize) -> (KvCache, [Output; 2]) {
    let layout = case.pass.layout;
    let rows = layout.pages() * layout.page * n_kv_heads;
    let words = rows * format.row_words(head_dim);
    let mut fill = || {
        let mut stored = vec![0; words];
        for row in stored.chunks_exact_mut(format.row_words(head_dim)) {
            format.write(&case.randoms(head_dim), row);
        }
        case.buffer(bytemuck::cast_slice(&stored))
    };
    let (keys, values) = (fill(), fill());
    let outputs = [keys, values].map(|buffer| Output::Cache { buffer, format, head_dim, words });
    (KvCache { keys, values, format, n_kv_heads, head_dim }, outputs)
}

#[test]
fn kv_write_grid() {
    let mut bench = Bench::open();
    for format in KvFormat::ALL {
        for (heads, head_dim) in [(1, 4), (2, 8), (3, 20), (4, 64), (1, 256), (5, 128)] {
            let what = format!("kv_write {} {heads} × {head_dim}", format.name());
            check(&mut bench, &what, &setting(), Tolerance::EXACT, |case| {
                let (k, v) = (case.tensor(ROWS, heads * head_dim), case.tensor(ROWS, heads * head_dim));
                let (cache, outputs) = cache(case, format, heads, head_dim);
                kv_write(&mut case.pass, &k, &v, &cache);
                outputs.into()
            });
        }
    }
}

#[test]
fn attention_grid() {
    let mut bench = Bench::open();
    let shapes =
        [(1, 1, 4), (2, 1, 8), (6, 2, 20), (8, 2, 64), (3, 3, 80), (4, 1, 96), (4, 4, 128), (2, 1, 252), (2, 2, 256)];
    for (f, format) in KvFormat::ALL.into_iter().enumerate() {
        for (i, (n_heads, n_kv_heads, head_dim)) in shapes.into_iter().enumerate() {
            // Scores are small, and large enough that some weights vanish.
            let usual = 1.0 / (head_dim as f32).sqrt();
            // Two for each shape: each format meets all of them.
            let scores = [(usual, None, None), (3.0, None, None), (usual, Some(0.5), None), (3.0, None, Some(40))];
            for (scale, soft_cap, window) in scores.into_iter().skip((i + f) % 2).step_by(2) {
                let scores = Scores { scale, soft_cap, window, bias: None };
                let what = format!("attention {} {n_heads}/{n_kv_heads} × {head_dim}, {scores:?}", format.name());
                // A score's error, times the scale, is the relative error of its weight.
                let mut tolerance = Tolerance::new(2e-6 * (1.0 + scale * (head_dim as f32).sqrt()), 2e-6);
                if format == KvFormat::Q8 {
                    // Workgroup memory holds the cache's numbers, below 1, as f16.
                    tolerance = Tolerance::new(1e-3 * (1.0 + scale * (head_dim as f32).sqrt()), 1e-3);
                }
                check(&mut bench, &what, &setting(), tolerance, |case| {
                    let q = case.tensor(ROWS, n_heads * head_dim);
                    let y = case.tensor(ROWS, n_heads * head_dim);
                    let cache = cache(case, format, n_kv_heads, head_dim).0;
                    attention(&mut case.pass, &q, n_heads, &cache, scores, &y);
                    vec![Output::Rows { tensor: y, used: USED }]
                });
            }
        }
    }
}

/// A prompt: every row sees the rows before it and no later one.
#[test]
fn attention_is_causal() {
    attention_of_prompt(None);
}

/// Of these, only the newest.
#[test]
fn attention_has_a_window() {
    for window in [1, 2, 63, 64, 65, 96, 97, 1000] {
        attention_of_prompt(Some(window));
    }
}

fn attention_of_prompt(window: Option<u32>) {
    let mut bench = Bench::open();
    let what = &format!("attention of a prompt, window {window:?}");
    let mut setting = Setting::rows(100, 97);
    setting.layout.page = 64;
    let ran = check(&mut bench, what, &setting, Tolerance::new(5e-6, 5e-6), |case| {
        let (q, k) = (case.tensor(100, 4 * 16), case.tensor(100, 2 * 16));
        // The value of position p is p + 1 in every dimension.
        let v: Vec<Vec<f32>> = (0..100).map(|p| vec![p as f32 + 1.0; 32]).collect();
        let (v, y) = (case.tensor_with(&v), case.tensor(100, 4 * 16));
        let cache = cache(case, KvFormat::F32, 2, 16).0;
        kv_write(&mut case.pass, &k, &v, &cache);
        let scores = Scores { scale: 0.0, soft_cap: None, window, bias: None };
        attention(&mut case.pass, &q, 4, &cache, scores, &y);
        vec![Output::Rows { tensor: y, used: 97 }]
    });
    // With scale 0 all keys weigh the same: the mean of first..=p + 1.
    for p in 0..97u32 {
        let first = (p + 1).saturating_sub(window.unwrap_or(1000)) + 1;
        let want = vec![(first + p + 1) as f32 / 2.0; 64];
        close(ran.row(0, p as usize), &want, Tolerance::new(0.0, 1e-5), what);
    }
}

/// Rows of a picture see it to its end, and as much before it as their window lets them; of the part of one whose beginning is cached
/// too.
#[test]
fn rows_of_a_picture_see_each_other() {
    let mut bench = Bench::open();
    for (first, media) in [(0, 20..75), (0, 90..97), (30, 0..7)] {
        for window in [None, Some(1), Some(30)] {
            for whole in [false, true] {
                let what = &format!("rows {media:?} of a picture behind {first}, window {window:?}, {whole}");
                let mut setting = Setting { media: media.clone(), ..Setting::rows(100, 97) };
                (setting.layout.page, setting.layout.context) = (256, 256);
                setting.rows.iter_mut().for_each(|row| row.position += first);
                let ran = check(&mut bench, what, &setting, Tolerance::new(5e-6, 5e-6), |case| {
                    case.pass.whole_media = whole;
                    let (q, y) = (case.tensor(100, 4 * 16), case.tensor(100, 4 * 16));
                    let mut cache = cache(case, KvFormat::F32, 2, 16).0;
                    // The value of position p is p + 1 in every dimension of both heads.
                    let values: Vec<f32> = (0..512).flat_map(|p| [(p % 256) as f32 + 1.0; 16]).collect();
                    cache.values = case.floats(&values);
                    let scores = Scores { scale: 0.0, soft_cap: None, window, bias: None };
                    attention(&mut case.pass, &q, 4, &cache, scores, &y);
                    vec![Output::Rows { tensor: y, used: 97 }]
                });
                // With scale 0 all keys weigh the same: the mean of begin + 1..=end.
                for row in 0..97u32 {
                    let position = row + first;
                    let end =
                        if whole && media.contains(&(row as usize)) { media.end as u32 + first } else { position + 1 };
                    let begin = (position + 1).saturating_sub(window.unwrap_or(1000));
                    let want = vec![(begin + 1 + end) as f32 / 2.0; 64];
                    close(ran.row(0, row as usize), &want, Tolerance::new(0.0, 1e-5), what);
                }
            }
        }
    }
}

/// A prompt of random numbers: rows that share what they read, of several heads on one.
#[test]
fn attention_of_many_rows() {
    let mut bench = Bench::open();
    let mut setting = Setting::rows(150, 141);
    setting.layout.page = 32;
    for (i, (n_heads, n_kv_heads, head_dim)) in [(6, 2, 20), (3, 3, 64), (7, 1, 48)].into_iter().enumerate() {
        for (window, whole, biased) in
            [(None, false, false), (Some(21), false, true), (None, true, true), (Some(21), true, false)]
        {
            let format = KvFormat::ALL[i];
            let setting = Setting { media: 37..110, ..setting.clone() };
            let of = format!("{n_heads}/{n_kv_heads} × {head_dim}, {format:?}, {window:?}, {whole}, {biased}");
            let what = format!("attention of many rows, {of}");
            let tolerance = Tolerance::new(if format == KvFormat::Q8 { 2e-3 } else { 1e-5 }, 1e-5);
            check(&mut bench, &what, &setting, tolerance, |case| {
                case.pass.whole_media = whole;
                let (q, y) = (case.tensor(150, n_heads * head_dim), case.tensor(150, n_heads * head_dim));
                let cache = cache(case, format, n_kv_heads, head_dim).0;
                let bias = biased.then(|| relative_bias(case, n_heads, case.pass.layout.context));
                let scores = Scores { window, bias, ..Scores::scaled(head_dim) };
                attention(&mut case.pass, &q, n_heads, &cache, scores, &y);
                vec![Output::Rows { tensor: y, used: 141 }]
            });
        }
    }
}

/// What a query does not see is nothing to it, infinite or NaN; what it sees is not hidden.
#[test]
fn hidden_keys_may_be_anything() {
    let mut bench = Bench::open();
    let (used, bad) = (61, 40);
    let mut setting = Setting::rows(64, used);
    setting.layout.page = 32;
    for format in KvFormat::ALL {
        for (n_heads, window, soft_cap) in [(2, None, None), (6, None, Some(0.5)), (2, Some(7), Some(0.5))] {
            for number in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
                for (of_keys, of_values) in [(true, false), (false, true), (true, true)] {
                    let what = format!(
                        "{format:?}, {n_heads} heads, {window:?}, {soft_cap:?}, {number}, {of_keys} {of_values}"
                    );
                    let record = |case: &mut Case| {
                        let (q, y) = (case.tensor(64, n_heads * 16), case.tensor(64, n_heads * 16));
                        let mut rows = |is_bad: bool| -> Tensor {
                            let mut rows: Vec<Vec<f32>> = (0..64).map(|_| case.randoms(2 * 16)).collect();
                            rows[bad][3] = if is_bad { number } else { rows[bad][3] };
                            case.tensor_with(&rows)
                        };
                        let (k, v) = (rows(of_keys), rows(of_values));
                        let cache = cache(case, format, 2, 16).0;
                        kv_write(&mut case.pass, &k, &v, &cache);
                        let scores = Scores { window, soft_cap, ..Scores::scaled(16) };
                        attention(&mut case.pass, &q, n_heads, &cache, scores, &y);
                        vec![Output::Rows { tensor: y, used }]
                    };
                    let devices = [Some(&mut bench.plain), Some(&mut bench.cpu), bench.gpu.as_mut()];
                    for (i, device) in devices.into_iter().flatten().enumerate() {
                        let ran = run(device, &setting, record);
                        for row in 0..used {
                            let sees = row >= bad && window.is_none_or(|window| row < bad + window as usize);
                            let first_head = &ran.row(0, row)[..n_heads / 2 * 16];
                            let finite = first_head.iter().all(|x| x.is_finite());
                            // An infinite key may score -∞, and weighs nothing then.
                            let may_be = number.is_nan() || (of_values && !of_keys);
                            assert!(finite || sees, "{what}, device {i}, row {row}: {first_head:?}");
                            assert!(!finite || !sees || !may_be, "{what}, device {i}, row {row} hides it");
                        }
                    }
                }
            }
        }
    }
}

/// A decoded token: NaN or infinity of its own key or value, or of the cache's, stays in the answer of the head that sees
/// it, and reaches no other.
#[test]
fn what_a_decoded_token_sees_is_not_hidden() {
    let mut bench = Bench::open();
    let setting = Setting::slots(&[100, 0], &[1; 2], 256, 32);
    for (format, chunks, soft_cap) in [
        (KvFormat::F32, 1, Some(0.5)),
        (KvFormat::F16, 3, Some(0.5)),
        (KvFormat::Q8, 1, Some(0.5)),
        (KvFormat::Q8, 3, None),
    ] {
        for (window, number, own, of_keys) in [
            (None, f32::NAN, true, true),
            (None, f32::NAN, true, false),
            (None, f32::INFINITY, true, false),
            (None, f32::NAN, false, true),
            (None, f32::NAN, false, false),
            (None, f32::NEG_INFINITY, false, false),
            (Some(1), f32::NAN, false, true),
            (Some(1), f32::INFINITY, false, false),
        ] {
            let what = format!("{format:?}, {chunks}, {soft_cap:?}, {window:?}, {number}, own {own}, keys {of_keys}");
            let record = |case: &mut Case| {
                // Two heads of two: queries, keys and values of 16 numbers each. The first row's first head is at stake.
                let mut rows = [case.randoms(6 * 16), case.randoms(6 * 16)].to_vec();
                if own {
                    rows[0][if of_keys { 2 * 16 + 3 } else { 4 * 16 + 3 }] = number;
                }
                let (qkv, y) = (case.tensor_with(&rows), case.tensor(2, 2 * 16));
                let layout = case.pass.layout;
                let words = format.row_words(16);
                let mut fill = |is_odd: bool| {
                    let mut stored = vec![0; layout.pages() * 2 * layout.page * words];
                    for (i, row) in stored.chunks_exact_mut(words).enumerate() {
                        let mut x = case.randoms(16);
                        // Of the first head, in all pages: the second slot is at its first position, and sees none of them.
                        if is_odd && (i / layout.page).is_multiple_of(2) {
                            x[3] = number;
                        }
                        format.write(&x, row);
                    }
                    case.buffer(bytemuck::cast_slice(&stored))
                };
                let (keys, values) = (fill(!own && of_keys), fill(!own && !of_keys));
                let cache = KvCache { keys, values, format, n_kv_heads: 2, head_dim: 16 };
                case.pass.key_chunks = chunks;
                let scores = Scores { window, soft_cap, ..Scores::scaled(16) };
                attend(&mut case.pass, &qkv, 2, None, None, &cache, scores, &y).expect("room");
                vec![Output::Rows { tensor: y, used: 2 }]
            };
            let devices = [Some(&mut bench.plain), Some(&mut bench.cpu), bench.gpu.as_mut()];
            for (i, device) in devices.into_iter().flatten().enumerate() {
                let ran = run(device, &setting, record);
                let finite = |row: usize, head: usize| ran.row(0, row)[head * 16..][..16].iter().all(|x| x.is_finite());
                assert_eq!(finite(0, 0), window.is_some(), "{what}, device {i}: {:?}", ran.row(0, 0));
                assert!(finite(0, 1) && finite(1, 0) && finite(1, 1), "{what}, device {i}: it spreads");
            }
        }
    }
}

/// So many keys that threads share them.
#[test]
fn attend_of_many_keys() {
    let mut bench = Bench::open();
    let setting = Setting::slots(&[255, 256, 700], &[1; 3], 768, 32);
    for (n_heads, n_kv_heads, head_dim) in [(1, 1, 8), (6, 2, 20), (3, 1, 64)] {
        for (window, soft_cap) in [(None, None), (Some(300), None), (None, Some(0.5))] {
            let scores = Scores { scale: 1.0 / (head_dim as f32).sqrt(), soft_cap, window, bias: None };
            let what = format!("attend of many keys, {n_heads}/{n_kv_heads} × {head_dim}, {scores:?}");
            check(&mut bench, &what, &setting, Tolerance::new(1e-5, 1e-5), |case| {
                let qkv = case.tensor(3, (n_heads + 2 * n_kv_heads) * head_dim);
                let y = case.tensor(3, n_heads * head_dim);
                let cache = cache(case, KvFormat::F32, n_kv_heads, head_dim).0;
                attend(&mut case.pass, &qkv, n_heads, None, None, &cache, scores, &y).expect("room");
                vec![Output::Rows { tensor: y, used: 3 }]
            });
        }
    }
}

/// The whole of a decoded token's attention at once.
#[test]
fn attend_grid() {
    let mut bench = Bench::open();
    let shapes =
        [(1, 1, 4, 0), (2, 1, 8, 8), (6, 2, 20, 12), (8, 2, 64, 64), (3, 3, 80, 20), (4, 1, 128, 64), (2, 2, 256, 256)];
    let caches = [
        (KvFormat::F32, 1),
        (KvFormat::F16, 1),
        (KvFormat::Q8, 1),
        (KvFormat::F32, 2),
        (KvFormat::F16, 9),
        (KvFormat::Q8, 3),
    ];
    for (i, (n_heads, n_kv_heads, head_dim, rope_dims)) in shapes.into_iter().enumerate() {
        for (c, (format, chunks)) in caches.into_iter().enumerate() {
            // Each shape and each cache meets all of them, but not together: most of the time goes into compiling.
            let norms = [None, Some(false), Some(true)][(i + c) % 3];
            let scale = 1.0 / (head_dim as f32).sqrt();
            let scores = match i % 3 {
                0 => Scores { scale, soft_cap: None, window: None, bias: None },
                1 => Scores { scale, soft_cap: Some(0.5), window: Some(40), bias: None },
                _ => Scores { scale, soft_cap: None, window: Some(1), bias: None },
            };
            let pairing = if i % 2 == 0 { Pairing::Adjacent } else { Pairing::HalfSplit };
            let what =
                format!("attend {format:?} {n_heads}/{n_kv_heads} × {head_dim}, {norms:?}, {scores:?}, {chunks}");
            // A key that rounds up here and down there moves a score: by 2⁻¹¹ of its size in f16, by 2⁻⁷ in 8 bits.
            let absolute = match format {
                KvFormat::F32 => 1e-5,
                KvFormat::F16 => 2e-3,
                KvFormat::Q8 => 3e-2,
            };
            check(&mut bench, &what, &setting(), Tolerance::new(absolute, 1e-5), |case| {
                let qkv = case.tensor(ROWS, (n_heads + 2 * n_kv_heads) * head_dim);
                let y = case.tensor(ROWS, n_heads * head_dim);
                let (cache, kept) = cache(case, format, n_kv_heads, head_dim);
                let rotation = (rope_dims > 0).then(|| {
                    let angles = case.randoms(case.pass.layout.context * rope_dims);
                    (case.floats(&angles), rope_dims, pairing)
                });
                let norms = norms.map(|whole_row| {
                    let groups = if whole_row { n_heads + n_kv_heads } else { 2 };
                    let weights = case.randoms(groups * head_dim);
                    HeadNorms { weights: case.floats(&weights), epsilons: [1e-3, 2e-3], whole_row }
                });
                case.pass.key_chunks = chunks;
                attend(&mut case.pass, &qkv, n_heads, norms, rotation, &cache, scores, &y).expect("room");
                let mut outputs = vec![Output::Rows { tensor: y, used: USED - 1 }];
                outputs.extend(kept);
                outputs
            });
        }
    }
}

/// However the keys are cut into chunks, and however many heads share them, it is the same attention.
#[test]
fn chunks_of_keys_change_nothing() {
    let mut bench = Bench::open();
    for (n_heads, n_kv_heads, head_dim) in [(1, 1, 8), (7, 1, 64), (14, 2, 64), (16, 1, 128), (8, 2, 256)] {
        for window in [None, Some(70)] {
            let mut whole: Option<Vec<Vec<f32>>> = None;
            for chunks in [1, 2, 3, 4, 16] {
                let what = format!("{n_heads}/{n_kv_heads} × {head_dim}, {chunks} chunks, window {window:?}");
                let tolerance = Tolerance::new(1e-5, 1e-5);
                let ran = check(&mut bench, &what, &setting(), tolerance, |case| {
                    let qkv = case.tensor(ROWS, (n_heads + 2 * n_kv_heads) * head_dim);
                    let y = case.tensor(ROWS, n_heads * head_dim);
                    let cache = cache(case, KvFormat::F32, n_kv_heads, head_dim).0;
                    let scores = Scores { window, ..Scores::scaled(head_dim) };
                    case.pass.key_chunks = chunks;
                    attend(&mut case.pass, &qkv, n_heads, None, None, &cache, scores, &y).expect("room");
                    vec![Output::Rows { tensor: y, used: USED - 1 }]
                });
                let rows: Vec<Vec<f32>> = (0..USED - 1).map(|row| ran.row(0, row).to_vec()).collect();
                let whole = whole.get_or_insert_with(|| rows.clone());
                rows.iter().zip(whole.iter()).for_each(|(row, whole)| close(row, whole, tolerance, &what));
            }
        }
    }
}
