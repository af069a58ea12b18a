//! Registers of codes: what a block of 32 weights becomes on the way into a sum of products.

/// Registers of 32 integers of 16 bits, on some instruction set.
///
/// # Safety
/// An implementation reads no more bytes at a pointer than a function's documentation says.
pub unsafe trait Registers {
    /// As many registers as 32 integers of 16 bits fill.
    type Codes: Copy;

    /// 32 bytes, signed.
    ///
    /// # Safety
    /// The processor has the implementor's instruction set, and 32 bytes may be read at `at`.
    unsafe fn bytes(at: *const u8) -> Self::Codes;

    /// The low four bits of 16 bytes, then the high ones.
    ///
    /// # Safety
    /// The processor has the implementor's instruction set, and 16 bytes may be read at `at`.
    unsafe fn nibbles(at: *const u8) -> Self::Codes;

    /// The numbers of `table` at the indices that [`nibbles`](Self::nibbles) gives.
    ///
    /// # Safety
    /// The processor has the implementor's instruction set, and 16 bytes may be read at `at`.
    unsafe fn lookup(at: *const u8, table: &[i8; 16]) -> Self::Codes;

    /// (byte >> shift & mask) << up, of 32 bytes; no more than eight bits.
    ///
    /// # Safety
    /// The processor has the implementor's instruction set, and 32 bytes may be read at `at`.
    unsafe fn fields(at: *const u8, shift: u32, mask: i16, up: u32) -> Self::Codes;

    /// 16 for each bit of the four bytes that is set, else 0, the lowest first.
    ///
    /// # Safety
    /// The processor has the implementor's instruction set.
    unsafe fn flags(bits: u32) -> Self::Codes;

    /// a + b, code by code.
    ///
    /// # Safety
    /// The processor has the implementor's instruction set.
    unsafe fn plus(a: Self::Codes, b: Self::Codes) -> Self::Codes;

    /// `by` added to every code.
    ///
    /// # Safety
    /// The processor has the implementor's instruction set.
    unsafe fn offset(codes: Self::Codes, by: i16) -> Self::Codes;
}
