//! Products of weight rows and activation rows, made for speed: what matvec and matmul are on the CPU.
//!
//! One body, compiled for several instruction sets and for every weight format. For few activation rows the codes are
//! multiplied as they come into registers, as integers, with activations rounded to 16 bits, and each group's sum by its
//! scale. For many, weights are dequantised to f32 some hundred at a time, into memory that stays in the nearest cache,
//! and multiplied from there.

use crate::dispatch::{Vectorized, vectorized};
use crate::lanes::Lanes;
use crate::math::{folded, max};
use crate::quant::{Codec, ForCodec, Format};
use crate::threads::in_parallel;
use std::marker::PhantomData;
use std::ops::Range;

/// Weight rows that are multiplied together when there are many activation rows.
const W: usize = 4;
/// Activation rows up to which each weight row is multiplied by itself.
const SKINNY: usize = 3;
/// Rows between those of few activation rows that are multiplied together.
const APART: usize = 16;
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
    let rounded =
        (rows <= SKINNY && format.is_quantized()).then(|| x.iter().map(|x| Rounded::of(x)).collect::<Vec<_>>());
    let least = (WORTH_A_THREAD / (k * rows)).max(W);
    let mut parts = vec![0f32; n * rows]; // of each part of the weight [T, n]
    let part = in_parallel(&mut parts, rows, least, |first, out| {
        let weight = &weight[first * row_bytes..][..out.len() / rows * row_bytes];
        format.run(Products { weight, x, rounded: rounded.as_deref().unwrap_or_default(), out });
    });
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
    numbers: Vec<Integers>,
    scales: Vec<f32>,
    /// Sums of 16 numbers each, which multiply the mins of groups of 16.
    sums_of_16: Vec<f32>,
    /// Sums of 32 numbers each, for groups of 32.
    sums_of_32: Vec<f32>,
}

/// 32 of them, where a register of any width finds them in one line of the cache.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Integers([i16; 32]);

impl Rounded {
    /// `x` is a row of whole blocks.
    fn of(x: &[f32]) -> Rounded {
        // Added, it leaves a whole number in the lowest bits, rounded to the nearest.
        const ROUND: f32 = 12_582_912.0; // 1.5 × 2²³
        let (blocks, _) = x.as_chunks::<32>();
        let n = blocks.len();
        let (numbers, scales) = (vec![Integers([0; 32]); n], Vec::with_capacity(n));
        let mut rounded =
            Rounded { numbers, scales, sums_of_16: Vec::with_capacity(2 * n), sums_of_32: Vec::with_capacity(n) };
        for (x, numbers) in blocks.iter().zip(&mut rounded.numbers) {
            let largest = folded(&x.map(|x| max(x.abs(), 0.0)), max);
            let inverse = if largest == 0.0 { 0.0 } else { 32767.0 / largest };
            for (number, x) in numbers.0.iter_mut().zip(x) {
                *number = (x * inverse + ROUND).to_bits() as i16;
            }
            let (halves, _) = x.as_chunks::<16>();
            let [low, high] = [0, 1].map(|i| folded(&halves[i], |a, b| a + b));
            // NaN and infinity have no integer: the scale keeps that they were there.
            rounded.scales.push(if (low + high).is_finite() { largest / 32767.0 } else { f32::NAN });
            rounded.sums_of_16.extend([low, high]);
            rounded.sums_of_32.push(low + high);
        }
        rounded
    }
}

/// Rows of whole blocks.
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
        // SAFETY: as this function's, and the rows of [`Products`] are whole blocks.
        unsafe {
            match self.0.x.len() {
                0 => {}
                1..=SKINNY => skinny::<C, V>(self.0),
                // As many sums as there are registers for.
                _ if V::N == 16 => many::<C, V, 4>(self.0),
                _ => many::<C, V, 2>(self.0),
            }
        }
    }
}

/// The scales and mins of a chunk's groups.
struct Scales {
    scales: [f32; GROUPS],
    mins: [f32; GROUPS],
}

impl Scales {
    fn new() -> Self {
        Scales { scales: [0.0; GROUPS], mins: [0.0; GROUPS] }
    }

