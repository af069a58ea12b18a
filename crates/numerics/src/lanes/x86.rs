//! AVX-512, AVX2 and SSE2.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "a function here does nothing unsafe but what the conditions of its own call, which the traits state, allow"
)]

use super::{HALF_EXPONENT, Lanes, Registers};
use std::arch::x86_64::*;

/// Both halves of a register added up.
///
/// # Safety
/// The processor has AVX-512.
#[inline(always)]
unsafe fn halves(x: __m512) -> __m256 {
    _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps::<1>(x))
}

// SAFETY: a register has 16 lanes, and every intrinsic here that takes a pointer takes an unaligned one and touches one
// register, or half of one, there.
unsafe impl Lanes for __m512 {
    const N: usize = 16;
    #[inline(always)]
    unsafe fn zero() -> Self {
        _mm512_setzero_ps()
    }
    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        _mm512_loadu_ps(at)
    }
    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        _mm512_storeu_ps(at, self);
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        _mm512_set1_ps(x)
    }
    const RAW_HALF: f32 = 1.0;
    #[inline(always)]
    unsafe fn raw_halves(at: *const u16) -> Self {
        _mm512_cvtph_ps(_mm256_loadu_si256(at.cast()))
    }
    #[inline(always)]
    unsafe fn load_bfloats(at: *const u16) -> Self {
        _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(_mm256_loadu_si256(at.cast()))))
    }
    #[inline(always)]
    unsafe fn dot_codes(codes: Self::Codes, x: *const i16, scales: [f32; 2], one: bool, total: Self) -> Self {
        let sums = _mm512_cvtepi32_ps(_mm512_madd_epi16(codes, _mm512_loadu_si512(x.cast())));
        let first = _mm512_set1_ps(scales[0]);
        let scales = if one { first } else { _mm512_mask_mov_ps(first, 0xff00, _mm512_set1_ps(scales[1])) };
        _mm512_fmadd_ps(sums, scales, total)
    }
    #[inline(always)]
    unsafe fn store_codes(codes: Self::Codes, scales: [f32; 2], mins: [f32; 2], to: *mut f32) {
        for (i, half) in [_mm512_castsi512_si256(codes), _mm512_extracti64x4_epi64::<1>(codes)].into_iter().enumerate()
        {
            let numbers = _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(half));
            let numbers = _mm512_fmsub_ps(numbers, _mm512_set1_ps(scales[i]), _mm512_set1_ps(mins[i]));
            _mm512_storeu_ps(to.add(16 * i), numbers);
        }
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        _mm512_mul_ps(self, b)
    }
    #[inline(always)]
    unsafe fn mul_add(self, b: Self, sum: Self) -> Self {
        _mm512_fmadd_ps(self, b, sum)
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        _mm512_add_ps(self, b)
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        _mm512_reduce_add_ps(self)
    }
    #[inline(always)]
    unsafe fn sums(four: [Self; 4]) -> [f32; 4] {
        <__m256 as Lanes>::sums([halves(four[0]), halves(four[1]), halves(four[2]), halves(four[3])])
    }
    #[inline(always)]
    unsafe fn half(at: *const u8) -> f32 {
        _mm_cvtss_f32(_mm_cvtph_ps(_mm_loadu_si32(at)))
    }
}

// SAFETY: bytes are read 16 or 32 at a time, as many as the trait says.
unsafe impl Registers for __m512 {
    type Codes = __m512i;
    #[inline(always)]
    unsafe fn bytes(at: *const u8) -> Self::Codes {
        _mm512_cvtepi8_epi16(_mm256_loadu_si256(at.cast()))
    }
    #[inline(always)]
    unsafe fn nibbles(at: *const u8) -> Self::Codes {
        // Twice the same bytes, of which the second half moves down: few steps share the one port for shuffles.
        let twice = _mm512_cvtepu8_epi16(_mm256_broadcastsi128_si256(_mm_loadu_si128(at.cast())));
        let shifts = _mm512_inserti64x4::<1>(_mm512_setzero_si512(), _mm256_set1_epi16(4));
        _mm512_and_si512(_mm512_srlv_epi16(twice, shifts), _mm512_set1_epi16(15))
    }
    #[inline(always)]
    unsafe fn lookup(at: *const u8, table: &[i8; 16]) -> Self::Codes {
        let (bytes, table) = (_mm_loadu_si128(at.cast()), _mm_loadu_si128(table.as_ptr().cast()));
        let low = _mm_and_si128(bytes, _mm_set1_epi8(15));
        let high = _mm_and_si128(_mm_srli_epi16::<4>(bytes), _mm_set1_epi8(15));
        _mm512_cvtepi8_epi16(_mm256_set_m128i(_mm_shuffle_epi8(table, high), _mm_shuffle_epi8(table, low)))
    }
    #[inline(always)]
    unsafe fn fields(at: *const u8, shift: u32, mask: i16, up: u32) -> Self::Codes {
        let words = _mm512_cvtepu8_epi16(_mm256_loadu_si256(at.cast()));
        let down = _mm512_srl_epi16(words, _mm_cvtsi32_si128(shift as i32));
        _mm512_sll_epi16(_mm512_and_si512(down, _mm512_set1_epi16(mask)), _mm_cvtsi32_si128(up as i32))
    }
    #[inline(always)]
    unsafe fn flags(bits: u32) -> Self::Codes {
        _mm512_maskz_set1_epi16(bits, 16)
    }
    #[inline(always)]
    unsafe fn plus(a: Self::Codes, b: Self::Codes) -> Self::Codes {
        _mm512_add_epi16(a, b)
    }
    #[inline(always)]
    unsafe fn offset(codes: Self::Codes, by: i16) -> Self::Codes {
        _mm512_add_epi16(codes, _mm512_set1_epi16(by))
    }
}

