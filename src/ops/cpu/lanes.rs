//! A register of f32 numbers on each instruction set: the few operations that a sum of products needs.

/// A register of `Self::N` numbers.
///
/// # Safety
/// The caller has made sure that the processor has the implementor's instruction set, and that the `N` numbers at a
/// pointer may be read.
pub unsafe trait Lanes: Copy {
    const N: usize;
    unsafe fn zero() -> Self;
    unsafe fn load(at: *const f32) -> Self;
    /// self × b + sum.
    unsafe fn mul_add(self, b: Self, sum: Self) -> Self;
    unsafe fn add(self, b: Self) -> Self;
    /// The sum of all lanes.
    unsafe fn sum(self) -> f32;
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Lanes;
    use std::arch::x86_64::*;

    // SAFETY (all three): the trait's own conditions are those of the intrinsics.
    unsafe impl Lanes for __m512 {
        const N: usize = 16;
        #[inline(always)]
        unsafe fn zero() -> Self {
            unsafe { _mm512_setzero_ps() }
        }
        #[inline(always)]
        unsafe fn load(at: *const f32) -> Self {
            unsafe { _mm512_loadu_ps(at) }
        }
        #[inline(always)]
        unsafe fn mul_add(self, b: Self, sum: Self) -> Self {
            unsafe { _mm512_fmadd_ps(self, b, sum) }
        }
        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            unsafe { _mm512_add_ps(self, b) }
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            unsafe { _mm512_reduce_add_ps(self) }
        }
    }

    unsafe impl Lanes for __m256 {
        const N: usize = 8;
        #[inline(always)]
        unsafe fn zero() -> Self {
            unsafe { _mm256_setzero_ps() }
        }
        #[inline(always)]
        unsafe fn load(at: *const f32) -> Self {
            unsafe { _mm256_loadu_ps(at) }
        }
        #[inline(always)]
        unsafe fn mul_add(self, b: Self, sum: Self) -> Self {
            unsafe { _mm256_fmadd_ps(self, b, sum) }
        }
        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            unsafe { _mm256_add_ps(self, b) }
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            unsafe { _mm_add_ps(_mm256_castps256_ps128(self), _mm256_extractf128_ps::<1>(self)).sum() }
        }
    }

    unsafe impl Lanes for __m128 {
        const N: usize = 4;
        #[inline(always)]
        unsafe fn zero() -> Self {
            unsafe { _mm_setzero_ps() }
        }
        #[inline(always)]
        unsafe fn load(at: *const f32) -> Self {
            unsafe { _mm_loadu_ps(at) }
        }
        #[inline(always)]
        unsafe fn mul_add(self, b: Self, sum: Self) -> Self {
            unsafe { _mm_add_ps(_mm_mul_ps(self, b), sum) }
        }
        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            unsafe { _mm_add_ps(self, b) }
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            let mut lanes = [0f32; 4];
            unsafe { _mm_storeu_ps(lanes.as_mut_ptr(), self) };
            (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
        }
    }

    pub type Baseline = __m128;
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm {
    use super::Lanes;
    use std::arch::wasm32::*;

    // SAFETY: simd128 is what the target is compiled for; the rest is the trait's own condition.
    unsafe impl Lanes for v128 {
        const N: usize = 4;
        #[inline(always)]
        unsafe fn zero() -> Self {
            f32x4_splat(0.0)
        }
        #[inline(always)]
        unsafe fn load(at: *const f32) -> Self {
            unsafe { v128_load(at.cast()) }
        }
        #[inline(always)]
        unsafe fn mul_add(self, b: Self, sum: Self) -> Self {
            f32x4_add(f32x4_mul(self, b), sum)
        }
        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            f32x4_add(self, b)
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            let lane = |i: f32, j: f32| i + j;
            lane(
                lane(f32x4_extract_lane::<0>(self), f32x4_extract_lane::<1>(self)),
                lane(f32x4_extract_lane::<2>(self), f32x4_extract_lane::<3>(self)),
            )
        }
    }

    pub type Baseline = v128;
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use super::Lanes;
    use std::arch::aarch64::*;

    // SAFETY: NEON is part of every aarch64; the rest is the trait's own condition.
    unsafe impl Lanes for float32x4_t {
        const N: usize = 4;
        #[inline(always)]
        unsafe fn zero() -> Self {
            unsafe { vdupq_n_f32(0.0) }
        }
        #[inline(always)]
        unsafe fn load(at: *const f32) -> Self {
            unsafe { vld1q_f32(at) }
        }
        #[inline(always)]
        unsafe fn mul_add(self, b: Self, sum: Self) -> Self {
            unsafe { vfmaq_f32(sum, self, b) }
        }
        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            unsafe { vaddq_f32(self, b) }
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            unsafe { vaddvq_f32(self) }
        }
    }

    pub type Baseline = float32x4_t;
}

#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    all(target_arch = "wasm32", target_feature = "simd128")
)))]
mod scalar {
    use super::Lanes;

    // SAFETY: needs no instruction set of its own.
    unsafe impl Lanes for f32 {
        const N: usize = 1;
        #[inline(always)]
        unsafe fn zero() -> Self {
            0.0
        }
        #[inline(always)]
        unsafe fn load(at: *const f32) -> Self {
            unsafe { *at }
        }
        #[inline(always)]
        unsafe fn mul_add(self, b: Self, sum: Self) -> Self {
            self * b + sum
        }
        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            self + b
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            self
        }
    }

    pub type Baseline = f32;
}

#[cfg(target_arch = "aarch64")]
pub use neon::Baseline;
#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    all(target_arch = "wasm32", target_feature = "simd128")
)))]
pub use scalar::Baseline;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub use wasm::Baseline;
#[cfg(target_arch = "x86_64")]
pub use x86::Baseline;
