//! Products of weight rows and activation rows, made for speed: what matvec and matmul are on the CPU.
//!
//! One body, compiled for several instruction sets and for every weight format. For few activation rows the codes are
//! multiplied as they are, as integers, with activations rounded to 16 bits, and each group's sum by its scale. For many,
//! weights are dequantised to f32 a few hundred at a time, into memory that stays in the nearest cache, and multiplied
//! from there.

use super::dispatch::{Vectorized, vectorized};
use super::lanes::Lanes;
use super::{in_parallel, items_a_part};
use crate::quant::{Codec, ForCodec, Format};
use std::marker::PhantomData;
use std::ops::Range;

/// Weight rows that are multiplied together when there are many activation rows.
const W: usize = 4;
/// Activation rows up to which each weight row is multiplied by itself.
const FEW: usize = 3;
/// Weights taken apart at a time: a whole number of every format's blocks.
const CHUNK: usize = 1024;
/// Groups in a chunk, at most.
const GROUPS: usize = CHUNK / 16;

/// Multiply-adds that are worth a thread of their own.
const WORTH_A_THREAD: usize = 1 << 16;

/// [T, N] = x · weightᵀ, `weight` [N, K] in `format` as in the file, `x` being T rows of K; on all threads.
pub fn products(format: Format, weight: &[u8], x: &[&[f32]]) -> Vec<f32> {
    let (rows, k) = (x.len(), x[0].len());
    let row_bytes = format.row_bytes(k).expect("whole blocks");
    let n = weight.len() / row_bytes;
    let rounded = (rows <= FEW && format.is_quantized()).then(|| x.iter().map(|x| Rounded::of(x)).collect::<Vec<_>>());
    let least = (WORTH_A_THREAD / (k * rows)).max(W);
    let mut parts = vec![0f32; n * rows]; // of each part of the weight [T, n]
    in_parallel(&mut parts, rows, least, |first, out| {
        let weight = &weight[first * row_bytes..][..out.len() / rows * row_bytes];
        format.run(Products { weight, x, rounded: rounded.as_deref().unwrap_or_default(), out });
    });
    let part = items_a_part(n, least);
    if rows == 1 || part >= n {
        return parts;
    }
    let mut out = vec![0f32; rows * n];
    for (i, from) in parts.chunks(part * rows).enumerate() {
        for (to, from) in out.chunks_exact_mut(n).zip(from.chunks_exact(from.len() / rows)) {
            to[i * part..][..from.len()].copy_from_slice(from);
        }
    }
    out
}

/// An activation row in 16-bit integers, each 32 with a scale of their own: rounded by 2⁻¹⁶ of the largest of them.
struct Rounded {
    numbers: Vec<i16>,
    scales: Vec<f32>,
    /// Of each 16: what a group's min is multiplied with.
    sums: Vec<f32>,
}

impl Rounded {
    /// Of a row of whole blocks.
    fn of(x: &[f32]) -> Rounded {
        let mut rounded = Rounded { numbers: vec![0; x.len()], scales: Vec::new(), sums: Vec::new() };
        for (x, numbers) in x.chunks_exact(32).zip(rounded.numbers.chunks_exact_mut(32)) {
            let largest = x.iter().fold(0f32, |largest, x| largest.max(x.abs()));
            let inverse = if largest == 0.0 { 0.0 } else { 32767.0 / largest };
            for (number, x) in numbers.iter_mut().zip(x) {
                *number = (x * inverse).round_ties_even() as i16;
            }
            rounded.scales.push(largest / 32767.0);
            rounded.sums.extend(x.chunks_exact(16).map(|x| x.iter().sum::<f32>()));
        }
        rounded
    }
}

struct Products<'a> {
    weight: &'a [u8],
    x: &'a [&'a [f32]],
    /// The same rows, where they are few and the weight is quantised.
    rounded: &'a [Rounded],
    /// [T, N]
    out: &'a mut [f32],
}

impl ForCodec for Products<'_> {
    fn run<C: Codec>(self) {
        vectorized(OfFormat(self, PhantomData::<C>));
    }
}

struct OfFormat<'a, C>(Products<'a>, PhantomData<C>);

impl<C: Codec> Vectorized for OfFormat<'_, C> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        // SAFETY: as this function's.
        unsafe {
            match self.0.x.len() {
                0 => {}
                1..=FEW => few::<C, V>(self.0),
                // As many sums as there are registers for.
                _ if V::N == 16 => many::<C, V, 4>(self.0),
                _ => many::<C, V, 2>(self.0),
            }
        }
    }
}

/// A chunk's codes, and its groups' scales and mins.
struct Unpacked {
    codes: [i8; CHUNK],
    scales: [f32; GROUPS],
    mins: [f32; GROUPS],
}

impl Unpacked {
    fn new() -> Self {
        Unpacked { codes: [0; CHUNK], scales: [0.0; GROUPS], mins: [0.0; GROUPS] }
    }

