//! From logits to the next token: penalties, argmax, thresholds, the draw.

use super::bench::{Bench, Case, Output, Setting, Tolerance, check, close, edits, run};
use cresset::device::{BufferId, Device, SamplingSlot, Tensor};
use cresset::ops::{argmax, candidates, partial_columns, penalize, sample};

/// Around a vec4, a workgroup of 64 or 256 threads, and argmax's chunk.
const VOCABS: [usize; 9] = [1, 3, 64, 257, 1023, 1024, 1025, 5000, 50257];

/// A row of logits for each slot.
fn logits(case: &mut Case, slots: usize, vocab: usize, scale: f32) -> Vec<Vec<f32>> {
    (0..slots).map(|_| case.randoms(vocab).iter().map(|z| z * scale).collect()).collect()
}

/// One row a slot, at position 3.
fn slots(sampling: Vec<SamplingSlot>) -> Setting {
    let n = sampling.len();
    Setting { sampling, ..Setting::slots(&vec![3; n], &vec![1; n], 8, 8) }
}

/// Penalties, candidates and the draw, as they follow logits that are there already.
fn sample_token(case: &mut Case, logits: &Tensor, edits: BufferId) {
    penalize(&mut case.pass, logits);
    let ranked = candidates(&mut case.pass, logits, edits).expect("room");
    sample(&mut case.pass, logits, edits, &ranked);
}

/// The tokens that a plan of the whole sampler leaves in `state`.
fn tokens(state: &[u32], slots: usize) -> Vec<u32> {
    (0..slots).map(|slot| state[4 * slot]).collect()
}

/// Draws once for each slot from the same logits.
fn draw(device: &mut Device, setting: &Setting, z: &[f32]) -> Vec<u32> {
    let n = setting.rows.len();
    let ran = run(device, setting, |case| {
        let logits = case.tensor_with(&vec![z.to_vec(); n]);
        let none = case.floats(&[0.0]);
        sample_token(case, &logits, none);
        vec![]
    });
    tokens(&ran.state, n)
}

#[test]
fn penalize_by_hand() {
    let sampling = SamplingSlot {
        repetition_penalty: 2.0,
        frequency_penalty: 0.5,
        presence_penalty: 0.25,
        penalized_from: 1,
        penalty_last_n: 5,
        flags: SamplingSlot::PENALTIES,
        ..Default::default()
    };
    let mut setting = Setting::rows(1, 1);
    setting.rows[0].position = 6;
    setting.sampling = vec![sampling];
    // Prompt 4, answer 0 1 1 2 2 9, of which the first is too long ago; what follows is not history any more, and 9 is no id of
    // this vocabulary.
    setting.state = vec![0, 0, 0, 0, 4, 0, 1, 1, 2, 2, 9, 3, 3];
    let ran = check(&mut Bench::open(), "penalties", &setting, Tolerance::ROUNDING, |case| {
        let logits = case.tensor_with(&[vec![4.0, 4.0, -4.0, 4.0, -4.0]]);
        penalize(&mut case.pass, &logits);
        vec![Output::Rows { tensor: logits, used: 1 }]
    });
    let want = [4.0, 2.0 - 1.0 - 0.25, -8.0 - 1.0 - 0.25, 4.0, -4.0];
    close(ran.row(0, 0), &want, Tolerance::ROUNDING, "penalties");
}

#[test]
fn penalize_grid() {
    let mut bench = Bench::open();
    for context in [1, 2, 64, 65, 300, 40000] {
        let last = context as u32 - 1;
        // The fifth row lies past the context, the second slot has its penalties off.
        let mut setting = Setting::slots(&[0, last, last / 2, last, last + 1], &[1; 5], context, 16);
        setting.layout.logit_rows = 6;
        // Of the whole history, of its end, and of the last few.
        let on = |i: u32| SamplingSlot {
            repetition_penalty: 1.3,
            frequency_penalty: -0.2,
            presence_penalty: 0.7,
            penalized_from: if i == 0 { 0 } else { last / 3 },
            penalty_last_n: if i > 2 { 64 } else { 0 },
            flags: SamplingSlot::PENALTIES,
            ..Default::default()
        };
        setting.sampling = (0..5).map(on).collect();
        setting.sampling[1].flags = 0;
        for (i, id) in setting.state[20..].iter_mut().enumerate() {
            *id = (i as u32).wrapping_mul(2654435761) >> 23; // ids up to 511, most of them in the vocabulary
        }
        for vocab in [5, 400] {
            check(&mut bench, &format!("penalties {context} {vocab}"), &setting, Tolerance::ROUNDING, |case| {
                let logits = case.tensor_of(6, vocab, 10.0);
                penalize(&mut case.pass, &logits);
                vec![Output::Rows { tensor: logits, used: 5 }]
            });
        }
    }
}