    #[inline(always)]
    fn fill<C: Codec>(&mut self, src: &[u8], columns: usize) {
        let groups = columns / C::GROUP;
        C::scales(src, &mut self.scales[..groups], &mut self.mins[..groups]);
    }

    /// Those of a block of 32.
    #[inline(always)]
    fn of<C: Codec>(values: &[f32; GROUPS], block: usize) -> [f32; 2] {
        match C::GROUP {
            32 => [values[block]; 2],
            _ => [values[2 * block], values[2 * block + 1]],
        }
    }
}

/// Bytes of a row of whole blocks.
#[inline(always)]
fn row_bytes<C: Codec>(columns: usize) -> usize {
    columns / C::FORMAT.spec().block_len * C::FORMAT.spec().block_bytes
}

/// Few activation rows: each weight row is taken apart once and multiplied with all of them. W rows at a time, each from a
/// part of its own: memory gives more from several places at once than from one.
///
/// # Safety
/// The processor has the instruction set of `V`, and rows are whole blocks of the format.
#[inline(always)]
unsafe fn skinny<C: Codec, V: Lanes>(Products { weight, x, rounded, out }: Products) {
    let k = x[0].len();
    let bytes = row_bytes::<C>(k);
    let n = weight.len() / bytes;
    let mut scales: [Scales; W] = std::array::from_fn(|_| Scales::new());
    for step in 0..n.div_ceil(W * APART) * APART {
        let first_row = step / APART * W * APART + step % APART;
        // Rows past the last are computed as if they were it, and thrown away.
        let rows: [&[u8]; W] = std::array::from_fn(|w| &weight[(first_row + w * APART).min(n - 1) * bytes..][..bytes]);
        let mut add = |t: usize, sums: [f32; W]| {
            for (w, sum) in sums.into_iter().enumerate() {
                let row = first_row + w * APART;
                if row < n {
                    out[t * n + row] += sum;
                }
            }
        };
        if C::GROUP == 0 {
            for (t, x) in x.iter().enumerate() {
                // SAFETY: as this function's.
                add(t, unsafe { dots_of_floats::<C, V>(rows, x) });
            }
            continue;
        }
        for first in (0..k).step_by(CHUNK) {
            let columns = first..(first + CHUNK).min(k);
            let at = row_bytes::<C>(first)..row_bytes::<C>(columns.end);
            let rows = rows.map(|row| &row[at.clone()]);
            if !C::HAS_PLAIN_SCALES {
                rows.iter().zip(&mut scales).for_each(|(row, scales)| scales.fill::<C>(row, columns.len()));
            }
            for (t, x) in rounded.iter().enumerate() {
                // SAFETY: as this function's.
                add(t, unsafe { dots_of_codes::<C, V>(rows, &scales, x, columns.clone()) });
            }
        }
    }
}

/// Σ (scale × code − min) × x over a chunk of W rows, which begins with a whole block.
///
/// # Safety
/// The processor has the instruction set of `V`, and rows are whole blocks of the format.
#[inline(always)]
unsafe fn dots_of_codes<C: Codec, V: Lanes>(
    rows: [&[u8]; W],
    scales: &[Scales; W],
    x: &Rounded,
    columns: Range<usize>,
) -> [f32; W] {
    let blocks = columns.start / 32..columns.end / 32;
    let bytes = row_bytes::<C>(columns.len());
    assert!(columns.len() <= CHUNK && rows.iter().all(|row| row.len() == bytes));
    let x_blocks = x.numbers[blocks.clone()].iter().zip(&x.scales[blocks.clone()]);
    // SAFETY: there are as many codes and numbers as are read, and the processor has the instruction set of `V`.
    unsafe {
        let mut totals = [V::zero(); W];
        for (block, (numbers, x_scale)) in x_blocks.enumerate() {
            for w in 0..W {
                totals[w] = add_block::<C, V>(rows[w], &scales[w], *x_scale, numbers, block, totals[w]);
            }
        }
        let mut sums = V::sums(totals);
        if C::HAS_MINS {
            let x_sums = match C::GROUP {
                32 => &x.sums_of_32[blocks],
                _ => &x.sums_of_16[2 * blocks.start..2 * blocks.end],
            };
            for (sum, scales) in sums.iter_mut().zip(scales) {
                *sum -= dot::<V>(&scales.mins[..x_sums.len()], x_sums);
            }
        }
        sums
    }
}