    #[inline(always)]
    fn fill<C: Codec>(&mut self, src: &[u8], columns: usize) {
        let groups = columns / C::GROUP;
        C::unpack(src, &mut self.codes[..columns], &mut self.scales[..groups], &mut self.mins[..groups]);
    }
}

fn row_bytes<C: Codec>(columns: usize) -> usize {
    C::FORMAT.row_bytes(columns).expect("whole blocks")
}

/// Few activation rows: each weight row is taken apart once and multiplied with all of them.
#[inline(always)]
unsafe fn few<C: Codec, V: Lanes>(Products { weight, x, rounded, out }: Products) {
    let k = x[0].len();
    let bytes = row_bytes::<C>(k);
    let n = weight.len() / bytes;
    if C::GROUP == 0 {
        for (i, row) in weight.chunks_exact(bytes).enumerate() {
            for (t, x) in x.iter().enumerate() {
                // SAFETY: as this function's.
                out[t * n + i] = unsafe { dot_of_floats::<C, V>(row, x) };
            }
        }
        return;
    }
    let mut unpacked = Unpacked::new();
    for (i, row) in weight.chunks_exact(bytes).enumerate() {
        for first in (0..k).step_by(CHUNK) {
            let columns = first..(first + CHUNK).min(k);
            unpacked.fill::<C>(&row[row_bytes::<C>(first)..row_bytes::<C>(columns.end)], columns.len());
            for (t, x) in rounded.iter().enumerate() {
                // SAFETY: as this function's.
                out[t * n + i] += unsafe { dot_of_codes::<C, V>(&unpacked, x, columns.clone()) };
            }
        }
    }
}

/// Σ (scale × code − min) × x over a chunk.
#[inline(always)]
unsafe fn dot_of_codes<C: Codec, V: Lanes>(unpacked: &Unpacked, x: &Rounded, columns: Range<usize>) -> f32 {
    let (numbers, blocks) = (&x.numbers[columns.clone()], columns.start / 32..columns.end / 32);
    assert!(numbers.len() <= CHUNK && numbers.len().is_multiple_of(32));
    let sums = &x.sums[2 * blocks.start..2 * blocks.end];
    let groups = &unpacked.scales[..numbers.len() / C::GROUP];
    let mut mins = 0f32;
    // SAFETY: numbers and codes are as many as are read, and the processor has the instruction set of `V`.
    unsafe {
        let mut totals = [V::zero(); 4];
        for (block, scale) in x.scales[blocks].iter().enumerate() {
            let scales = match C::GROUP {
                32 => [groups[block] * scale; 2],
                _ => [groups[2 * block] * scale, groups[2 * block + 1] * scale],
            };
            let (codes, x) = (unpacked.codes.as_ptr().add(32 * block), numbers.as_ptr().add(32 * block));
            totals[block % 4] = V::dot_codes(codes, x, scales, totals[block % 4]);
        }
        match C::GROUP {
            32 => unpacked.mins.iter().zip(sums.chunks_exact(2)).for_each(|(min, s)| mins += min * (s[0] + s[1])),
            _ => unpacked.mins.iter().zip(sums).for_each(|(min, sum)| mins += min * sum),
        }
        totals[0].add(totals[1]).add(totals[2].add(totals[3])).sum() - mins
    }
}

/// Σ weight × x of a row of plain floating-point numbers.
#[inline(always)]
unsafe fn dot_of_floats<C: Codec, V: Lanes>(row: &[u8], x: &[f32]) -> f32 {
    let size = C::FORMAT.block_bytes();
    assert_eq!(row.len(), size * x.len());
    let whole = x.len() / (4 * V::N) * (4 * V::N);
    let mut rest = [0f32; 4 * 16];
    let rest = &mut rest[..x.len() - whole];
    C::dequantize(&row[whole * size..], rest);
    let tail: f32 = rest.iter().zip(&x[whole..]).map(|(w, x)| w * x).sum();
    // SAFETY: `whole` numbers lie at both, and the processor has the instruction set of `V`.
    unsafe {
        let mut sums = [V::zero(); 4];
        for at in (0..whole).step_by(4 * V::N) {
            for (i, sum) in sums.iter_mut().enumerate() {
                let at = at + i * V::N;
                *sum = load::<V>(C::FORMAT, row.as_ptr().add(at * size)).mul_add(V::load(x.as_ptr().add(at)), *sum);
            }
        }
        sums[0].add(sums[1]).add(sums[2].add(sums[3])).sum() + tail
    }
}

/// Numbers of one of the plain formats; `format` is a constant where this is inlined.
#[inline(always)]
unsafe fn load<V: Lanes>(format: Format, at: *const u8) -> V {
    // SAFETY: as this function's.
    unsafe {
        match format {
            Format::F16 => V::load_halves(at.cast()),
            Format::BF16 => V::load_bfloats(at.cast()),
            _ => V::load(at.cast()),
        }
    }
}