// SAFETY: a register has 8 lanes; pointers as with AVX-512.
unsafe impl Lanes for __m256 {
    const N: usize = 8;
    #[inline(always)]
    unsafe fn zero() -> Self {
        _mm256_setzero_ps()
    }
    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        _mm256_loadu_ps(at)
    }
    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        _mm256_storeu_ps(at, self);
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        _mm256_set1_ps(x)
    }
    const RAW_HALF: f32 = 1.0;
    #[inline(always)]
    unsafe fn raw_halves(at: *const u16) -> Self {
        _mm256_cvtph_ps(_mm_loadu_si128(at.cast()))
    }
    #[inline(always)]
    unsafe fn load_bfloats(at: *const u16) -> Self {
        _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(_mm_loadu_si128(at.cast()))))
    }
    #[inline(always)]
    unsafe fn dot_codes(codes: Self::Codes, x: *const i16, scales: [f32; 2], one: bool, total: Self) -> Self {
        let low = _mm256_madd_epi16(codes[0], _mm256_loadu_si256(x.cast()));
        let high = _mm256_madd_epi16(codes[1], _mm256_loadu_si256(x.add(16).cast()));
        if one {
            let sums = _mm256_cvtepi32_ps(_mm256_add_epi32(low, high));
            return _mm256_fmadd_ps(sums, _mm256_set1_ps(scales[0]), total);
        }
        let total = _mm256_fmadd_ps(_mm256_cvtepi32_ps(low), _mm256_set1_ps(scales[0]), total);
        _mm256_fmadd_ps(_mm256_cvtepi32_ps(high), _mm256_set1_ps(scales[1]), total)
    }
    #[inline(always)]
    unsafe fn store_codes(codes: Self::Codes, scales: [f32; 2], mins: [f32; 2], to: *mut f32) {
        for (i, codes) in codes.into_iter().enumerate() {
            let halves = [_mm256_castsi256_si128(codes), _mm256_extracti128_si256::<1>(codes)];
            for (j, half) in halves.into_iter().enumerate() {
                let numbers = _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(half));
                let numbers = _mm256_fmsub_ps(numbers, _mm256_set1_ps(scales[i]), _mm256_set1_ps(mins[i]));
                _mm256_storeu_ps(to.add(16 * i + 8 * j), numbers);
            }
        }
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        _mm256_mul_ps(self, b)
    }
    #[inline(always)]
    unsafe fn mul_add(self, b: Self, sum: Self) -> Self {
        _mm256_fmadd_ps(self, b, sum)
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        _mm256_add_ps(self, b)
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        _mm_add_ps(_mm256_castps256_ps128(self), _mm256_extractf128_ps::<1>(self)).sum()
    }
    #[inline(always)]
    unsafe fn sums(four: [Self; 4]) -> [f32; 4] {
        let pairs = _mm256_hadd_ps(_mm256_hadd_ps(four[0], four[1]), _mm256_hadd_ps(four[2], four[3]));
        let sums = _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps::<1>(pairs));
        let mut out = [0f32; 4];
        _mm_storeu_ps(out.as_mut_ptr(), sums);
        out
    }
    #[inline(always)]
    unsafe fn half(at: *const u8) -> f32 {
        _mm_cvtss_f32(_mm_cvtph_ps(_mm_loadu_si32(at)))
    }
}