#[test]
fn argmax_grid() {
    let mut bench = Bench::open();
    for vocab in VOCABS {
        for flags in [0, SamplingSlot::BIAS, SamplingSlot::MASK, SamplingSlot::BIAS | SamplingSlot::MASK] {
            let mut setting = slots(vec![SamplingSlot { flags, ..Default::default() }; 7]);
            setting.layout.logit_rows = 8;
            let ran = check(&mut bench, &format!("argmax {vocab} {flags}"), &setting, Tolerance::EXACT, |case| {
                let mut rows = logits(case, 8, vocab, 20.0);
                rows[1][vocab / 2] = 30.0;
                rows[1][vocab - 1] = 30.0; // a tie
                rows[2] = vec![f32::NAN; vocab];
                rows[3][vocab / 3] = f32::NAN;
                rows[4] = vec![f32::NEG_INFINITY; vocab];
                rows[5][vocab - 1] = f32::INFINITY;
                rows[6] = vec![-0.0; vocab];
                let logits = case.tensor_with(&rows);
                let own = some_edits(case, 7, vocab);
                let partial = case.tensor(8, partial_columns(vocab));
                argmax(&mut case.pass, &logits, own, &partial);
                // Eight rows: the last gets nothing and stays the same.
                let words = Output::Words { buffer: partial.buffer, count: 8 * partial.stride() };
                vec![Output::Words { buffer: logits.buffer, count: 8 * logits.stride() }, words]
            });
            let stride = ran.after[1].len() / 8;
            let best = |row: usize| {
                let pairs = ran.after[1][row * stride..][..partial_columns(vocab)].chunks(2);
                pairs.min_by_key(|pair| !pair[0]).unwrap()[1] as usize
            };
            let logits = |row: usize| -> &[f32] {
                bytemuck::cast_slice(&ran.after[0][row * vocab.next_multiple_of(4)..][..vocab])
            };
            if flags == 0 {
                let row = logits(0);
                assert!(row.iter().all(|z| *z <= row[best(0)]));
                assert_eq!((best(1), best(2), best(4), best(6)), (vocab / 2, 0, 0, 0), "{vocab}");
            }
            // What is not a number is found whatever the request allows.
            assert!(logits(3)[best(3)].is_nan());
            assert_eq!((best(2), best(3), best(5)), (0, vocab / 3, vocab - 1), "{vocab} {flags}");
        }
    }
}

#[test]
fn greedy_is_the_largest() {
    let mut bench = Bench::open();
    for vocab in VOCABS {
        let setting = slots(vec![SamplingSlot::default(); 3]);
        let ran = check(&mut bench, &format!("greedy {vocab}"), &setting, Tolerance::EXACT, |case| {
            let rows = logits(case, 3, vocab, 5.0);
            let (logits, none) = (case.tensor_with(&rows), case.floats(&[0.0]));
            sample_token(case, &logits, none);
            vec![Output::Rows { tensor: logits, used: 3 }]
        });
        for (slot, id) in tokens(&ran.state, 3).into_iter().enumerate() {
            let row = ran.row(0, slot);
            assert!(row.iter().all(|z| *z <= row[id as usize]));
            assert_eq!(ran.state[4 * slot + 1], 4, "the token's position");
        }
    }
}

