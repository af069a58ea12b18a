//! WebAssembly's 128-bit registers, which the whole module is compiled for.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "a function here does nothing unsafe but what the conditions of its own call, which the traits state, allow"
)]

use super::{HALF_EXPONENT, Lanes, Registers};
use std::arch::wasm32::*;

// SAFETY: a register has 4 lanes, and every intrinsic here that takes a pointer takes an unaligned one and touches one
// register, or half of one, there.
unsafe impl Lanes for v128 {
    const N: usize = 4;
    #[inline(always)]
    unsafe fn zero() -> Self {
        f32x4_splat(0.0)
    }
    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        v128_load(at.cast())
    }
    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        v128_store(at.cast(), self);
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        f32x4_splat(x)
    }
    const RAW_HALF: f32 = HALF_EXPONENT;
    #[inline(always)]
    unsafe fn raw_halves(at: *const u16) -> Self {
        // Sign-extended and moved up, the sign is on top four times: three of them go.
        let bits = i32x4_extend_low_i16x8(v128_load64_zero(at.cast()));
        v128_and(i32x4_shl(bits, 13), u32x4_splat(0x8fff_ffff))
    }
    #[inline(always)]
    unsafe fn load_bfloats(at: *const u16) -> Self {
        u32x4_shl(u32x4_extend_low_u16x8(v128_load64_zero(at.cast())), 16)
    }
    #[inline(always)]
    unsafe fn dot_codes(codes: Self::Codes, x: *const i16, scales: [f32; 2], one: bool, total: Self) -> Self {
        let dot = |i: usize| i32x4_dot_i16x8(codes[i], v128_load(x.add(8 * i).cast()));
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
                v128_store(to.add(8 * i + 4 * j).cast(), numbers);
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
        // Sums of two lanes each of two registers, interleaved.
        let pairs = |a, b| f32x4_add(i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<2, 6, 3, 7>(a, b));
        let (low, high) = (pairs(four[0], four[1]), pairs(four[2], four[3]));
        let sums = f32x4_add(i64x2_shuffle::<0, 2>(low, high), i64x2_shuffle::<1, 3>(low, high));
        let mut out = [0f32; 4];
        v128_store(out.as_mut_ptr().cast(), sums);
        out
    }
}

// SAFETY: bytes are read 16 at a time, and twice that where the trait says 32.
unsafe impl Registers for v128 {
    type Codes = [v128; 4];
    #[inline(always)]
    unsafe fn bytes(at: *const u8) -> Self::Codes {
        let (low, high) = (v128_load(at.cast()), v128_load(at.add(16).cast()));
        [
            i16x8_extend_low_i8x16(low),
            i16x8_extend_high_i8x16(low),
            i16x8_extend_low_i8x16(high),
            i16x8_extend_high_i8x16(high),
        ]
    }
    #[inline(always)]
    unsafe fn nibbles(at: *const u8) -> Self::Codes {
        let bytes = v128_load(at.cast());
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
        let (bytes, table) = (v128_load(at.cast()), v128_load(table.as_ptr().cast()));
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
        let (low, high) = (fields(v128_load(at.cast())), fields(v128_load(at.add(16).cast())));
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