/// Many activation rows, T of them with W weight rows at a time.
#[inline(always)]
unsafe fn many<C: Codec, V: Lanes, const T: usize>(Products { weight, x, out, .. }: Products) {
    let (k, rows) = (x[0].len(), x.len());
    let bytes = row_bytes::<C>(k);
    let mut unpacked = Unpacked::new();
    let mut scratch = [[0f32; CHUNK]; W];
    let n = weight.len() / bytes;
    for (group, weights) in weight.chunks(W * bytes).enumerate() {
        let in_group = weights.len() / bytes;
        for first in (0..k).step_by(CHUNK) {
            let columns = first..(first + CHUNK).min(k);
            let at = row_bytes::<C>(first)..row_bytes::<C>(columns.end);
            for (w, scratch) in weights.chunks_exact(bytes).zip(&mut scratch) {
                // SAFETY: as this function's.
                unsafe { dequantize::<C, V>(&w[at.clone()], &mut unpacked, &mut scratch[..columns.len()]) };
            }
            let w: [&[f32]; W] = std::array::from_fn(|w| &scratch[w][..columns.len()]);
            for t in (0..rows).step_by(T) {
                // What is missing of the last tile is computed as well, and thrown away.
                let of_tile: [&[f32]; T] = std::array::from_fn(|i| &x[(t + i).min(rows - 1)][columns.clone()]);
                // SAFETY: as this function's.
                let sums = unsafe { tile::<V, T>(w, of_tile) };
                for (w, sums) in sums.iter().enumerate().take(in_group) {
                    for (i, sum) in sums.iter().enumerate().take(rows - t) {
                        out[(t + i) * n + group * W + w] += sum;
                    }
                }
            }
        }
    }
}

/// A chunk of a weight row → f32.
#[inline(always)]
unsafe fn dequantize<C: Codec, V: Lanes>(src: &[u8], unpacked: &mut Unpacked, dst: &mut [f32]) {
    if C::GROUP == 0 {
        let size = C::FORMAT.block_bytes();
        let whole = dst.len() / V::N * V::N;
        assert_eq!(src.len(), size * dst.len());
        for at in (0..whole).step_by(V::N) {
            // SAFETY: `whole` numbers lie at both, and the processor has the instruction set of `V`.
            unsafe { load::<V>(C::FORMAT, src.as_ptr().add(at * size)).store(dst.as_mut_ptr().add(at)) };
        }
        return C::dequantize(&src[whole * size..], &mut dst[whole..]);
    }
    unpacked.fill::<C>(src, dst.len());
    let scales = unpacked.scales.iter().zip(&unpacked.mins);
    for ((dst, codes), (scale, min)) in
        dst.chunks_exact_mut(C::GROUP).zip(unpacked.codes.chunks_exact(C::GROUP)).zip(scales)
    {
        // SAFETY: both have C::GROUP numbers, and the processor the instruction set of `V`.
        unsafe {
            let (scale, min) = (V::splat(*scale), V::splat(-min));
            for at in (0..C::GROUP).step_by(16) {
                for (i, code) in V::load_codes(codes.as_ptr().add(at)).as_ref().iter().enumerate() {
                    code.mul_add(scale, min).store(dst.as_mut_ptr().add(at + i * V::N));
                }
            }
        }
    }
}

/// Every one of W weight rows times every one of T activation rows, with W × T sums in registers.
#[inline(always)]
unsafe fn tile<V: Lanes, const T: usize>(w: [&[f32]; W], x: [&[f32]; T]) -> [[f32; T]; W] {
    let columns = x[0].len();
    assert!(w.iter().chain(&x).all(|row| row.len() == columns));
    let whole = columns / V::N * V::N;
    let tail = |w: &[f32], x: &[f32]| -> f32 { w[whole..].iter().zip(&x[whole..]).map(|(w, x)| w * x).sum() };
    // SAFETY: every row has `columns` numbers, and the processor the instruction set of `V`.
    unsafe {
        let mut sums = [[V::zero(); T]; W];
        let mut at = 0;
        while at < whole {
            let mut column = [V::zero(); T]; // of x, loaded once for all weights
            for (column, x) in column.iter_mut().zip(&x) {
                *column = V::load(x.as_ptr().add(at));
            }
            for (w, sums) in w.iter().zip(&mut sums) {
                let w = V::load(w.as_ptr().add(at));
                for (x, sum) in column.iter().zip(sums) {
                    *sum = w.mul_add(*x, *sum);
                }
            }
            at += V::N;
        }
        let mut totals = [[0f32; T]; W];
        for i in 0..W {
            for t in 0..T {
                totals[i][t] = sums[i][t].sum() + tail(w[i], x[t]);
            }
        }
        totals
    }
}