/// NaN, +∞ and nothing but -∞ mark the token, however it is drawn; -∞, of a logit or a bias, forbids as ever.
#[test]
fn logits_that_are_not_numbers() {
    let (nan, inf) = (f32::NAN, f32::INFINITY);
    let rows = [
        vec![1.0, nan, 2.0],
        vec![1.0, 5.0, inf],
        vec![1.0, -inf, 2.0],
        vec![-nan; 3],
        vec![-inf, -inf, 0.0],
        vec![-inf; 3],
    ];
    for temperature in [0.0, 1.0] {
        for flags in [0, SamplingSlot::PENALTIES, SamplingSlot::MASK] {
            let top_k = u32::from(temperature > 0.0); // the draw is certain
            let slot = SamplingSlot { temperature, flags, top_k, repetition_penalty: 1.25, ..Default::default() };
            let setting = slots(vec![slot; 6]);
            let what = format!("not numbers, {temperature} {flags}");
            let ran = check(&mut Bench::open(), &what, &setting, Tolerance::EXACT, |case| {
                let logits = case.tensor_with(&rows);
                let own = edits(case, 3, &vec![(vec![0, 2], vec![]); 6]);
                sample_token(case, &logits, own);
                vec![]
            });
            let drawn = (0..6).map(|slot| setting.layout.result(&ran.state, slot)).collect::<Vec<_>>();
            assert_eq!(drawn, [None, None, Some(2), None, Some(2), None], "{what}");
        }
    }
}

#[test]
fn nothing_past_the_context() {
    let mut setting = Setting::slots(&[7, 8, 9], &[1, 1, 1], 8, 8);
    setting.state[8..10].copy_from_slice(&[42, 9]);
    let ran = check(&mut Bench::open(), "context", &setting, Tolerance::EXACT, |case| {
        let logits = case.tensor_with(&vec![vec![0.0, 1.0, 5.0]; 3]);
        let none = case.floats(&[0.0]);
        sample_token(case, &logits, none);
        vec![]
    });
    // The first slot's token is the last that fits; the others' state is as it was.
    assert_eq!(ran.state[..12], [2, 8, 0, 0, 1, 8, 0, 0, 42, 9, 0, 0]);
}

/// For each slot, biases of a third of the ids, and a mask that leaves some ids, the last slot's only one.
fn some_edits(case: &mut Case, slots: usize, vocab: usize) -> BufferId {
    let all: Vec<_> = (0..slots)
        .map(|slot| {
            let allowed = |id: u32| {
                if slot + 1 == slots { id == vocab as u32 / 2 } else { !(id + slot as u32).is_multiple_of(3) }
            };
            let biases = (0..vocab as u32).filter(|id| (id / 2 + slot as u32).is_multiple_of(3));
            let biases = biases.map(|id| (id, 5.0 * case.random())).collect();
            ((0..vocab as u32).filter(|id| allowed(*id)).collect(), biases)
        })
        .collect();
    edits(case, vocab, &all)
}

#[test]
fn bias_masks_and_prefers() {
    for temperature in [0.0, 1.0] {
        let slot = SamplingSlot { temperature, flags: SamplingSlot::BIAS, ..Default::default() };
        let masked = SamplingSlot { flags: SamplingSlot::MASK, ..slot };
        let both = SamplingSlot { flags: SamplingSlot::MASK | SamplingSlot::BIAS, ..slot };
        let setting = slots(vec![slot, slot, SamplingSlot { flags: 0, ..slot }, masked, both]);
        let ran = check(&mut Bench::open(), "bias", &setting, Tolerance::EXACT, |case| {
            let logits = case.tensor_with(&vec![vec![-90.0, 0.0, 0.0, 90.0, 0.0]; 5]);
            let no = f32::NEG_INFINITY;
            let all_but_2 = [0, 1, 3, 4].map(|id| (id, no)).to_vec();
            let own = edits(
                case,
                5,
                &[
                    (vec![], all_but_2.clone()),                // only 2 may be
                    (vec![], vec![(0, 300.0)]),                 // 0 is preferred
                    (vec![], all_but_2),                        // does not count
                    (vec![0], vec![(3, 300.0)]),                // only 0 may be, though it is least likely
                    (vec![0, 4], vec![(0, 190.0), (1, 900.0)]), // 0 rather than 4; what is forbidden is not preferred
                ],
            );
            sample_token(case, &logits, own);
            vec![]
        });
        assert_eq!(tokens(&ran.state, 5), [2, 0, 3, 0, 0], "temperature {temperature}");
    }
}

