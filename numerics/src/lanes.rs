//! A register of f32 numbers on each instruction set: the few operations that sums of products need.

use crate::quant::Registers;

/// A register of `Self::N` numbers.
///
/// # Safety
/// The caller has made sure that the processor has the implementor's instruction set, and that the `N` numbers at a
/// pointer may be read.
pub unsafe trait Lanes: Copy + Registers {
    const N: usize;
    unsafe fn zero() -> Self;
    unsafe fn load(at: *const f32) -> Self;
    unsafe fn store(self, at: *mut f32);
    unsafe fn splat(x: f32) -> Self;
    /// What [`raw_halves`](Lanes::raw_halves) are to be multiplied with.
    const RAW_HALF: f32;
    /// `N` f16 numbers / RAW_HALF. Infinities and NaNs come out as large numbers: nothing that is stored so holds any.
    unsafe fn raw_halves(at: *const u16) -> Self;
    /// `N` f16 numbers.
    #[inline(always)]
    unsafe fn load_halves(at: *const u16) -> Self {
        // SAFETY: as this function's.
        unsafe {
            let raw = Self::raw_halves(at);
            if Self::RAW_HALF == 1.0 { raw } else { raw.mul(Self::splat(Self::RAW_HALF)) }
        }
    }
    /// `N` bf16 numbers.
    unsafe fn load_bfloats(at: *const u16) -> Self;
    /// total + scales · (32 codes × 32 numbers), the first sixteen products by one scale and the others by the other; or
    /// all by the first, where `one` says so. A sum of sixteen products must fit 32 bits, of 32 if there is one scale.
    unsafe fn dot_codes(codes: Self::Codes, x: *const i16, scales: [f32; 2], one: bool, total: Self) -> Self;
    /// scale × code − min, 32 numbers; the halves have their own.
    unsafe fn store_codes(codes: Self::Codes, scales: [f32; 2], mins: [f32; 2], to: *mut f32);
    unsafe fn mul(self, b: Self) -> Self;
    /// self × b + sum.
    unsafe fn mul_add(self, b: Self, sum: Self) -> Self;
    unsafe fn add(self, b: Self) -> Self;
    /// The sum of all lanes.
    unsafe fn sum(self) -> f32;
    /// The same of four registers.
    #[inline(always)]
    unsafe fn sums(four: [Self; 4]) -> [f32; 4] {
        // SAFETY: as this function's.
        four.map(|one| unsafe { one.sum() })
    }
    /// The f16 number at `at`, neither infinite nor NaN; four bytes may be read there.
    #[inline(always)]
    unsafe fn half(at: *const u8) -> f32 {
        // SAFETY: as this function's.
        let bits = u32::from(unsafe { at.cast::<u16>().read_unaligned() });
        let magnitude = f32::from_bits((bits & 0x7fff) << 13) * HALF_EXPONENT;
        f32::from_bits(magnitude.to_bits() | (bits & 0x8000) << 16)
    }
}

