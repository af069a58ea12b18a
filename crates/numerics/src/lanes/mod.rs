//! A register of f32 numbers on each instruction set: the few operations that sums of products need.

#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    all(target_arch = "wasm32", target_feature = "simd128")
)))]
mod scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;
#[cfg(target_arch = "x86_64")]
mod x86;

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

use crate::quant::Registers;

/// A register of `Self::N` numbers.
///
/// # Safety
/// An implementation's registers have `N` lanes, its pointers need not be aligned, and it reads or writes no more there than
/// a function's documentation says. A caller guarantees that the processor has the implementor's instruction set, and that so
/// much may be read or written at the pointer.
pub unsafe trait Lanes: Copy + Registers {
    const N: usize;
    unsafe fn zero() -> Self;
    /// `N` f32 numbers.
    unsafe fn load(at: *const f32) -> Self;
    /// Writes `N` f32 numbers.
    unsafe fn store(self, at: *mut f32);
    unsafe fn splat(x: f32) -> Self;
    /// The factor that makes numbers of [`raw_halves`](Lanes::raw_halves).
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
    /// Writes scale × code − min, 32 numbers; the halves have their own scales and mins.
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