/// A mask takes from the distribution, whatever the filters: what it forbids is never drawn, what it leaves is.
#[test]
fn masked_draws() {
    let mut bench = Bench::open();
    for vocab in [40, 3001] {
        let z: Vec<f32> = (0..vocab).map(|i| (i as f32 * 0.7).sin()).collect();
        for parameters in settings() {
            let masked = SamplingSlot { flags: SamplingSlot::MASK, ..parameters };
            let setting = seeded(masked, 64, 3);
            let devices = std::iter::once(&mut bench.cpu).chain(bench.gpu.as_mut());
            for device in devices {
                let ran = run(device, &setting, |case| {
                    let logits = case.tensor_with(&vec![z.clone(); 64]);
                    let slot = |slot: u32| (vec![slot % 40, (slot + 1) % 40, 39 - slot % 40], vec![]);
                    let own = edits(case, vocab, &(0..64).map(slot).collect::<Vec<_>>());
                    sample_token(case, &logits, own);
                    vec![]
                });
                for (slot, id) in (0..64).zip(tokens(&ran.state, 64)) {
                    let allowed = [slot % 40, (slot + 1) % 40, 39 - slot % 40];
                    assert!(allowed.contains(&id), "{vocab}, {parameters:?}: {id} of {allowed:?}");
                }
            }
        }
    }
}

/// What top-k, top-p and min-p leave of the softmax of `z` / temperature, in plain f64.
fn probabilities(z: &[f32], s: &SamplingSlot) -> Vec<f64> {
    let max = z.iter().copied().fold(f32::MIN, f32::max);
    let weight = |i: usize| f64::from((z[i] - max) / s.temperature).exp();
    let mut order: Vec<usize> = (0..z.len()).collect();
    order.sort_by(|a, b| z[*b].total_cmp(&z[*a]));
    if s.top_k > 0 {
        order.truncate(s.top_k as usize);
    }
    let total: f64 = order.iter().map(|i| weight(*i)).sum();
    let (mut sum, mut kept) = (0.0, vec![]);
    for i in order {
        if kept.is_empty() || (sum < f64::from(s.top_p) * total && weight(i) >= f64::from(s.min_p)) {
            kept.push(i);
        }
        sum += weight(i);
    }
    let total: f64 = kept.iter().map(|i| weight(*i)).sum();
    let mut probabilities = vec![0.0; z.len()];
    kept.into_iter().for_each(|i| probabilities[i] = weight(i) / total);
    probabilities
}

fn settings() -> Vec<SamplingSlot> {
    let plain = SamplingSlot { temperature: 1.0, ..Default::default() };
    vec![
        plain,
        SamplingSlot { temperature: 0.5, ..plain },
        SamplingSlot { temperature: 2.0, ..plain },
        SamplingSlot { top_k: 5, ..plain },
        SamplingSlot { top_k: 1, ..plain },
        SamplingSlot { top_k: 1_000_000, ..plain },
        SamplingSlot { top_p: 0.9, ..plain },
        SamplingSlot { top_p: 0.05, ..plain },
        SamplingSlot { top_p: 1e-9, ..plain },
        SamplingSlot { top_p: 0.0, ..plain },
        SamplingSlot { min_p: 0.1, ..plain },
        SamplingSlot { min_p: 1.0, ..plain },
        SamplingSlot { temperature: 1.5, top_k: 8, top_p: 0.8, min_p: 0.05, ..plain },
    ]
}

/// `n` slots with the same parameters and seeds of their own.
fn seeded(parameters: SamplingSlot, n: usize, first: u32) -> Setting {
    slots((first..first + n as u32).map(|i| SamplingSlot { seed: [i, i / 7], ..parameters }).collect())
}

/// Over many seeds the draws follow the softmax of what is kept: Pearson's χ² on both executors.
#[test]
fn draws_follow_the_distribution() {
    let z = [0.3, -1.0, 2.0, 1.1, 1.9, -3.0, 0.0, 0.9, -0.4, 1.5, 2.3];
    let mut bench = Bench::open();
    let (batch, batches) = (512, 8);
    for parameters in settings() {
        let want = probabilities(&z, &parameters);
        let devices = std::iter::once(&mut bench.cpu).chain(bench.gpu.as_mut());
        for device in devices {
            let mut counts = vec![0u32; z.len()];
            for i in 0..batches {
                for id in draw(device, &seeded(parameters, batch, (i * batch) as u32), &z) {
                    counts[id as usize] += 1;
                }
            }
            let n = (batch * batches) as f64;
            let mut chi_square = 0.0;
            for (count, p) in counts.iter().zip(&want) {
                assert!(*p > 0.0 || *count == 0, "a token that was not kept: {counts:?}, {want:?}, {parameters:?}");
                if *p > 0.0 {
                    chi_square += (f64::from(*count) - n * p).powi(2) / (n * p);
                }
            }
            // Mean plus five standard deviations of χ², with a floor for few degrees of freedom.
            let degrees = want.iter().filter(|p| **p > 0.0).count() as f64 - 1.0;
            let most = degrees + 5.0 * (2.0 * degrees).sqrt() + 3.0;
            assert!(chi_square < most, "χ² {chi_square} of {degrees} degrees: {counts:?}, {want:?}, {parameters:?}");
        }
    }
}