/// 2^112: read as f32, an f16's exponent is so much too small. The product also makes subnormals normal.
const HALF_EXPONENT: f32 = f32::from_bits((127 + 112) << 23);

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{HALF_EXPONENT, Lanes, Registers};
    use std::arch::x86_64::*;

    /// Both halves of a register added up.
    #[inline(always)]
    unsafe fn halves(x: __m512) -> __m256 {
        // SAFETY: AVX-512, as its callers'.
        unsafe { _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps::<1>(x)) }
    }

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
        const RAW_HALF: f32 = 1.0;
        #[inline(always)]
        unsafe fn raw_halves(at: *const u16) -> Self {
            unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(at.cast())) }
        }
        #[inline(always)]
        unsafe fn load_bfloats(at: *const u16) -> Self {
            unsafe {
                _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(_mm256_loadu_si256(at.cast()))))
            }
        }
        #[inline(always)]
        unsafe fn dot_codes(codes: Self::Codes, x: *const i16, scales: [f32; 2], one: bool, total: Self) -> Self {
            unsafe {
                let sums = _mm512_cvtepi32_ps(_mm512_madd_epi16(codes, _mm512_loadu_si512(x.cast())));
                let first = _mm512_set1_ps(scales[0]);
                let scales = if one { first } else { _mm512_mask_mov_ps(first, 0xff00, _mm512_set1_ps(scales[1])) };
                _mm512_fmadd_ps(sums, scales, total)
            }
        }
        #[inline(always)]
        unsafe fn store_codes(codes: Self::Codes, scales: [f32; 2], mins: [f32; 2], to: *mut f32) {
            unsafe {
                for (i, half) in
                    [_mm512_castsi512_si256(codes), _mm512_extracti64x4_epi64::<1>(codes)].into_iter().enumerate()
                {
                    let numbers = _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(half));
                    let numbers = _mm512_fmsub_ps(numbers, _mm512_set1_ps(scales[i]), _mm512_set1_ps(mins[i]));
                    _mm512_storeu_ps(to.add(16 * i), numbers);
                }
            }
        }
        #[inline(always)]
        unsafe fn mul(self, b: Self) -> Self {
            unsafe { _mm512_mul_ps(self, b) }
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
        #[inline(always)]
        unsafe fn sums(four: [Self; 4]) -> [f32; 4] {
            unsafe { <__m256 as Lanes>::sums([halves(four[0]), halves(four[1]), halves(four[2]), halves(four[3])]) }
        }
        #[inline(always)]
        unsafe fn half(at: *const u8) -> f32 {
            unsafe { _mm_cvtss_f32(_mm_cvtph_ps(_mm_loadu_si32(at))) }
        }
    }

    unsafe impl Registers for __m512 {
        type Codes = __m512i;
        #[inline(always)]
        unsafe fn bytes(at: *const u8) -> Self::Codes {
            unsafe { _mm512_cvtepi8_epi16(_mm256_loadu_si256(at.cast())) }
        }
        #[inline(always)]
        unsafe fn nibbles(at: *const u8) -> Self::Codes {
            unsafe {
                // Twice the same bytes, of which the second half moves down: few steps share the one port for shuffles.
                let twice = _mm512_cvtepu8_epi16(_mm256_broadcastsi128_si256(_mm_loadu_si128(at.cast())));
                let shifts = _mm512_inserti64x4::<1>(_mm512_setzero_si512(), _mm256_set1_epi16(4));
                _mm512_and_si512(_mm512_srlv_epi16(twice, shifts), _mm512_set1_epi16(15))
            }
        }
        #[inline(always)]
        unsafe fn lookup(at: *const u8, table: &[i8; 16]) -> Self::Codes {
            unsafe {
                let (bytes, table) = (_mm_loadu_si128(at.cast()), _mm_loadu_si128(table.as_ptr().cast()));
                let low = _mm_and_si128(bytes, _mm_set1_epi8(15));
                let high = _mm_and_si128(_mm_srli_epi16::<4>(bytes), _mm_set1_epi8(15));
                _mm512_cvtepi8_epi16(_mm256_set_m128i(_mm_shuffle_epi8(table, high), _mm_shuffle_epi8(table, low)))
            }
        }
        #[inline(always)]
        unsafe fn fields(at: *const u8, shift: u32, mask: i16, up: u32) -> Self::Codes {
            unsafe {
                let words = _mm512_cvtepu8_epi16(_mm256_loadu_si256(at.cast()));
                let down = _mm512_srl_epi16(words, _mm_cvtsi32_si128(shift as i32));
                _mm512_sll_epi16(_mm512_and_si512(down, _mm512_set1_epi16(mask)), _mm_cvtsi32_si128(up as i32))
            }
        }
        #[inline(always)]
        unsafe fn flags(bits: u32) -> Self::Codes {
            unsafe { _mm512_maskz_set1_epi16(bits, 16) }
        }
        #[inline(always)]
        unsafe fn plus(a: Self::Codes, b: Self::Codes) -> Self::Codes {
            unsafe { _mm512_add_epi16(a, b) }
        }
        #[inline(always)]
        unsafe fn offset(codes: Self::Codes, by: i16) -> Self::Codes {
            unsafe { _mm512_add_epi16(codes, _mm512_set1_epi16(by)) }
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
        const RAW_HALF: f32 = 1.0;
        #[inline(always)]
        unsafe fn raw_halves(at: *const u16) -> Self {
            unsafe { _mm256_cvtph_ps(_mm_loadu_si128(at.cast())) }
        }
        #[inline(always)]
        unsafe fn load_bfloats(at: *const u16) -> Self {
            unsafe { _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(_mm_loadu_si128(at.cast())))) }
        }
        #[inline(always)]
        unsafe fn dot_codes(codes: Self::Codes, x: *const i16, scales: [f32; 2], one: bool, total: Self) -> Self {
            unsafe {
                let low = _mm256_madd_epi16(codes[0], _mm256_loadu_si256(x.cast()));
                let high = _mm256_madd_epi16(codes[1], _mm256_loadu_si256(x.add(16).cast()));
                if one {
                    let sums = _mm256_cvtepi32_ps(_mm256_add_epi32(low, high));
                    return _mm256_fmadd_ps(sums, _mm256_set1_ps(scales[0]), total);
                }
                let total = _mm256_fmadd_ps(_mm256_cvtepi32_ps(low), _mm256_set1_ps(scales[0]), total);
                _mm256_fmadd_ps(_mm256_cvtepi32_ps(high), _mm256_set1_ps(scales[1]), total)
            }
        }
        #[inline(always)]
        unsafe fn store_codes(codes: Self::Codes, scales: [f32; 2], mins: [f32; 2], to: *mut f32) {
            unsafe {
                for (i, codes) in codes.into_iter().enumerate() {
                    let halves = [_mm256_castsi256_si128(codes), _mm256_extracti128_si256::<1>(codes)];
                    for (j, half) in halves.into_iter().enumerate() {
                        let numbers = _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(half));
                        let numbers = _mm256_fmsub_ps(numbers, _mm256_set1_ps(scales[i]), _mm256_set1_ps(mins[i]));
                        _mm256_storeu_ps(to.add(16 * i + 8 * j), numbers);
                    }
                }
            }
        }
        #[inline(always)]
        unsafe fn mul(self, b: Self) -> Self {
            unsafe { _mm256_mul_ps(self, b) }
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
        #[inline(always)]
        unsafe fn sums(four: [Self; 4]) -> [f32; 4] {
            unsafe {
                let pairs = _mm256_hadd_ps(_mm256_hadd_ps(four[0], four[1]), _mm256_hadd_ps(four[2], four[3]));
                let sums = _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps::<1>(pairs));
                let mut out = [0f32; 4];
                _mm_storeu_ps(out.as_mut_ptr(), sums);
                out
            }
        }
        #[inline(always)]
        unsafe fn half(at: *const u8) -> f32 {
            unsafe { _mm_cvtss_f32(_mm_cvtph_ps(_mm_loadu_si32(at))) }
        }
    }

    unsafe impl Registers for __m256 {
        type Codes = [__m256i; 2];
        #[inline(always)]
        unsafe fn bytes(at: *const u8) -> Self::Codes {
            let sixteen = |at: *const u8| unsafe { _mm256_cvtepi8_epi16(_mm_loadu_si128(at.cast())) };
            unsafe { [sixteen(at), sixteen(at.add(16))] }
        }
        #[inline(always)]
        unsafe fn nibbles(at: *const u8) -> Self::Codes {
            unsafe {
                let words = _mm256_cvtepu8_epi16(_mm_loadu_si128(at.cast()));
                [_mm256_and_si256(words, _mm256_set1_epi16(15)), _mm256_srli_epi16::<4>(words)]
            }
        }
        #[inline(always)]
        unsafe fn lookup(at: *const u8, table: &[i8; 16]) -> Self::Codes {
            unsafe {
                let (bytes, table) = (_mm_loadu_si128(at.cast()), _mm_loadu_si128(table.as_ptr().cast()));
                let low = _mm_and_si128(bytes, _mm_set1_epi8(15));
                let high = _mm_and_si128(_mm_srli_epi16::<4>(bytes), _mm_set1_epi8(15));
                [low, high].map(|codes| _mm256_cvtepi8_epi16(_mm_shuffle_epi8(table, codes)))
            }
        }
        #[inline(always)]
        unsafe fn fields(at: *const u8, shift: u32, mask: i16, up: u32) -> Self::Codes {
            let sixteen = |at: *const u8| unsafe {
                let words = _mm256_cvtepu8_epi16(_mm_loadu_si128(at.cast()));
                let down = _mm256_srl_epi16(words, _mm_cvtsi32_si128(shift as i32));
                _mm256_sll_epi16(_mm256_and_si256(down, _mm256_set1_epi16(mask)), _mm_cvtsi32_si128(up as i32))
            };
            unsafe { [sixteen(at), sixteen(at.add(16))] }
        }
        #[inline(always)]
        unsafe fn flags(bits: u32) -> Self::Codes {
            unsafe {
                let each =
                    _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, -32768);
                [bits as i16, (bits >> 16) as i16].map(|bits| {
                    let set = _mm256_cmpeq_epi16(_mm256_and_si256(_mm256_set1_epi16(bits), each), each);
                    _mm256_and_si256(set, _mm256_set1_epi16(16))
                })
            }
        }
        #[inline(always)]
        unsafe fn plus(a: Self::Codes, b: Self::Codes) -> Self::Codes {
            unsafe { [_mm256_add_epi16(a[0], b[0]), _mm256_add_epi16(a[1], b[1])] }
        }
        #[inline(always)]
        unsafe fn offset(codes: Self::Codes, by: i16) -> Self::Codes {
            unsafe { codes.map(|codes| _mm256_add_epi16(codes, _mm256_set1_epi16(by))) }
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
        const RAW_HALF: f32 = HALF_EXPONENT;
        #[inline(always)]
        unsafe fn raw_halves(at: *const u16) -> Self {
            unsafe {
                let bits = _mm_unpacklo_epi16(_mm_loadl_epi64(at.cast()), _mm_setzero_si128());
                let magnitude = _mm_slli_epi32::<13>(_mm_and_si128(bits, _mm_set1_epi32(0x7fff)));
                let sign = _mm_slli_epi32::<16>(_mm_and_si128(bits, _mm_set1_epi32(0x8000)));
                _mm_castsi128_ps(_mm_or_si128(magnitude, sign))
            }
        }
        #[inline(always)]
        unsafe fn load_bfloats(at: *const u16) -> Self {
            unsafe { _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), _mm_loadl_epi64(at.cast()))) }
        }
        #[inline(always)]
        unsafe fn dot_codes(codes: Self::Codes, x: *const i16, scales: [f32; 2], one: bool, total: Self) -> Self {
            unsafe {
                let dot = |i: usize| _mm_madd_epi16(codes[i], _mm_loadu_si128(x.add(8 * i).cast()));
                let (low, high) = (_mm_add_epi32(dot(0), dot(1)), _mm_add_epi32(dot(2), dot(3)));
                if one {
                    return _mm_cvtepi32_ps(_mm_add_epi32(low, high)).mul_add(_mm_set1_ps(scales[0]), total);
                }
                let total = _mm_cvtepi32_ps(low).mul_add(_mm_set1_ps(scales[0]), total);
                _mm_cvtepi32_ps(high).mul_add(_mm_set1_ps(scales[1]), total)
            }
        }
        #[inline(always)]
        unsafe fn store_codes(codes: Self::Codes, scales: [f32; 2], mins: [f32; 2], to: *mut f32) {
            unsafe {
                for (i, codes) in codes.into_iter().enumerate() {
                    let (scale, min) = (_mm_set1_ps(scales[i / 2]), _mm_set1_ps(mins[i / 2]));
                    let halves = [_mm_unpacklo_epi16(codes, codes), _mm_unpackhi_epi16(codes, codes)];
                    for (j, half) in halves.into_iter().enumerate() {
                        let numbers = _mm_cvtepi32_ps(_mm_srai_epi32::<16>(half));
                        _mm_storeu_ps(to.add(8 * i + 4 * j), _mm_sub_ps(_mm_mul_ps(numbers, scale), min));
                    }
                }
            }
        }
        #[inline(always)]
        unsafe fn mul(self, b: Self) -> Self {
            unsafe { _mm_mul_ps(self, b) }
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
        #[inline(always)]
        unsafe fn sums(four: [Self; 4]) -> [f32; 4] {
            unsafe {
                // Of two registers: the sums of two lanes each, one after the other in turn.
                let pairs = |a, b| _mm_add_ps(_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
                let (low, high) = (pairs(four[0], four[1]), pairs(four[2], four[3]));
                let mut out = [0f32; 4];
                _mm_storeu_ps(out.as_mut_ptr(), _mm_add_ps(_mm_movelh_ps(low, high), _mm_movehl_ps(high, low)));
                out
            }
        }
    }

    unsafe impl Registers for __m128 {
        type Codes = [__m128i; 4];
        #[inline(always)]
        unsafe fn bytes(at: *const u8) -> Self::Codes {
            // A byte doubled up to 16 bits has its sign on top: shifting brings it down again.
            let sixteen = |at: *const u8| unsafe {
                let bytes = _mm_loadu_si128(at.cast());
                [_mm_unpacklo_epi8(bytes, bytes), _mm_unpackhi_epi8(bytes, bytes)].map(|x| _mm_srai_epi16::<8>(x))
            };
            let ([a, b], [c, d]) = unsafe { (sixteen(at), sixteen(at.add(16))) };
            [a, b, c, d]
        }
        #[inline(always)]
        unsafe fn nibbles(at: *const u8) -> Self::Codes {
            unsafe {
                let (bytes, zero) = (_mm_loadu_si128(at.cast()), _mm_setzero_si128());
                let words = [_mm_unpacklo_epi8(bytes, zero), _mm_unpackhi_epi8(bytes, zero)];
                let [a, b] = words.map(|words| _mm_and_si128(words, _mm_set1_epi16(15)));
                let [c, d] = words.map(|words| _mm_srli_epi16::<4>(words));
                [a, b, c, d]
            }
        }
        #[inline(always)]
        unsafe fn lookup(at: *const u8, table: &[i8; 16]) -> Self::Codes {
            let value = |i: usize| {
                let byte = unsafe { *at.add(i % 16) };
                table[usize::from(if i < 16 { byte & 15 } else { byte >> 4 })] as u8
            };
            let values: [u8; 32] = std::array::from_fn(value);
            unsafe { Self::bytes(values.as_ptr()) }
        }
        #[inline(always)]
        unsafe fn fields(at: *const u8, shift: u32, mask: i16, up: u32) -> Self::Codes {
            let sixteen = |at: *const u8| unsafe {
                let (bytes, zero) = (_mm_loadu_si128(at.cast()), _mm_setzero_si128());
                [_mm_unpacklo_epi8(bytes, zero), _mm_unpackhi_epi8(bytes, zero)].map(|words| {
                    let down = _mm_srl_epi16(words, _mm_cvtsi32_si128(shift as i32));
                    _mm_sll_epi16(_mm_and_si128(down, _mm_set1_epi16(mask)), _mm_cvtsi32_si128(up as i32))
                })
            };
            let ([a, b], [c, d]) = unsafe { (sixteen(at), sixteen(at.add(16))) };
            [a, b, c, d]
        }
        #[inline(always)]
        unsafe fn flags(bits: u32) -> Self::Codes {
            unsafe {
                let each = _mm_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128);
                [0, 8, 16, 24].map(|shift| {
                    let bits = _mm_set1_epi16((bits >> shift & 255) as i16);
                    _mm_and_si128(_mm_cmpeq_epi16(_mm_and_si128(bits, each), each), _mm_set1_epi16(16))
                })
            }
        }
        #[inline(always)]
        unsafe fn plus(a: Self::Codes, b: Self::Codes) -> Self::Codes {
            std::array::from_fn(|i| unsafe { _mm_add_epi16(a[i], b[i]) })
        }
        #[inline(always)]
        unsafe fn offset(codes: Self::Codes, by: i16) -> Self::Codes {
            unsafe { codes.map(|codes| _mm_add_epi16(codes, _mm_set1_epi16(by))) }
        }
    }

    pub type Baseline = __m128;
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm {
    use super::{HALF_EXPONENT, Lanes, Registers};
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
        const RAW_HALF: f32 = HALF_EXPONENT;
        #[inline(always)]
        unsafe fn raw_halves(at: *const u16) -> Self {
            // Sign-extended and moved up, the sign is on top four times: three of them go.
            let bits = unsafe { i32x4_extend_low_i16x8(v128_load64_zero(at.cast())) };
            v128_and(i32x4_shl(bits, 13), u32x4_splat(0x8fff_ffff))
        }
        #[inline(always)]
        unsafe fn load_bfloats(at: *const u16) -> Self {
            unsafe { u32x4_shl(u32x4_extend_low_u16x8(v128_load64_zero(at.cast())), 16) }
        }
        #[inline(always)]
        unsafe fn dot_codes(codes: Self::Codes, x: *const i16, scales: [f32; 2], one: bool, total: Self) -> Self {
            let dot = |i: usize| i32x4_dot_i16x8(codes[i], unsafe { v128_load(x.add(8 * i).cast()) });
            let (low, high) = (i32x4_add(dot(0), dot(1)), i32x4_add(dot(2), dot(3)));
            let scaled = |sums: v128, scale: f32| f32x4_mul(f32x4_convert_i32x4(sums), f32x4_splat(scale));
            if one {
                return f32x4_add(scaled(i32x4_add(low, high), scales[0]), total);
            }
            f32x4_add(f32x4_add(scaled(low, scales[0]), scaled(high, scales[1])), total)
        }
        #[inline(always)]
        unsafe fn store_codes(codes: Self::Codes, scales: [f32; 2], mins: [f32; 2], to: *mut f32) {
            for (i, codes) in codes.into_iter().enumerate() {
                let (scale, min) = (f32x4_splat(scales[i / 2]), f32x4_splat(mins[i / 2]));
                let halves = [i32x4_extend_low_i16x8(codes), i32x4_extend_high_i16x8(codes)];
                for (j, half) in halves.into_iter().enumerate() {
                    let numbers = f32x4_sub(f32x4_mul(f32x4_convert_i32x4(half), scale), min);
                    unsafe { v128_store(to.add(8 * i + 4 * j).cast(), numbers) };
                }
            }
        }
        #[inline(always)]
        unsafe fn mul(self, b: Self) -> Self {
            f32x4_mul(self, b)
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
        #[inline(always)]
        unsafe fn sums(four: [Self; 4]) -> [f32; 4] {
            // Of two registers: the sums of two lanes each, one after the other in turn.
            let pairs = |a, b| f32x4_add(i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<2, 6, 3, 7>(a, b));
            let (low, high) = (pairs(four[0], four[1]), pairs(four[2], four[3]));
            let sums = f32x4_add(i64x2_shuffle::<0, 2>(low, high), i64x2_shuffle::<1, 3>(low, high));
            let mut out = [0f32; 4];
            unsafe { v128_store(out.as_mut_ptr().cast(), sums) };
            out
        }
    }

    unsafe impl Registers for v128 {
        type Codes = [v128; 4];
        #[inline(always)]
        unsafe fn bytes(at: *const u8) -> Self::Codes {
            let (low, high) = unsafe { (v128_load(at.cast()), v128_load(at.add(16).cast())) };
            [
                i16x8_extend_low_i8x16(low),
                i16x8_extend_high_i8x16(low),
                i16x8_extend_low_i8x16(high),
                i16x8_extend_high_i8x16(high),
            ]
        }
        #[inline(always)]
        unsafe fn nibbles(at: *const u8) -> Self::Codes {
            let bytes = unsafe { v128_load(at.cast()) };
            let (low, high) = (v128_and(bytes, u8x16_splat(15)), u8x16_shr(bytes, 4));
            [
                u16x8_extend_low_u8x16(low),
                u16x8_extend_high_u8x16(low),
                u16x8_extend_low_u8x16(high),
                u16x8_extend_high_u8x16(high),
            ]
        }
        #[inline(always)]
        unsafe fn lookup(at: *const u8, table: &[i8; 16]) -> Self::Codes {
            let (bytes, table) = unsafe { (v128_load(at.cast()), v128_load(table.as_ptr().cast())) };
            let low = i8x16_swizzle(table, v128_and(bytes, u8x16_splat(15)));
            let high = i8x16_swizzle(table, u8x16_shr(bytes, 4));
            [
                i16x8_extend_low_i8x16(low),
                i16x8_extend_high_i8x16(low),
                i16x8_extend_low_i8x16(high),
                i16x8_extend_high_i8x16(high),
            ]
        }
        #[inline(always)]
        unsafe fn fields(at: *const u8, shift: u32, mask: i16, up: u32) -> Self::Codes {
            let fields = |bytes: v128| {
                let fields = v128_and(u8x16_shr(bytes, shift), u8x16_splat(mask as u8));
                u8x16_shl(fields, up)
            };
            let (low, high) = unsafe { (fields(v128_load(at.cast())), fields(v128_load(at.add(16).cast()))) };
            [
                u16x8_extend_low_u8x16(low),
                u16x8_extend_high_u8x16(low),
                u16x8_extend_low_u8x16(high),
                u16x8_extend_high_u8x16(high),
            ]
        }
        #[inline(always)]
        unsafe fn flags(bits: u32) -> Self::Codes {
            let each = i16x8(1, 2, 4, 8, 16, 32, 64, 128);
            [0, 8, 16, 24].map(|shift| {
                let bits = i16x8_splat((bits >> shift & 255) as i16);
                v128_and(i16x8_eq(v128_and(bits, each), each), i16x8_splat(16))
            })
        }
        #[inline(always)]
        unsafe fn plus(a: Self::Codes, b: Self::Codes) -> Self::Codes {
            std::array::from_fn(|i| i16x8_add(a[i], b[i]))
        }
        #[inline(always)]
        unsafe fn offset(codes: Self::Codes, by: i16) -> Self::Codes {
            codes.map(|codes| i16x8_add(codes, i16x8_splat(by)))
        }
    }

    pub type Baseline = v128;
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use super::{HALF_EXPONENT, Lanes, Registers};
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
        const RAW_HALF: f32 = HALF_EXPONENT;
        #[inline(always)]
        unsafe fn raw_halves(at: *const u16) -> Self {
            unsafe {
                let bits = vmovl_u16(vld1_u16(at));
                let magnitude = vshlq_n_u32::<13>(vandq_u32(bits, vdupq_n_u32(0x7fff)));
                let sign = vshlq_n_u32::<16>(vandq_u32(bits, vdupq_n_u32(0x8000)));
                vreinterpretq_f32_u32(vorrq_u32(magnitude, sign))
            }
        }
        #[inline(always)]
        unsafe fn load_bfloats(at: *const u16) -> Self {
            unsafe { vreinterpretq_f32_u32(vshlq_n_u32::<16>(vmovl_u16(vld1_u16(at)))) }
        }
        #[inline(always)]
        unsafe fn dot_codes(codes: Self::Codes, x: *const i16, scales: [f32; 2], one: bool, total: Self) -> Self {
            let sixteen = |i: usize, sums: int32x4_t| unsafe {
                let (x_low, x_high) = (vld1q_s16(x.add(8 * i)), vld1q_s16(x.add(8 * i + 8)));
                let sums = vmlal_s16(sums, vget_low_s16(codes[i]), vget_low_s16(x_low));
                let sums = vmlal_s16(sums, vget_high_s16(codes[i]), vget_high_s16(x_low));
                let sums = vmlal_s16(sums, vget_low_s16(codes[i + 1]), vget_low_s16(x_high));
                vmlal_s16(sums, vget_high_s16(codes[i + 1]), vget_high_s16(x_high))
            };
            unsafe {
                let zero = vdupq_n_s32(0);
                if one {
                    let sums = sixteen(2, sixteen(0, zero));
                    return vfmaq_f32(total, vcvtq_f32_s32(sums), vdupq_n_f32(scales[0]));
                }
                let total = vfmaq_f32(total, vcvtq_f32_s32(sixteen(0, zero)), vdupq_n_f32(scales[0]));
                vfmaq_f32(total, vcvtq_f32_s32(sixteen(2, zero)), vdupq_n_f32(scales[1]))
            }
        }
        #[inline(always)]
        unsafe fn store_codes(codes: Self::Codes, scales: [f32; 2], mins: [f32; 2], to: *mut f32) {
            unsafe {
                for (i, codes) in codes.into_iter().enumerate() {
                    let (scale, min) = (vdupq_n_f32(scales[i / 2]), vdupq_n_f32(-mins[i / 2]));
                    let halves = [vmovl_s16(vget_low_s16(codes)), vmovl_s16(vget_high_s16(codes))];
                    for (j, half) in halves.into_iter().enumerate() {
                        vst1q_f32(to.add(8 * i + 4 * j), vfmaq_f32(min, vcvtq_f32_s32(half), scale));
                    }
                }
            }
        }
        #[inline(always)]
        unsafe fn mul(self, b: Self) -> Self {
            unsafe { vmulq_f32(self, b) }
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
        #[inline(always)]
        unsafe fn sums(four: [Self; 4]) -> [f32; 4] {
            let mut out = [0f32; 4];
            unsafe {
                vst1q_f32(out.as_mut_ptr(), vpaddq_f32(vpaddq_f32(four[0], four[1]), vpaddq_f32(four[2], four[3])))
            };
            out
        }
    }

    unsafe impl Registers for float32x4_t {
        type Codes = [int16x8_t; 4];
        #[inline(always)]
        unsafe fn bytes(at: *const u8) -> Self::Codes {
            unsafe {
                let (low, high) = (vld1q_s8(at.cast()), vld1q_s8(at.add(16).cast()));
                [
                    vmovl_s8(vget_low_s8(low)),
                    vmovl_s8(vget_high_s8(low)),
                    vmovl_s8(vget_low_s8(high)),
                    vmovl_s8(vget_high_s8(high)),
                ]
            }
        }
        #[inline(always)]
        unsafe fn nibbles(at: *const u8) -> Self::Codes {
            unsafe {
                let bytes = vld1q_u8(at);
                widened([vandq_u8(bytes, vdupq_n_u8(15)), vshrq_n_u8::<4>(bytes)])
            }
        }
        #[inline(always)]
        unsafe fn lookup(at: *const u8, table: &[i8; 16]) -> Self::Codes {
            unsafe {
                let (bytes, table) = (vld1q_u8(at), vld1q_s8(table.as_ptr()));
                let low = vqtbl1q_s8(table, vandq_u8(bytes, vdupq_n_u8(15)));
                let high = vqtbl1q_s8(table, vshrq_n_u8::<4>(bytes));
                [
                    vmovl_s8(vget_low_s8(low)),
                    vmovl_s8(vget_high_s8(low)),
                    vmovl_s8(vget_low_s8(high)),
                    vmovl_s8(vget_high_s8(high)),
                ]
            }
        }
        #[inline(always)]
        unsafe fn fields(at: *const u8, shift: u32, mask: i16, up: u32) -> Self::Codes {
            let fields = |at: *const u8| unsafe {
                let down = vshlq_u8(vld1q_u8(at), vdupq_n_s8(-(shift as i8)));
                vshlq_u8(vandq_u8(down, vdupq_n_u8(mask as u8)), vdupq_n_s8(up as i8))
            };
            unsafe { widened([fields(at), fields(at.add(16))]) }
        }
        #[inline(always)]
        unsafe fn flags(bits: u32) -> Self::Codes {
            unsafe {
                let each = vld1q_s16([1, 2, 4, 8, 16, 32, 64, 128].as_ptr());
                [0, 8, 16, 24].map(|shift| {
                    let set = vtstq_s16(vdupq_n_s16((bits >> shift & 255) as i16), each);
                    vreinterpretq_s16_u16(vandq_u16(set, vdupq_n_u16(16)))
                })
            }
        }
        #[inline(always)]
        unsafe fn plus(a: Self::Codes, b: Self::Codes) -> Self::Codes {
            std::array::from_fn(|i| unsafe { vaddq_s16(a[i], b[i]) })
        }
        #[inline(always)]
        unsafe fn offset(codes: Self::Codes, by: i16) -> Self::Codes {
            unsafe { codes.map(|codes| vaddq_s16(codes, vdupq_n_s16(by))) }
        }
    }

    /// 32 bytes, unsigned.
    #[inline(always)]
    unsafe fn widened(bytes: [uint8x16_t; 2]) -> [int16x8_t; 4] {
        let [a, b] = bytes;
        unsafe {
            [vget_low_u8(a), vget_high_u8(a), vget_low_u8(b), vget_high_u8(b)]
                .map(|bytes| vreinterpretq_s16_u16(vmovl_u8(bytes)))
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
    use super::{HALF_EXPONENT, Lanes, Registers};

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
        const RAW_HALF: f32 = HALF_EXPONENT;
        #[inline(always)]
        unsafe fn raw_halves(at: *const u16) -> Self {
            let bits = u32::from(unsafe { *at });
            f32::from_bits((bits & 0x7fff) << 13 | (bits & 0x8000) << 16)
        }
        #[inline(always)]
        unsafe fn load_bfloats(at: *const u16) -> Self {
            f32::from_bits(u32::from(unsafe { *at }) << 16)
        }
        #[inline(always)]
        unsafe fn dot_codes(codes: Self::Codes, x: *const i16, scales: [f32; 2], one: bool, total: Self) -> Self {
            let product = |i: usize| i32::from(codes[i]) * i32::from(unsafe { *x.add(i) });
            let [low, high] = [0..16, 16..32].map(|part| part.map(product).sum::<i32>() as f32);
            total + scales[0] * low + scales[usize::from(!one)] * high
        }
        #[inline(always)]
        unsafe fn store_codes(codes: Self::Codes, scales: [f32; 2], mins: [f32; 2], to: *mut f32) {
            for (i, code) in codes.into_iter().enumerate() {
                unsafe { *to.add(i) = scales[i / 16] * f32::from(code) - mins[i / 16] };
            }
        }
        #[inline(always)]
        unsafe fn mul(self, b: Self) -> Self {
            self * b
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

    unsafe impl Registers for f32 {
        type Codes = [i16; 32];
        #[inline(always)]
        unsafe fn bytes(at: *const u8) -> Self::Codes {
            std::array::from_fn(|i| i16::from(unsafe { *at.add(i) } as i8))
        }
        #[inline(always)]
        unsafe fn nibbles(at: *const u8) -> Self::Codes {
            let nibble = |i: usize| unsafe { *at.add(i % 16) } >> (i / 16 * 4) & 15;
            std::array::from_fn(|i| i16::from(nibble(i)))
        }
        #[inline(always)]
        unsafe fn lookup(at: *const u8, table: &[i8; 16]) -> Self::Codes {
            unsafe { Self::nibbles(at) }.map(|code| i16::from(table[code as usize]))
        }
        #[inline(always)]
        unsafe fn fields(at: *const u8, shift: u32, mask: i16, up: u32) -> Self::Codes {
            std::array::from_fn(|i| (i16::from(unsafe { *at.add(i) }) >> shift & mask) << up)
        }
        #[inline(always)]
        unsafe fn flags(bits: u32) -> Self::Codes {
            std::array::from_fn(|i| (bits >> i & 1) as i16 * 16)
        }
        #[inline(always)]
        unsafe fn plus(a: Self::Codes, b: Self::Codes) -> Self::Codes {
            std::array::from_fn(|i| a[i] + b[i])
        }
        #[inline(always)]
        unsafe fn offset(codes: Self::Codes, by: i16) -> Self::Codes {
            codes.map(|code| code + by)
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
