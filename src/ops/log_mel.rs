//! y [T, M] = log₁₀ of the energy in M mel bands of a sound: what Whisper hears (Radford et al. 2022,
//! <https://arxiv.org/abs/2212.04356>), before [`mel_range`](super::mel_range).

use crate::device::{BufferId, Kernel, Options, Pass, Slot, Tensor, Twin, kernel, params};
use cresset_numerics::in_parallel;
use cresset_numerics::rows::dot;
use std::f64::consts::TAU;
use std::sync::OnceLock;

pub static LOG_MEL: Kernel =
    kernel!(log_mel, [Uniform, Read, Read, Read, Write, Write], shared: ["control"]).fast(fast);

/// Samples of a frame: 25 ms at 16 kHz.
pub const FRAME: usize = 400;
/// Samples from one frame to the next: 10 ms.
pub const HOP: usize = 160;
/// Frequencies of a frame's spectrum, 40 Hz apart.
const BINS: usize = FRAME / 2 + 1;
/// The least energy: its logarithm is −10.
const LEAST: f32 = 1e-10;

params! {
    struct Params {
        mels: u32,
        stride: u32,
        unused: [u32; 2],
    }
}

/// Records the mel bands y [T, M] of `samples` [160 (T − 1) + 400], and of each frame the largest: `peaks` [T + 2].
/// `tables`: [`mel_tables`].
pub fn log_mel(pass: &mut Pass, samples: BufferId, tables: BufferId, peaks: BufferId, y: &Tensor) {
    let params = Params { mels: y.columns as u32, stride: y.stride() as u32, unused: [0; 2] };
    let bindings = [pass.control, samples, tables, y.buffer, peaks];
    pass.record(&LOG_MEL, Options::default(), params, &bindings, [y.rows as u32, 1, 1]);
}

/// The kernel's tables: Hann's window [400], the cosines of a full turn [400], the filters [M, 201] on Slaney's mel
/// scale, each of area 1, as librosa and transformers' `mel_filter_bank(norm="slaney", mel_scale="slaney")` make them.
pub fn mel_tables(mels: usize) -> Vec<f32> {
    let turn = |i: usize| (TAU * i as f64 / FRAME as f64).cos();
    let mut tables: Vec<f32> = (0..FRAME).map(|i| (0.5 - 0.5 * turn(i)) as f32).collect();
    tables.extend((0..FRAME).map(|i| turn(i) as f32));
    let top = hertz_to_mel(8000.0);
    let edges: Vec<f64> = (0..mels + 2).map(|i| mel_to_hertz(top * i as f64 / (mels + 1) as f64)).collect();
    for edge in edges.windows(3) {
        let [low, middle, high] = [edge[0], edge[1], edge[2]];
        tables.extend((0..BINS).map(|bin| {
            let hertz = 40.0 * bin as f64;
            let slope = ((hertz - low) / (middle - low)).min((high - hertz) / (high - middle));
            (slope.max(0.0) * 2.0 / (high - low)) as f32
        }));
    }
    tables
}

/// Slaney's scale: linear up to 1000 Hz, 15 mel, logarithmic above.
fn hertz_to_mel(hertz: f64) -> f64 {
    if hertz < 1000.0 { 3.0 * hertz / 200.0 } else { 15.0 + (hertz / 1000.0).ln() * 27.0 / 6.4f64.ln() }
}

fn mel_to_hertz(mel: f64) -> f64 {
    if mel < 15.0 { 200.0 * mel / 3.0 } else { 1000.0 * ((mel - 15.0) * 6.4f64.ln() / 27.0).exp() }
}

/// The sums and differences of a windowed frame's samples that are as far from either end.
fn folded(frame: &[f32], window: &[f32]) -> [[f32; BINS]; 2] {
    let at = |i: usize| frame[i] * window[i];
    let (mut sums, mut differences) = ([0.0; BINS], [0.0; BINS]);
    (sums[0], sums[BINS - 1]) = (at(0), at(BINS - 1)); // they have no partner
    for i in 1..BINS - 1 {
        (sums[i], differences[i]) = (at(i) + at(FRAME - i), at(i) - at(FRAME - i));
    }
    [sums, differences]
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let (control, samples, tables) = (t.read::<u32>(1), t.read::<f32>(2), t.read::<f32>(3));
    let (mut y, mut peaks) = (t.write::<f32>(4), t.write::<f32>(5));
    let (window, rest) = tables.split_at(FRAME);
    let (cosines, filters) = rest.split_at(FRAME);
    for r in 0..Slot::rows(&control) {
        let [sums, differences] = folded(&samples[r * HOP..][..FRAME], window);
        let power: Vec<f32> = (0..BINS)
            .map(|bin| {
                let real: f32 = (0..BINS).map(|i| sums[i] * cosines[bin * i % FRAME]).sum();
                let imaginary: f32 = (0..BINS).map(|i| differences[i] * cosines[(bin * i + 300) % FRAME]).sum();
                real * real + imaginary * imaginary
            })
            .collect();
        let y = &mut y[r * p.stride as usize..][..p.mels as usize];
        for (y, filter) in y.iter_mut().zip(filters.chunks_exact(BINS)) {
            *y = filter.iter().zip(&power).map(|(f, power)| f * power).sum::<f32>().max(LEAST).log10();
        }
        peaks[r] = y.iter().fold(LEAST.log10(), |most, y| most.max(*y));
    }
}

/// Row by row the cosines and sines of each frequency, [201, 2, 201].
fn turns() -> &'static [f32] {
    static TURNS: OnceLock<Vec<f32>> = OnceLock::new();
    TURNS.get_or_init(|| {
        let angle = |bin: usize, i: usize| TAU * (bin * i % FRAME) as f64 / FRAME as f64;
        let of = |bin: usize| {
            let cosines = (0..BINS).map(move |i| angle(bin, i).cos() as f32);
            cosines.chain((0..BINS).map(move |i| angle(bin, i).sin() as f32))
        };
        (0..BINS).flat_map(of).collect()
    })
}

/// The twin, made for speed.
fn fast(t: &Twin) {
    let p: Params = t.params();
    let (control, samples, tables) = (t.read::<u32>(1), t.read::<f32>(2), t.read::<f32>(3));
    let (mut y, mut peaks) = (t.write::<f32>(4), t.write::<f32>(5));
    let (samples, window, filters) = (&samples[..], &tables[..FRAME], &tables[2 * FRAME..]);
    let (rows, stride, mels) = (Slot::rows(&control), p.stride as usize, p.mels as usize);
    in_parallel(&mut y[..rows * stride], stride, 4, |first, y| {
        let mut power = [0.0; BINS];
        for (r, y) in (first..).zip(y.chunks_exact_mut(stride)) {
            let [sums, differences] = folded(&samples[r * HOP..][..FRAME], window);
            for (power, turns) in power.iter_mut().zip(turns().chunks_exact(2 * BINS)) {
                let (real, imaginary) = (dot(&sums, &turns[..BINS]), dot(&differences, &turns[BINS..]));
                *power = real * real + imaginary * imaginary;
            }
            for (y, filter) in y[..mels].iter_mut().zip(filters.chunks_exact(BINS)) {
                *y = dot(filter, &power).max(LEAST).log10();
            }
        }
    });
    for (peak, y) in peaks.iter_mut().zip(y[..rows * stride].chunks_exact(stride)) {
        *peak = y[..mels].iter().fold(LEAST.log10(), |most, y| most.max(*y));
    }
}