/// Large vocabularies: exactly the kept tokens are drawn, the same ones on both executors, again and again.
#[test]
fn draws_are_kept_tokens_and_repeat() {
    let mut bench = Bench::open();
    for vocab in [2, 255, 256, 257, 3001, 50257] {
        // Golden-ratio steps: distinct logits from −8 to 8, in no order.
        let z: Vec<f32> = (1..=vocab).map(|i| ((i as f64 * 0.618_033_988_75).fract() * 16.0 - 8.0) as f32).collect();
        for parameters in settings() {
            let setting = seeded(parameters, 32, 1000);
            let kept = probabilities(&z, &parameters);
            let ids = draw(&mut bench.cpu, &setting, &z);
            for id in &ids {
                assert!(kept[*id as usize] > 0.0, "{vocab}, {parameters:?}: {id}");
            }
            if let Some(gpu) = &mut bench.gpu {
                let again = draw(gpu, &setting, &z);
                assert_eq!(again, draw(gpu, &setting, &z), "same seed, same id");
                let differ = ids.iter().zip(&again).filter(|(a, b)| a != b).count();
                // Roundings of exp and log can decide between two near-equal scores.
                assert!(differ <= 1, "{vocab}, {parameters:?}: {differ} of 32 draws differ from the CPU's");
                assert!(again.iter().all(|id| kept[*id as usize] > 0.0));
            }
        }
    }
}

/// Equal logits at a threshold are all kept.
#[test]
fn ties_are_kept() {
    let mut bench = Bench::open();
    let z = [1.0, 3.0, 2.0, 2.0, -1.0, 2.0];
    for parameters in [
        SamplingSlot { temperature: 1.0, top_k: 2, ..Default::default() },
        SamplingSlot { temperature: 1.0, top_p: 0.6, ..Default::default() },
    ] {
        let devices = std::iter::once(&mut bench.cpu).chain(bench.gpu.as_mut());
        for device in devices {
            let mut ids = draw(device, &seeded(parameters, 256, 0), &z);
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids, [1, 2, 3, 5]);
        }
    }
}

/// The noise depends on position and on both halves of the seed.
#[test]
fn draws_vary_with_seed_and_position() {
    let mut bench = Bench::open();
    let z = [0.0; 1000];
    let plain = SamplingSlot { temperature: 1.0, ..Default::default() };
    let seeds = |seed: fn(u32) -> [u32; 2]| -> Setting {
        slots((0..64).map(|i| SamplingSlot { seed: seed(i), ..plain }).collect())
    };
    let mut positions = seeds(|_| [5, 5]);
    positions.layout.context = 64;
    positions.state = vec![0; 64 * 68];
    for (i, row) in positions.rows.iter_mut().enumerate() {
        (row.position, row.token) = (i as u32, 0);
    }
    for setting in [seeds(|i| [i, 0]), seeds(|i| [0, i]), positions] {
        let devices = std::iter::once(&mut bench.cpu).chain(bench.gpu.as_mut());
        for device in devices {
            let mut ids = draw(device, &setting, &z);
            ids.sort_unstable();
            ids.dedup();
            // 64 draws of 1000 collide about twice.
            assert!(ids.len() > 52, "{} different ids", ids.len());
        }
    }
}

/// Slots with different parameters share a run.
#[test]
fn slots_are_independent() {
    let mut bench = Bench::open();
    let all: Vec<SamplingSlot> =
        settings().into_iter().enumerate().map(|(i, s)| SamplingSlot { seed: [i as u32, 9], ..s }).collect();
    let z: Vec<f32> = (0..700).map(|i| (i as f32 * 0.7).sin() * 3.0).collect();
    let devices = std::iter::once(&mut bench.cpu).chain(bench.gpu.as_mut());
    for device in devices {
        let together = draw(device, &slots(all.clone()), &z);
        for (slot, parameters) in all.iter().enumerate() {
            // The same position, whatever slot the row is in.
            assert_eq!(draw(device, &slots(vec![*parameters]), &z), [together[slot]], "{parameters:?}");
        }
    }
}
