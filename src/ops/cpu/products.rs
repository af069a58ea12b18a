//! Products of weight rows and activation rows, made for speed: what matvec and matmul are on the CPU.
//!
//! One body, compiled for several instruction sets and for every weight format: weights are dequantised to f32 a few
//! hundred at a time, into memory that stays in the nearest cache, and multiplied from there. Nothing is rounded that
//! the twin does not round; only the order of sums differs.

use super::lanes::{Baseline, Lanes};
use crate::quant::{Codec, ForCodec, Format};

/// Weight rows that are multiplied together when there are many activation rows.
const W: usize = 4;
/// Weights dequantised at a time: a whole number of every format's blocks.
const CHUNK: usize = 1024;

/// out [N, T] = weight [N, K] (in `format`, as in the file) · xᵀ, `x` being T rows of K.
pub fn products(format: Format, weight: &[u8], x: &[&[f32]], out: &mut [f32]) {
    format.run(Products { weight, x, out });
}

struct Products<'a> {
    weight: &'a [u8],
    x: &'a [&'a [f32]],
    out: &'a mut [f32],
}

impl ForCodec for Products<'_> {
    fn run<C: Codec>(self) {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("fma")
            {
                // SAFETY: the processor has been asked.
                return unsafe { avx512::<C>(self) };
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                // SAFETY: the processor has been asked.
                return unsafe { avx2::<C>(self) };
            }
        }
        // SAFETY: the baseline is what the whole program is compiled for.
        unsafe { self.body::<C, Baseline, 2>() };
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
fn avx512<C: Codec>(products: Products) {
    // SAFETY: the function's own instruction set.
    unsafe { products.body::<C, std::arch::x86_64::__m512, 4>() };
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<C: Codec>(products: Products) {
    // SAFETY: the function's own instruction set.
    unsafe { products.body::<C, std::arch::x86_64::__m256, 2>() };
}

impl Products<'_> {
    /// With registers `V`, `T` activation rows at a time.
    ///
    /// # Safety
    /// The processor has the instruction set of `V`.
    #[inline(always)]
    unsafe fn body<C: Codec, V: Lanes, const T: usize>(self) {
        let (k, rows) = (self.x[0].len(), self.x.len());
        let bytes = |columns| C::FORMAT.row_bytes(columns).expect("whole blocks");
        let row_bytes = bytes(k);
        self.out.fill(0.0);
        let mut scratch = [[0f32; CHUNK]; W];
        for (weights, out) in self.weight.chunks(W * row_bytes).zip(self.out.chunks_mut(W * rows)) {
            let in_group = weights.len() / row_bytes;
            for first in (0..k).step_by(CHUNK) {
                let columns = first..(first + CHUNK).min(k);
                let at = bytes(first)..bytes(columns.end);
                for (w, scratch) in weights.chunks_exact(row_bytes).zip(&mut scratch) {
                    C::dequantize(&w[at.clone()], &mut scratch[..columns.len()]);
                }
                let w: [&[f32]; W] = std::array::from_fn(|w| &scratch[w][..columns.len()]);
                let mut t = 0;
                while in_group == W && t + T <= rows {
                    let x: [&[f32]; T] = std::array::from_fn(|i| &self.x[t + i][columns.clone()]);
                    // SAFETY: as this function's.
                    let sums = unsafe { tile::<V, T>(w, x) };
                    for (w, sums) in sums.iter().enumerate() {
                        for (i, sum) in sums.iter().enumerate() {
                            out[w * rows + t + i] += sum;
                        }
                    }
                    t += T;
                }
                for t in t..rows {
                    for (i, w) in w[..in_group].iter().enumerate() {
                        // SAFETY: as this function's.
                        out[i * rows + t] += unsafe { dot::<V>(w, &self.x[t][columns.clone()]) };
                    }
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

/// Σ aᵢ bᵢ with four registers of sums.
#[inline(always)]
unsafe fn dot<V: Lanes>(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let whole = a.len() / (4 * V::N) * (4 * V::N);
    let tail: f32 = a[whole..].iter().zip(&b[whole..]).map(|(a, b)| a * b).sum();
    // SAFETY: `whole` numbers lie at both, and the processor has the instruction set of `V`.
    unsafe {
        let mut sums = [V::zero(); 4];
        let mut at = 0;
        while at < whole {
            for (i, sum) in sums.iter_mut().enumerate() {
                let at = at + i * V::N;
                *sum = V::load(a.as_ptr().add(at)).mul_add(V::load(b.as_ptr().add(at)), *sum);
            }
            at += 4 * V::N;
        }
        sums[0].add(sums[1]).add(sums[2].add(sums[3])).sum() + tail
    }
}
