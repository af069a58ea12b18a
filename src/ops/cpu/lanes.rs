//! A register of f32 numbers on each instruction set: the few operations that sums of products need.

/// A register of `Self::N` numbers.
///
/// # Safety
/// The caller has made sure that the processor has the implementor's instruction set, and that the `N` numbers at a
/// pointer may be read.
pub unsafe trait Lanes: Copy {
    const N: usize;
    unsafe fn zero() -> Self;
    unsafe fn load(at: *const f32) -> Self;
    unsafe fn store(self, at: *mut f32);
    unsafe fn splat(x: f32) -> Self;
    /// `N` f16 numbers. Infinities and NaNs come out as large numbers: nothing that is stored so holds any.
    unsafe fn load_halves(at: *const u16) -> Self;
    /// `N` bf16 numbers.
    unsafe fn load_bfloats(at: *const u16) -> Self;
    /// Sixteen small integers, in order.
    unsafe fn load_codes(at: *const i8) -> impl AsRef<[Self]>;
    /// total + scales · (32 codes × 32 numbers), the first sixteen products by one scale and the others by the other. A sum
    /// of sixteen products must fit 32 bits.
    unsafe fn dot_codes(codes: *const i8, x: *const i16, scales: [f32; 2], total: Self) -> Self;
    /// self × b + sum.
    unsafe fn mul_add(self, b: Self, sum: Self) -> Self;
    unsafe fn add(self, b: Self) -> Self;
    /// The sum of all lanes.
    unsafe fn sum(self) -> f32;
}

