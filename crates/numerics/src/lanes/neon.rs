//! NEON, of 64-bit ARM: part of every such processor.

#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "a function here does nothing unsafe but what the conditions of its own call, which the traits state, allow"
)]

use super::{HALF_EXPONENT, Lanes, Registers};
use std::arch::aarch64::*;

// SAFETY: a register has 4 lanes, and every intrinsic here that takes a pointer takes an unaligned one and touches one
// register, or half of one, there.
unsafe impl Lanes for float32x4_t {
    const N: usize = 4;
    #[inline(always)]
    unsafe fn zero() -> Self {
        vdupq_n_f32(0.0)
    }
    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        vld1q_f32(at)
    }
    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        vst1q_f32(at, self);
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        vdupq_n_f32(x)
    }
    const RAW_HALF: f32 = HALF_EXPONENT;
    #[inline(always)]
    unsafe fn raw_halves(at: *const u16) -> Self {
        let bits = vmovl_u16(vld1_u16(at));
        let magnitude = vshlq_n_u32::<13>(vandq_u32(bits, vdupq_n_u32(0x7fff)));
        let sign = vshlq_n_u32::<16>(vandq_u32(bits, vdupq_n_u32(0x8000)));
        vreinterpretq_f32_u32(vorrq_u32(magnitude, sign))
    }
    #[inline(always)]
    unsafe fn load_bfloats(at: *const u16) -> Self {
        vreinterpretq_f32_u32(vshlq_n_u32::<16>(vmovl_u16(vld1_u16(at))))
    }
    #[inline(always)]
    unsafe fn dot_codes(codes: Self::Codes, x: *const i16, scales: [f32; 2], one: bool, total: Self) -> Self {
        let sixteen = |i: usize, sums: int32x4_t| {
            let (x_low, x_high) = (vld1q_s16(x.add(8 * i)), vld1q_s16(x.add(8 * i + 8)));
            let sums = vmlal_s16(sums, vget_low_s16(codes[i]), vget_low_s16(x_low));
            let sums = vmlal_s16(sums, vget_high_s16(codes[i]), vget_high_s16(x_low));
            let sums = vmlal_s16(sums, vget_low_s16(codes[i + 1]), vget_low_s16(x_high));
            vmlal_s16(sums, vget_high_s16(codes[i + 1]), vget_high_s16(x_high))
        };
        let zero = vdupq_n_s32(0);
        if one {
            let sums = sixteen(2, sixteen(0, zero));
            return vfmaq_f32(total, vcvtq_f32_s32(sums), vdupq_n_f32(scales[0]));
        }
        let total = vfmaq_f32(total, vcvtq_f32_s32(sixteen(0, zero)), vdupq_n_f32(scales[0]));
        vfmaq_f32(total, vcvtq_f32_s32(sixteen(2, zero)), vdupq_n_f32(scales[1]))
    }
    #[inline(always)]
    unsafe fn store_codes(codes: Self::Codes, scales: [f32; 2], mins: [f32; 2], to: *mut f32) {
        for (i, codes) in codes.into_iter().enumerate() {
            let (scale, min) = (vdupq_n_f32(scales[i / 2]), vdupq_n_f32(-mins[i / 2]));
            let halves = [vmovl_s16(vget_low_s16(codes)), vmovl_s16(vget_high_s16(codes))];
            for (j, half) in halves.into_iter().enumerate() {
                vst1q_f32(to.add(8 * i + 4 * j), vfmaq_f32(min, vcvtq_f32_s32(half), scale));
            }
        }
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        vmulq_f32(self, b)
    }
    #[inline(always)]
    unsafe fn mul_add(self, b: Self, sum: Self) -> Self {
        vfmaq_f32(sum, self, b)
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        vaddq_f32(self, b)
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        vaddvq_f32(self)
    }
    #[inline(always)]
    unsafe fn sums(four: [Self; 4]) -> [f32; 4] {
        let mut out = [0f32; 4];
        vst1q_f32(out.as_mut_ptr(), vpaddq_f32(vpaddq_f32(four[0], four[1]), vpaddq_f32(four[2], four[3])));
        out
    }
}

// SAFETY: bytes are read 16 at a time, and twice that where the trait says 32.
unsafe impl Registers for float32x4_t {
    type Codes = [int16x8_t; 4];
    #[inline(always)]
    unsafe fn bytes(at: *const u8) -> Self::Codes {
        let (low, high) = (vld1q_s8(at.cast()), vld1q_s8(at.add(16).cast()));
        [
            vmovl_s8(vget_low_s8(low)),
            vmovl_s8(vget_high_s8(low)),
            vmovl_s8(vget_low_s8(high)),
            vmovl_s8(vget_high_s8(high)),
        ]
    }
    #[inline(always)]
    unsafe fn nibbles(at: *const u8) -> Self::Codes {
        let bytes = vld1q_u8(at);
        widened([vandq_u8(bytes, vdupq_n_u8(15)), vshrq_n_u8::<4>(bytes)])
    }
    #[inline(always)]
    unsafe fn lookup(at: *const u8, table: &[i8; 16]) -> Self::Codes {
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
    #[inline(always)]
    unsafe fn fields(at: *const u8, shift: u32, mask: i16, up: u32) -> Self::Codes {
        let fields = |at: *const u8| {
            let down = vshlq_u8(vld1q_u8(at), vdupq_n_s8(-(shift as i8)));
            vshlq_u8(vandq_u8(down, vdupq_n_u8(mask as u8)), vdupq_n_s8(up as i8))
        };
        widened([fields(at), fields(at.add(16))])
    }
    #[inline(always)]
    unsafe fn flags(bits: u32) -> Self::Codes {
        let each = vld1q_s16([1, 2, 4, 8, 16, 32, 64, 128].as_ptr());
        [0, 8, 16, 24].map(|shift| {
            let set = vtstq_s16(vdupq_n_s16((bits >> shift & 255) as i16), each);
            vreinterpretq_s16_u16(vandq_u16(set, vdupq_n_u16(16)))
        })
    }
    #[inline(always)]
    unsafe fn plus(a: Self::Codes, b: Self::Codes) -> Self::Codes {
        std::array::from_fn(|i| vaddq_s16(a[i], b[i]))
    }
    #[inline(always)]
    unsafe fn offset(codes: Self::Codes, by: i16) -> Self::Codes {
        codes.map(|codes| vaddq_s16(codes, vdupq_n_s16(by)))
    }
}

/// 32 bytes, unsigned.
///
/// # Safety
/// The processor has NEON.
#[inline(always)]
unsafe fn widened(bytes: [uint8x16_t; 2]) -> [int16x8_t; 4] {
    let [a, b] = bytes;
    [vget_low_u8(a), vget_high_u8(a), vget_low_u8(b), vget_high_u8(b)]
        .map(|bytes| vreinterpretq_s16_u16(vmovl_u8(bytes)))
}

pub type Baseline = float32x4_t;