/// Σ a × b.
///
/// # Safety
/// The processor has the instruction set of `V`.
#[inline(always)]
unsafe fn dot<V: Lanes>(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let whole = a.len() / V::N * V::N;
    let tail: f32 = a[whole..].iter().zip(&b[whole..]).map(|(a, b)| a * b).sum();
    // SAFETY: `whole` numbers lie at both, and the processor has the instruction set of `V`.
    unsafe {
        let mut sum = V::zero();
        for at in (0..whole).step_by(V::N) {
            sum = V::load(a.as_ptr().add(at)).mul_add(V::load(b.as_ptr().add(at)), sum);
        }
        sum.sum() + tail
    }
}

/// total + scale × code × x of a block. A function, not a closure: those are not always inlined, and then lack the
/// instruction set.
///
/// # Safety
/// The processor has the instruction set of `V`. `src` has more than `block` blocks of 32 weights.
#[inline(always)]
unsafe fn add_block<C: Codec, V: Lanes>(
    src: &[u8],
    scales: &Scales,
    x_scale: f32,
    numbers: &Integers,
    block: usize,
    total: V,
) -> V {
    // SAFETY: as this function's: there are so many blocks of codes and numbers.
    unsafe {
        let of_block = match C::HAS_PLAIN_SCALES {
            true => [V::half(src.as_ptr().add(row_bytes::<C>(32 * block))); 2],
            false => Scales::of::<C>(&scales.scales, block),
        };
        let codes = C::registers::<V>(src.as_ptr(), block);
        let of_block = of_block.map(|scale| scale * x_scale);
        V::dot_codes(codes, numbers.0.as_ptr(), of_block, C::GROUP == 32, total)
    }
}

/// Σ weight × x of W rows of plain floating-point numbers.
///
/// # Safety
/// The processor has the instruction set of `V`.
#[inline(always)]
unsafe fn dots_of_floats<C: Codec, V: Lanes>(rows: [&[u8]; W], x: &[f32]) -> [f32; W] {
    /// Registers of a row at a time, so that sums don't wait for each other.
    const U: usize = 2;
    let size = C::FORMAT.block_bytes();
    assert!(rows.iter().all(|row| row.len() == size * x.len()));
    let whole = x.len() / (U * V::N) * (U * V::N);
    let tails = rows.map(|row| {
        let mut rest = [0f32; U * 16];
        let rest = &mut rest[..x.len() - whole];
        C::dequantize(&row[whole * size..], rest);
        rest.iter().zip(&x[whole..]).map(|(w, x)| w * x).sum::<f32>()
    });
    // Weights are left as they come where that takes a step less; half of what they lack goes to x and half to the sum, since
    // all of it would be too much for either.
    let lack = if C::FORMAT == Format::F16 { V::RAW_HALF.sqrt() } else { 1.0 };
    // SAFETY: `whole` numbers lie at each, and the processor has the instruction set of `V`.
    unsafe {
        let mut sums = [[V::zero(); U]; W];
        for at in (0..whole).step_by(U * V::N) {
            for u in 0..U {
                let at = at + u * V::N;
                let mut column = V::load(x.as_ptr().add(at));
                if lack != 1.0 {
                    column = column.mul(V::splat(lack));
                }
                for (row, sums) in rows.iter().zip(&mut sums) {
                    let at = row.as_ptr().add(at * size);
                    let weights = if lack != 1.0 { V::raw_halves(at.cast()) } else { load::<V>(C::FORMAT, at) };
                    sums[u] = weights.mul_add(column, sums[u]);
                }
            }
        }
        let sums = V::sums(sums.map(|[a, b]| a.add(b)));
        std::array::from_fn(|w| sums[w] * lack + tails[w])
    }
}

/// Numbers of one of the plain formats; `format` is a constant where this is inlined.
///
/// # Safety
/// The processor has the instruction set of `V`. `V::N` numbers in `format` may be read at `at`.
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