/// 2^112: read as f32, an f16's exponent is so much too small. The product also makes subnormals normal.
const HALF_EXPONENT: f32 = f32::from_bits((127 + 112) << 23);

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{HALF_EXPONENT, Lanes};
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
        unsafe fn store(self, at: *mut f32) {
            unsafe { _mm512_storeu_ps(at, self) }
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            unsafe { _mm512_set1_ps(x) }
        }
        #[inline(always)]
        unsafe fn load_halves(at: *const u16) -> Self {
            unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(at.cast())) }
        }
        #[inline(always)]
        unsafe fn load_bfloats(at: *const u16) -> Self {
            unsafe {
                _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(_mm256_loadu_si256(at.cast()))))
            }
        }
        #[inline(always)]
        unsafe fn load_codes(at: *const i8) -> impl AsRef<[Self]> {
            unsafe { [_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(at.cast())))] }
        }
        #[inline(always)]
        unsafe fn dot_codes(codes: *const i8, x: *const i16, scales: [f32; 2], total: Self) -> Self {
            unsafe {
                let codes = _mm512_cvtepi8_epi16(_mm256_loadu_si256(codes.cast()));
                let sums = _mm512_cvtepi32_ps(_mm512_madd_epi16(codes, _mm512_loadu_si512(x.cast())));
                let scales = _mm512_mask_mov_ps(_mm512_set1_ps(scales[0]), 0xff00, _mm512_set1_ps(scales[1]));
                _mm512_fmadd_ps(sums, scales, total)
            }
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
        unsafe fn store(self, at: *mut f32) {
            unsafe { _mm256_storeu_ps(at, self) }
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            unsafe { _mm256_set1_ps(x) }
        }
        #[inline(always)]
        unsafe fn load_halves(at: *const u16) -> Self {
            unsafe { _mm256_cvtph_ps(_mm_loadu_si128(at.cast())) }
        }
        #[inline(always)]
        unsafe fn load_bfloats(at: *const u16) -> Self {
            unsafe { _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(_mm_loadu_si128(at.cast())))) }
        }
        #[inline(always)]
        unsafe fn load_codes(at: *const i8) -> impl AsRef<[Self]> {
            let eight = |at: *const i8| unsafe { _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(at.cast()))) };
            unsafe { [eight(at), eight(at.add(8))] }
        }
        #[inline(always)]
        unsafe fn dot_codes(codes: *const i8, x: *const i16, scales: [f32; 2], total: Self) -> Self {
            let sixteen = |codes: *const i8, x: *const i16, scale: f32, total: Self| unsafe {
                let codes = _mm256_cvtepi8_epi16(_mm_loadu_si128(codes.cast()));
                let sums = _mm256_cvtepi32_ps(_mm256_madd_epi16(codes, _mm256_loadu_si256(x.cast())));
                _mm256_fmadd_ps(sums, _mm256_set1_ps(scale), total)
            };
            unsafe { sixteen(codes.add(16), x.add(16), scales[1], sixteen(codes, x, scales[0], total)) }
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
        unsafe fn store(self, at: *mut f32) {
            unsafe { _mm_storeu_ps(at, self) }
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            unsafe { _mm_set1_ps(x) }
        }
        #[inline(always)]
        unsafe fn load_halves(at: *const u16) -> Self {
            unsafe {
                let bits = _mm_unpacklo_epi16(_mm_loadl_epi64(at.cast()), _mm_setzero_si128());
                let magnitude = _mm_slli_epi32::<13>(_mm_and_si128(bits, _mm_set1_epi32(0x7fff)));
                let sign = _mm_slli_epi32::<16>(_mm_and_si128(bits, _mm_set1_epi32(0x8000)));
                let number = _mm_mul_ps(_mm_castsi128_ps(magnitude), _mm_set1_ps(HALF_EXPONENT));
                _mm_or_ps(number, _mm_castsi128_ps(sign))
            }
        }
        #[inline(always)]
        unsafe fn load_bfloats(at: *const u16) -> Self {
            unsafe { _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), _mm_loadl_epi64(at.cast()))) }
        }
        #[inline(always)]
        unsafe fn load_codes(at: *const i8) -> impl AsRef<[Self]> {
            unsafe {
                // A number doubled up to 32 bits has its sign on top: shifting brings it down again.
                let bytes = _mm_loadu_si128(at.cast());
                let (low, high) = (_mm_unpacklo_epi8(bytes, bytes), _mm_unpackhi_epi8(bytes, bytes));
                let number = |x: __m128i| _mm_cvtepi32_ps(_mm_srai_epi32::<24>(x));
                [
                    number(_mm_unpacklo_epi16(low, low)),
                    number(_mm_unpackhi_epi16(low, low)),
                    number(_mm_unpacklo_epi16(high, high)),
                    number(_mm_unpackhi_epi16(high, high)),
                ]
            }
        }
        #[inline(always)]
        unsafe fn dot_codes(codes: *const i8, x: *const i16, scales: [f32; 2], total: Self) -> Self {
            let sixteen = |codes: *const i8, x: *const i16, scale: f32, total: Self| unsafe {
                let bytes = _mm_loadu_si128(codes.cast());
                let low = _mm_srai_epi16::<8>(_mm_unpacklo_epi8(bytes, bytes));
                let high = _mm_srai_epi16::<8>(_mm_unpackhi_epi8(bytes, bytes));
                let low = _mm_madd_epi16(low, _mm_loadu_si128(x.cast()));
                let high = _mm_madd_epi16(high, _mm_loadu_si128(x.add(8).cast()));
                _mm_cvtepi32_ps(_mm_add_epi32(low, high)).mul_add(_mm_set1_ps(scale), total)
            };
            unsafe { sixteen(codes.add(16), x.add(16), scales[1], sixteen(codes, x, scales[0], total)) }
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
    use super::{HALF_EXPONENT, Lanes};
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
        unsafe fn store(self, at: *mut f32) {
            unsafe { v128_store(at.cast(), self) }
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            f32x4_splat(x)
        }
        #[inline(always)]
        unsafe fn load_halves(at: *const u16) -> Self {
            let bits = unsafe { u32x4_extend_low_u16x8(v128_load64_zero(at.cast())) };
            let magnitude = u32x4_shl(v128_and(bits, u32x4_splat(0x7fff)), 13);
            let sign = u32x4_shl(v128_and(bits, u32x4_splat(0x8000)), 16);
            v128_or(f32x4_mul(magnitude, f32x4_splat(HALF_EXPONENT)), sign)
        }
        #[inline(always)]
        unsafe fn load_bfloats(at: *const u16) -> Self {
            unsafe { u32x4_shl(u32x4_extend_low_u16x8(v128_load64_zero(at.cast())), 16) }
        }
        #[inline(always)]
        unsafe fn load_codes(at: *const i8) -> impl AsRef<[Self]> {
            let bytes = unsafe { v128_load(at.cast()) };
            let (low, high) = (i16x8_extend_low_i8x16(bytes), i16x8_extend_high_i8x16(bytes));
            [
                f32x4_convert_i32x4(i32x4_extend_low_i16x8(low)),
                f32x4_convert_i32x4(i32x4_extend_high_i16x8(low)),
                f32x4_convert_i32x4(i32x4_extend_low_i16x8(high)),
                f32x4_convert_i32x4(i32x4_extend_high_i16x8(high)),
            ]
        }
        #[inline(always)]
        unsafe fn dot_codes(codes: *const i8, x: *const i16, scales: [f32; 2], total: Self) -> Self {
            let sixteen = |codes: *const i8, x: *const i16, scale: f32, total: Self| unsafe {
                let bytes = v128_load(codes.cast());
                let low = i32x4_dot_i16x8(i16x8_extend_low_i8x16(bytes), v128_load(x.cast()));
                let high = i32x4_dot_i16x8(i16x8_extend_high_i8x16(bytes), v128_load(x.add(8).cast()));
                f32x4_convert_i32x4(i32x4_add(low, high)).mul_add(f32x4_splat(scale), total)
            };
            unsafe { sixteen(codes.add(16), x.add(16), scales[1], sixteen(codes, x, scales[0], total)) }
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
    use super::{HALF_EXPONENT, Lanes};
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
        unsafe fn store(self, at: *mut f32) {
            unsafe { vst1q_f32(at, self) }
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            unsafe { vdupq_n_f32(x) }
        }
        #[inline(always)]
        unsafe fn load_halves(at: *const u16) -> Self {
            unsafe {
                let bits = vmovl_u16(vld1_u16(at));
                let magnitude = vshlq_n_u32::<13>(vandq_u32(bits, vdupq_n_u32(0x7fff)));
                let sign = vshlq_n_u32::<16>(vandq_u32(bits, vdupq_n_u32(0x8000)));
                let number = vmulq_f32(vreinterpretq_f32_u32(magnitude), vdupq_n_f32(HALF_EXPONENT));
                vreinterpretq_f32_u32(vorrq_u32(vreinterpretq_u32_f32(number), sign))
            }
        }
        #[inline(always)]
        unsafe fn load_bfloats(at: *const u16) -> Self {
            unsafe { vreinterpretq_f32_u32(vshlq_n_u32::<16>(vmovl_u16(vld1_u16(at)))) }
        }
        #[inline(always)]
        unsafe fn load_codes(at: *const i8) -> impl AsRef<[Self]> {
            unsafe {
                let bytes = vld1q_s8(at);
                let (low, high) = (vmovl_s8(vget_low_s8(bytes)), vmovl_s8(vget_high_s8(bytes)));
                [
                    vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))),
                    vcvtq_f32_s32(vmovl_s16(vget_high_s16(low))),
                    vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))),
                    vcvtq_f32_s32(vmovl_s16(vget_high_s16(high))),
                ]
            }
        }
        #[inline(always)]
        unsafe fn dot_codes(codes: *const i8, x: *const i16, scales: [f32; 2], total: Self) -> Self {
            let sixteen = |codes: *const i8, x: *const i16, scale: f32, total: Self| unsafe {
                let bytes = vld1q_s8(codes);
                let (low, high) = (vmovl_s8(vget_low_s8(bytes)), vmovl_s8(vget_high_s8(bytes)));
                let (x_low, x_high) = (vld1q_s16(x), vld1q_s16(x.add(8)));
                let mut sums = vmull_s16(vget_low_s16(low), vget_low_s16(x_low));
                sums = vmlal_s16(sums, vget_high_s16(low), vget_high_s16(x_low));
                sums = vmlal_s16(sums, vget_low_s16(high), vget_low_s16(x_high));
                sums = vmlal_s16(sums, vget_high_s16(high), vget_high_s16(x_high));
                vfmaq_f32(total, vcvtq_f32_s32(sums), vdupq_n_f32(scale))
            };
            unsafe { sixteen(codes.add(16), x.add(16), scales[1], sixteen(codes, x, scales[0], total)) }
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
    use super::{HALF_EXPONENT, Lanes};

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
        unsafe fn store(self, at: *mut f32) {
            unsafe { *at = self }
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            x
        }
        #[inline(always)]
        unsafe fn load_halves(at: *const u16) -> Self {
            let bits = u32::from(unsafe { *at });
            let magnitude = f32::from_bits((bits & 0x7fff) << 13) * HALF_EXPONENT;
            f32::from_bits(magnitude.to_bits() | (bits & 0x8000) << 16)
        }
        #[inline(always)]
        unsafe fn load_bfloats(at: *const u16) -> Self {
            f32::from_bits(u32::from(unsafe { *at }) << 16)
        }
        #[inline(always)]
        unsafe fn load_codes(at: *const i8) -> impl AsRef<[Self]> {
            std::array::from_fn::<f32, 16, _>(|i| f32::from(unsafe { *at.add(i) }))
        }
        #[inline(always)]
        unsafe fn dot_codes(codes: *const i8, x: *const i16, scales: [f32; 2], total: Self) -> Self {
            let product = |i: usize| unsafe { i32::from(*codes.add(i)) * i32::from(*x.add(i)) };
            let [low, high] = [0..16, 16..32].map(|part| part.map(product).sum::<i32>() as f32);
            total + scales[0] * low + scales[1] * high
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