// SAFETY: bytes are read 16 at a time, and twice that where the trait says 32.
unsafe impl Registers for __m256 {
    type Codes = [__m256i; 2];
    #[inline(always)]
    unsafe fn bytes(at: *const u8) -> Self::Codes {
        let sixteen = |at: *const u8| _mm256_cvtepi8_epi16(_mm_loadu_si128(at.cast()));
        [sixteen(at), sixteen(at.add(16))]
    }
    #[inline(always)]
    unsafe fn nibbles(at: *const u8) -> Self::Codes {
        let words = _mm256_cvtepu8_epi16(_mm_loadu_si128(at.cast()));
        [_mm256_and_si256(words, _mm256_set1_epi16(15)), _mm256_srli_epi16::<4>(words)]
    }
    #[inline(always)]
    unsafe fn lookup(at: *const u8, table: &[i8; 16]) -> Self::Codes {
        let (bytes, table) = (_mm_loadu_si128(at.cast()), _mm_loadu_si128(table.as_ptr().cast()));
        let low = _mm_and_si128(bytes, _mm_set1_epi8(15));
        let high = _mm_and_si128(_mm_srli_epi16::<4>(bytes), _mm_set1_epi8(15));
        [low, high].map(|codes| _mm256_cvtepi8_epi16(_mm_shuffle_epi8(table, codes)))
    }
    #[inline(always)]
    unsafe fn fields(at: *const u8, shift: u32, mask: i16, up: u32) -> Self::Codes {
        let sixteen = |at: *const u8| {
            let words = _mm256_cvtepu8_epi16(_mm_loadu_si128(at.cast()));
            let down = _mm256_srl_epi16(words, _mm_cvtsi32_si128(shift as i32));
            _mm256_sll_epi16(_mm256_and_si256(down, _mm256_set1_epi16(mask)), _mm_cvtsi32_si128(up as i32))
        };
        [sixteen(at), sixteen(at.add(16))]
    }
    #[inline(always)]
    unsafe fn flags(bits: u32) -> Self::Codes {
        let each = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, -32768);
        [bits as i16, (bits >> 16) as i16].map(|bits| {
            let set = _mm256_cmpeq_epi16(_mm256_and_si256(_mm256_set1_epi16(bits), each), each);
            _mm256_and_si256(set, _mm256_set1_epi16(16))
        })
    }
    #[inline(always)]
    unsafe fn plus(a: Self::Codes, b: Self::Codes) -> Self::Codes {
        [_mm256_add_epi16(a[0], b[0]), _mm256_add_epi16(a[1], b[1])]
    }
    #[inline(always)]
    unsafe fn offset(codes: Self::Codes, by: i16) -> Self::Codes {
        codes.map(|codes| _mm256_add_epi16(codes, _mm256_set1_epi16(by)))
    }
}

