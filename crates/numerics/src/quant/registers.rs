//! Registers of codes: what a block of 32 weights becomes on the way into a sum of products.

/// Registers of 32 integers of 16 bits, on some instruction set.
///
/// # Safety
/// The caller has made sure that the processor has the implementor's instruction set, and that the bytes at a pointer may
/// be read.
pub unsafe trait Registers {
    type Codes: Copy;
    /// 32 bytes, signed.
    unsafe fn bytes(at: *const u8) -> Self::Codes;
    /// The low four bits of 16 bytes, then the high ones.
    unsafe fn nibbles(at: *const u8) -> Self::Codes;
    /// What `table` has for each of those.
    unsafe fn lookup(at: *const u8, table: &[i8; 16]) -> Self::Codes;
    /// (byte >> shift & mask) << up, of 32 bytes; no more than eight bits.
    unsafe fn fields(at: *const u8, shift: u32, mask: i16, up: u32) -> Self::Codes;
    /// 16 for each bit of the four bytes that is set, else 0, the lowest first.
    unsafe fn flags(bits: u32) -> Self::Codes;
    unsafe fn plus(a: Self::Codes, b: Self::Codes) -> Self::Codes;
    unsafe fn offset(codes: Self::Codes, by: i16) -> Self::Codes;
}