/// Numbers where a register of any width finds its own in one line of the cache.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

fn flattened(lines: &mut [Line]) -> &mut [f32] {
    // SAFETY: a line is sixteen numbers and nothing else.
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), 16 * lines.len()) }
}

/// Lines of a chunk.
const LINES: usize = CHUNK / 16;

/// Many activation rows, T of them with W weight rows at a time.
///
/// # Safety
/// The processor has the instruction set of `V`, and rows are whole blocks of the format.
#[inline(always)]
unsafe fn many<C: Codec, V: Lanes, const T: usize>(Products { weight, x, out, .. }: Products) {
    let (k, rows) = (x[0].len(), x.len());
    let bytes = row_bytes::<C>(k);
    let mut scales = Scales::new();
    let mut scratch = [[Line([0.0; 16]); LINES]; W];
    let n = weight.len() / bytes;
    let lines_a_row = CHUNK.min(k).div_ceil(16);
    let mut packed = vec![Line([0.0; 16]); rows * lines_a_row];
    for first in (0..k).step_by(CHUNK) {
        let columns = first..(first + CHUNK).min(k);
        let at = row_bytes::<C>(first)..row_bytes::<C>(columns.end);
        let lines = columns.len().div_ceil(16);
        // Past the last column both are zero.
        for (x, packed) in x.iter().zip(packed.chunks_exact_mut(lines_a_row)) {
            packed[lines - 1] = Line([0.0; 16]);
            for (x, line) in x[columns.clone()].chunks(16).zip(packed) {
                line.0[..x.len()].copy_from_slice(x);
            }
        }
        for (group, weights) in weight.chunks(W * bytes).enumerate() {
            let in_group = weights.len() / bytes;
            for (w, scratch) in weights.chunks_exact(bytes).zip(&mut scratch) {
                scratch[lines - 1] = Line([0.0; 16]);
                let numbers = flattened(&mut scratch[..lines]);
                // SAFETY: as this function's.
                unsafe { dequantize::<C, V>(&w[at.clone()], &mut scales, &mut numbers[..columns.len()]) };
            }
            let w: [&[Line]; W] = std::array::from_fn(|w| &scratch[w][..lines]);
            for t in (0..rows).step_by(T) {
                // Rows past the last are computed like it, and thrown away.
                let row = |i: usize| (t + i).min(rows - 1) * lines_a_row;
                let of_tile: [&[Line]; T] = std::array::from_fn(|i| &packed[row(i)..row(i) + lines]);
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
///
/// # Safety
/// The processor has the instruction set of `V`, and rows are whole blocks of the format.
#[inline(always)]
unsafe fn dequantize<C: Codec, V: Lanes>(src: &[u8], scales: &mut Scales, dst: &mut [f32]) {
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
    scales.fill::<C>(src, dst.len());
    assert_eq!(src.len(), row_bytes::<C>(dst.len()));
    for block in 0..dst.len() / 32 {
        let (of_block, mins) = (Scales::of::<C>(&scales.scales, block), Scales::of::<C>(&scales.mins, block));
        // SAFETY: both have so many blocks, and the processor the instruction set of `V`.
        unsafe {
            V::store_codes(C::registers::<V>(src.as_ptr(), block), of_block, mins, dst.as_mut_ptr().add(32 * block));
        };
    }
}

/// Every one of W weight rows times every one of T activation rows, with W × T sums in registers.
///
/// # Safety
/// The processor has the instruction set of `V`.
#[inline(always)]
unsafe fn tile<V: Lanes, const T: usize>(w: [&[Line]; W], x: [&[Line]; T]) -> [[f32; T]; W] {
    let lines = x[0].len();
    assert!(w.iter().chain(&x).all(|row| row.len() == lines));
    // SAFETY: every row has so many lines, and the processor the instruction set of `V`.
    unsafe {
        let mut sums = [[V::zero(); T]; W];
        let mut at = 0;
        while at < 16 * lines {
            let mut column = [V::zero(); T]; // of x, loaded once for all weights
            for (column, x) in column.iter_mut().zip(&x) {
                *column = V::load(x.as_ptr().cast::<f32>().add(at));
            }
            for (w, sums) in w.iter().zip(&mut sums) {
                let w = V::load(w.as_ptr().cast::<f32>().add(at));
                for (x, sum) in column.iter().zip(sums) {
                    *sum = w.mul_add(*x, *sum);
                }
            }
            at += V::N;
        }
        // Four registers at a time, in the order of the sums.
        let mut totals = [[0f32; T]; W];
        for at in (0..W * T).step_by(4) {
            let mut four = [V::zero(); 4];
            for (i, one) in four.iter_mut().enumerate() {
                *one = sums[(at + i) / T][(at + i) % T];
            }
            for (i, sum) in V::sums(four).into_iter().enumerate() {
                totals[(at + i) / T][(at + i) % T] = sum;
            }
        }
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::{Set, run_on};

    struct Random(u32);

    impl Random {
        fn byte(&mut self) -> u8 {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (self.0 >> 24) as u8
        }

        fn number(&mut self) -> f32 {
            f32::from(self.byte()) / 64.0 + f32::from(self.byte()) / 16384.0 - 2.0
        }
    }

    /// Any bytes whose weights are finite and not too far from 1, and those weights.
    fn weight(format: Format, numbers: usize, random: &mut Random) -> (Vec<u8>, Vec<f32>) {
        let (mut bytes, mut weights) = (Vec::new(), Vec::new());
        while weights.len() < numbers {
            let block: Vec<u8> = (0..format.block_bytes()).map(|_| random.byte()).collect();
            let mut of_block = vec![0f32; format.block_len()];
            format.dequantize(&block, &mut of_block);
            if of_block.iter().all(|weight| weight.abs() < 100.0) {
                bytes.extend(block);
                weights.extend(of_block);
            }
        }
        (bytes, weights)
    }

    /// The products of a format on an instruction set, without threads.
    struct On<'a>(Set, Products<'a>);

    impl ForCodec for On<'_> {
        fn run<C: Codec>(self) {
            // SAFETY: the set is one of those that are here.
            unsafe { run_on(self.0, OfFormat(self.1, PhantomData::<C>)) };
        }
    }

    /// On every instruction set, of few activation rows and of many, with rows left over of four and of a tile.
    #[test]
    fn products_are_those_of_the_formula() {
        let mut random = Random(1);
        for &format in Format::ALL {
            // Float formats take rows that end within a register as well.
            for (n, k) in [(67, CHUNK + 256), (5, 768), (5, CHUNK + 259)] {
                if format.row_bytes(k).is_none() {
                    continue;
                }
                let (bytes, weights) = weight(format, n * k, &mut random);
                for rows in [1, 2, SKINNY, SKINNY + 1, 5, 9] {
                    let x: Vec<f32> = (0..rows * k).map(|_| random.number()).collect();
                    let x: Vec<&[f32]> = x.chunks_exact(k).collect();
                    let is_rounded = rows <= SKINNY && format.is_quantized();
                    let rounded: Vec<_> = x.iter().filter(|_| is_rounded).map(|x| Rounded::of(x)).collect();
                    for set in Set::here() {
                        let mut out = vec![0f32; rows * n];
                        let products = Products { weight: &bytes, x: &x, rounded: &rounded, out: &mut out };
                        format.run(On(set, products));
                        for (i, y) in out.iter().enumerate() {
                            let (mut want, mut size) = (0f64, 0f64);
                            for (w, x) in weights[i % n * k..][..k].iter().zip(x[i / n]) {
                                let (w, x) = (f64::from(*w), f64::from(*x));
                                want += w * x;
                                // Numbers below 2 in 16 bits are off by half a unit; sums in f32 by as much of a term.
                                size += w.abs() * if rounded.is_empty() { 2e-6 * x.abs() } else { 1.01 / 32767.0 };
                            }
                            let error = (f64::from(*y) - want).abs();
                            assert!(error <= size, "{set:?}, {format:?}, {rows} × {n} × {k}, {i}: {y}, not {want}");
                        }
                    }
                }
            }
        }
    }
}