// SAFETY: a register has 4 lanes; pointers as with AVX-512.
unsafe impl Lanes for __m128 {
    const N: usize = 4;
    #[inline(always)]
    unsafe fn zero() -> Self {
        _mm_setzero_ps()
    }
    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        _mm_loadu_ps(at)
    }
    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        _mm_storeu_ps(at, self);
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        _mm_set1_ps(x)
    }
    const RAW_HALF: f32 = HALF_EXPONENT;
    #[inline(always)]
    unsafe fn raw_halves(at: *const u16) -> Self {
        let bits = _mm_unpacklo_epi16(_mm_loadl_epi64(at.cast()), _mm_setzero_si128());
        let magnitude = _mm_slli_epi32::<13>(_mm_and_si128(bits, _mm_set1_epi32(0x7fff)));
        let sign = _mm_slli_epi32::<16>(_mm_and_si128(bits, _mm_set1_epi32(0x8000)));
        _mm_castsi128_ps(_mm_or_si128(magnitude, sign))
    }
    #[inline(always)]
    unsafe fn load_bfloats(at: *const u16) -> Self {
        _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), _mm_loadl_epi64(at.cast())))
    }
    #[inline(always)]
    unsafe fn dot_codes(codes: Self::Codes, x: *const i16, scales: [f32; 2], one: bool, total: Self) -> Self {
        let dot = |i: usize| _mm_madd_epi16(codes[i], _mm_loadu_si128(x.add(8 * i).cast()));
        let (low, high) = (_mm_add_epi32(dot(0), dot(1)), _mm_add_epi32(dot(2), dot(3)));
        if one {
            return _mm_cvtepi32_ps(_mm_add_epi32(low, high)).mul_add(_mm_set1_ps(scales[0]), total);
        }
        let total = _mm_cvtepi32_ps(low).mul_add(_mm_set1_ps(scales[0]), total);
        _mm_cvtepi32_ps(high).mul_add(_mm_set1_ps(scales[1]), total)
    }
    #[inline(always)]
    unsafe fn store_codes(codes: Self::Codes, scales: [f32; 2], mins: [f32; 2], to: *mut f32) {
        for (i, codes) in codes.into_iter().enumerate() {
            let (scale, min) = (_mm_set1_ps(scales[i / 2]), _mm_set1_ps(mins[i / 2]));
            let halves = [_mm_unpacklo_epi16(codes, codes), _mm_unpackhi_epi16(codes, codes)];
            for (j, half) in halves.into_iter().enumerate() {
                let numbers = _mm_cvtepi32_ps(_mm_srai_epi32::<16>(half));
                _mm_storeu_ps(to.add(8 * i + 4 * j), _mm_sub_ps(_mm_mul_ps(numbers, scale), min));
            }
        }
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        _mm_mul_ps(self, b)
    }
    #[inline(always)]
    unsafe fn mul_add(self, b: Self, sum: Self) -> Self {
        _mm_add_ps(_mm_mul_ps(self, b), sum)
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        _mm_add_ps(self, b)
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        let mut lanes = [0f32; 4];
        _mm_storeu_ps(lanes.as_mut_ptr(), self);
        (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
    }
    #[inline(always)]
    unsafe fn sums(four: [Self; 4]) -> [f32; 4] {
        // Sums of two lanes each of two registers, interleaved.
        let pairs = |a, b| _mm_add_ps(_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
        let (low, high) = (pairs(four[0], four[1]), pairs(four[2], four[3]));
        let mut out = [0f32; 4];
        _mm_storeu_ps(out.as_mut_ptr(), _mm_add_ps(_mm_movelh_ps(low, high), _mm_movehl_ps(high, low)));
        out
    }
}

// SAFETY: bytes are read 16 at a time, and twice that where the trait says 32; `lookup` reads 16 one by one.
unsafe impl Registers for __m128 {
    type Codes = [__m128i; 4];
    #[inline(always)]
    unsafe fn bytes(at: *const u8) -> Self::Codes {
        // A byte doubled up to 16 bits has its sign on top: shifting brings it down again.
        let sixteen = |at: *const u8| {
            let bytes = _mm_loadu_si128(at.cast());
            [_mm_unpacklo_epi8(bytes, bytes), _mm_unpackhi_epi8(bytes, bytes)].map(|x| _mm_srai_epi16::<8>(x))
        };
        let ([a, b], [c, d]) = (sixteen(at), sixteen(at.add(16)));
        [a, b, c, d]
    }
    #[inline(always)]
    unsafe fn nibbles(at: *const u8) -> Self::Codes {
        let (bytes, zero) = (_mm_loadu_si128(at.cast()), _mm_setzero_si128());
        let words = [_mm_unpacklo_epi8(bytes, zero), _mm_unpackhi_epi8(bytes, zero)];
        let [a, b] = words.map(|words| _mm_and_si128(words, _mm_set1_epi16(15)));
        let [c, d] = words.map(|words| _mm_srli_epi16::<4>(words));
        [a, b, c, d]
    }
    #[inline(always)]
    unsafe fn lookup(at: *const u8, table: &[i8; 16]) -> Self::Codes {
        let value = |i: usize| {
            let byte = *at.add(i % 16);
            table[usize::from(if i < 16 { byte & 15 } else { byte >> 4 })] as u8
        };
        let values: [u8; 32] = std::array::from_fn(value);
        Self::bytes(values.as_ptr())
    }
    #[inline(always)]
    unsafe fn fields(at: *const u8, shift: u32, mask: i16, up: u32) -> Self::Codes {
        let sixteen = |at: *const u8| {
            let (bytes, zero) = (_mm_loadu_si128(at.cast()), _mm_setzero_si128());
            [_mm_unpacklo_epi8(bytes, zero), _mm_unpackhi_epi8(bytes, zero)].map(|words| {
                let down = _mm_srl_epi16(words, _mm_cvtsi32_si128(shift as i32));
                _mm_sll_epi16(_mm_and_si128(down, _mm_set1_epi16(mask)), _mm_cvtsi32_si128(up as i32))
            })
        };
        let ([a, b], [c, d]) = (sixteen(at), sixteen(at.add(16)));
        [a, b, c, d]
    }
    #[inline(always)]
    unsafe fn flags(bits: u32) -> Self::Codes {
        let each = _mm_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128);
        [0, 8, 16, 24].map(|shift| {
            let bits = _mm_set1_epi16((bits >> shift & 255) as i16);
            _mm_and_si128(_mm_cmpeq_epi16(_mm_and_si128(bits, each), each), _mm_set1_epi16(16))
        })
    }
    #[inline(always)]
    unsafe fn plus(a: Self::Codes, b: Self::Codes) -> Self::Codes {
        std::array::from_fn(|i| _mm_add_epi16(a[i], b[i]))
    }
    #[inline(always)]
    unsafe fn offset(codes: Self::Codes, by: i16) -> Self::Codes {
        codes.map(|codes| _mm_add_epi16(codes, _mm_set1_epi16(by)))
    }
}

pub type Baseline = __m128;
