//! One number at a time: processors without registers of several that are known here.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "a function here does nothing unsafe but what the conditions of its own call, which the traits state, allow"
)]

use super::{HALF_EXPONENT, Lanes, Registers};

// SAFETY: a number is one lane, and is read and written unaligned.
unsafe impl Lanes for f32 {
    const N: usize = 1;
    #[inline(always)]
    unsafe fn zero() -> Self {
        0.0
    }
    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        at.read_unaligned()
    }
    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        at.write_unaligned(self);
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        x
    }
    const RAW_HALF: f32 = HALF_EXPONENT;
    #[inline(always)]
    unsafe fn raw_halves(at: *const u16) -> Self {
        let bits = u32::from(at.read_unaligned());
        f32::from_bits((bits & 0x7fff) << 13 | (bits & 0x8000) << 16)
    }
    #[inline(always)]
    unsafe fn load_bfloats(at: *const u16) -> Self {
        f32::from_bits(u32::from(at.read_unaligned()) << 16)
    }
    #[inline(always)]
    unsafe fn dot_codes(codes: Self::Codes, x: *const i16, scales: [f32; 2], one: bool, total: Self) -> Self {
        let product = |i: usize| i32::from(codes[i]) * i32::from(*x.add(i));
        let [low, high] = [0..16, 16..32].map(|part| part.map(product).sum::<i32>() as f32);
        total + scales[0] * low + scales[usize::from(!one)] * high
    }
    #[inline(always)]
    unsafe fn store_codes(codes: Self::Codes, scales: [f32; 2], mins: [f32; 2], to: *mut f32) {
        for (i, code) in codes.into_iter().enumerate() {
            *to.add(i) = scales[i / 16] * f32::from(code) - mins[i / 16];
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

// SAFETY: bytes are read one by one, as many as the trait says.
unsafe impl Registers for f32 {
    type Codes = [i16; 32];
    #[inline(always)]
    unsafe fn bytes(at: *const u8) -> Self::Codes {
        std::array::from_fn(|i| i16::from(*at.add(i) as i8))
    }
    #[inline(always)]
    unsafe fn nibbles(at: *const u8) -> Self::Codes {
        let nibble = |i: usize| *at.add(i % 16) >> (i / 16 * 4) & 15;
        std::array::from_fn(|i| i16::from(nibble(i)))
    }
    #[inline(always)]
    unsafe fn lookup(at: *const u8, table: &[i8; 16]) -> Self::Codes {
        Self::nibbles(at).map(|code| i16::from(table[code as usize]))
    }
    #[inline(always)]
    unsafe fn fields(at: *const u8, shift: u32, mask: i16, up: u32) -> Self::Codes {
        std::array::from_fn(|i| (i16::from(*at.add(i)) >> shift & mask) << up)
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
