//! The formats by their names: one list, from which everything that goes through all of them is made.

use super::registers::Registers;
use super::shared::SUPER;
use super::spec::Spec;

/// A format as a type: for code that is compiled anew for each, around what is inlined of it.
pub trait Codec {
    /// The format that this type stands for.
    const FORMAT: Format;
    /// Weights that share a scale; 0 for the plain floating-point formats.
    const GROUP: usize;
    /// Groups have a min as well.
    const HAS_MINS: bool;
    /// File row → weights.
    fn dequantize(src: &[u8], dst: &mut [f32]);
    /// File row → codes. This and [`Codec::scales`] only of formats with groups.
    fn codes(src: &[u8], codes: &mut [i8]);
    /// File row → a scale and a min for each group: weight = scale × code − min. Mins are left as they were where the
    /// format has none.
    fn scales(src: &[u8], scales: &mut [f32], mins: &mut [f32]);
    /// Each block of 32 begins with its scale, an f16 number, and has no other.
    const HAS_PLAIN_SCALES: bool;
    /// The codes of the `block`-th 32 weights of the file row at `row`.
    ///
    /// # Safety
    /// The row has so many; the conditions of [`Registers`].
    unsafe fn registers<R: Registers>(row: *const u8, block: usize) -> R::Codes;
}

/// [`Codec::dequantize`] of a format with groups, block by block.
#[inline(always)]
fn unpacked<C: Codec>(src: &[u8], dst: &mut [f32]) {
    let (len, bytes) = (C::FORMAT.block_len(), C::FORMAT.block_bytes());
    let (mut codes, mut scales, mut mins) = ([0i8; SUPER], [0.0; 16], [0.0; 16]);
    for (src, dst) in src.chunks_exact(bytes).zip(dst.chunks_exact_mut(len)) {
        let groups = len / C::GROUP;
        C::codes(src, &mut codes[..len]);
        C::scales(src, &mut scales[..groups], &mut mins[..groups]);
        let codes = codes.chunks_exact(C::GROUP);
        for ((dst, codes), (scale, min)) in dst.chunks_exact_mut(C::GROUP).zip(codes).zip(scales.iter().zip(&mins)) {
            for (x, &code) in dst.iter_mut().zip(codes) {
                *x = scale * f32::from(code) - min;
            }
        }
    }
}

/// Work that is compiled anew for every format.
pub trait ForCodec {
    /// The work, for the format that `C` is.
    fn run<C: Codec>(self);
}

macro_rules! formats {
    ($($variant:ident => $module:ident, $group:tt $($scales:ident)?;)*) => {
        /// How the numbers of a tensor are stored.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(non_camel_case_types, reason = "the formats' own names have underscores")]
        pub enum Format {
            $(#[doc = concat!("The format of `", stringify!($module), ".rs`, which says how its blocks look.")]
            $variant),*
        }

        impl Format {
            /// Every format, in the order of the list.
            pub const ALL: &'static [Format] = &[$(Format::$variant),*];

            /// The format's layout, from its own file.
            pub fn spec(self) -> &'static Spec {
                match self { $(Format::$variant => &super::$module::SPEC),* }
            }

            /// [`Codec::GROUP`].
            pub fn group(self) -> usize {
                match self { $(Format::$variant => $group),* }
            }

            /// Runs a job compiled for this format.
            pub fn run(self, job: impl ForCodec) {
                match self { $(Format::$variant => job.run::<codecs::$variant>()),* }
            }
        }

        #[allow(non_camel_case_types, reason = "named as the formats")]
        mod codecs {
            $(pub struct $variant;
            formats!(codec $variant $module $group $($scales)?);)*
        }
    };
    (are_mins mins) => { true };
    (are_mins $($other:ident)?) => { false };
    (are_plain plain) => { true };
    (are_plain $($other:ident)?) => { false };
    (codec $variant:ident $module:ident 0) => {
        impl super::Codec for $variant {
            const FORMAT: super::Format = super::Format::$variant;
            const GROUP: usize = 0;
            const HAS_MINS: bool = false;
            const HAS_PLAIN_SCALES: bool = false;
            #[inline(always)]
            fn dequantize(src: &[u8], dst: &mut [f32]) {
                super::super::$module::dequantize(src, dst);
            }
            fn codes(_: &[u8], _: &mut [i8]) {
                unreachable!("numbers that stand for themselves");
            }
            fn scales(_: &[u8], _: &mut [f32], _: &mut [f32]) {
                unreachable!("numbers that stand for themselves");
            }
            unsafe fn registers<R: super::Registers>(_: *const u8, _: usize) -> R::Codes {
                unreachable!("numbers that stand for themselves");
            }
        }
    };
    (codec $variant:ident $module:ident $group:tt $($scales:ident)?) => {
        impl super::Codec for $variant {
            const FORMAT: super::Format = super::Format::$variant;
            const GROUP: usize = $group;
            const HAS_MINS: bool = formats!(are_mins $($scales)?);
            const HAS_PLAIN_SCALES: bool = formats!(are_plain $($scales)?);
            #[inline(always)]
            fn dequantize(src: &[u8], dst: &mut [f32]) {
                super::unpacked::<Self>(src, dst);
            }
            #[inline(always)]
            fn codes(src: &[u8], codes: &mut [i8]) {
                super::super::$module::codes(src, codes);
            }
            #[inline(always)]
            fn scales(src: &[u8], scales: &mut [f32], mins: &mut [f32]) {
                super::super::$module::scales(src, scales, mins);
            }
            #[inline(always)]
            unsafe fn registers<R: super::Registers>(row: *const u8, block: usize) -> R::Codes {
                // SAFETY: as this function's.
                unsafe { super::super::$module::registers::<R>(row, block) }
            }
        }
    };
}

// Name, module, weights that share a scale; whether they have a min, or a scale that is an f16 number before the codes.
formats! {
    F32 => f32, 0;
    F16 => f16, 0;
    BF16 => bf16, 0;
    Q8_0 => q8_0, 32 plain;
    Q4_0 => q4_0, 32 plain;
    Q4_1 => q4_1, 32 mins;
    Q5_0 => q5_0, 32 plain;
    Q5_1 => q5_1, 32 mins;
    Q2_K => q2_k, 16 mins;
    Q3_K => q3_k, 16;
    Q4_K => q4_k, 32 mins;
    Q5_K => q5_k, 32 mins;
    Q6_K => q6_k, 16;
    IQ4_NL => iq4_nl, 32 plain;
    IQ4_XS => iq4_xs, 32;
    MXFP4 => mxfp4, 32;
}

/// Weights in a device block, whatever the format.
pub const DEVICE_BLOCK: usize = 32;

impl Format {
    /// The name people write: `f32`, `q4_0`.
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// The format of that [`name`](Format::name), if there is one.
    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.iter().copied().find(|f| f.name() == name)
    }

    /// The number that GGUF's tensor table has for it (ggml's `enum ggml_type`).
    pub fn ggml_type(self) -> u32 {
        self.spec().ggml_type
    }

    /// The format of that number in GGUF's tensor table, if it can be read.
    pub fn from_ggml_type(id: u32) -> Option<Format> {
        Format::ALL.iter().copied().find(|f| f.ggml_type() == id)
    }

    /// Weights in a block of the file; 1 for the plain floating-point formats.
    pub fn block_len(self) -> usize {
        self.spec().block_len
    }

    /// Bytes of a block of the file.
    pub fn block_bytes(self) -> usize {
        self.spec().block_bytes
    }

    /// Bytes of a row of `columns` weights in the file; `None` if that is no whole number of blocks, or too long.
    pub fn row_bytes(self, columns: usize) -> Option<usize> {
        columns.is_multiple_of(self.block_len()).then_some(())?;
        (columns / self.block_len()).checked_mul(self.block_bytes())
    }

    /// u32 words of a row of `columns` weights in the device layout: a whole number of vec4<u32>.
    pub fn device_row_words(self, columns: usize) -> usize {
        4 * (self.spec().device_vec4s)(columns.div_ceil(DEVICE_BLOCK))
    }

    /// File rows → device rows. `src` holds whole rows of `columns` weights.
    pub fn repack_rows(self, src: &[u8], columns: usize) -> Vec<u32> {
        let (bytes, words) = (self.row_bytes(columns).expect("whole blocks"), self.device_row_words(columns));
        let mut dst = vec![0; src.len() / bytes * words];
        for (src, dst) in src.chunks_exact(bytes).zip(dst.chunks_exact_mut(words)) {
            (self.spec().repack)(src, dst);
        }
        dst
    }

    /// File bytes → weights. `src` holds whole blocks for `dst`.
    pub fn dequantize(self, src: &[u8], dst: &mut [f32]) {
        self.run(Dequantize { src, dst });
    }

    /// Whether [`Format::quantize`] is there for it.
    pub fn is_writable(self) -> bool {
        self.spec().quantize.is_some()
    }

    /// The names of all formats that can be written: `f32, f16, …`.
    pub fn writable_names() -> String {
        let names = Format::ALL.iter().filter(|f| f.is_writable()).map(|f| f.name());
        names.collect::<Vec<_>>().join(", ")
    }

    /// Whether weights share scales: everything but the plain floating-point formats.
    pub fn is_quantized(self) -> bool {
        self.block_len() > 1
    }

    /// Weights → file bytes, for a writable format. The length must be a multiple of the block.
    pub fn quantize(self, src: &[f32]) -> Vec<u8> {
        let mut dst = Vec::with_capacity(self.row_bytes(src.len()).expect("whole blocks"));
        self.spec().quantize.expect("a writable format")(src, &mut dst);
        dst
    }
}

struct Dequantize<'a> {
    src: &'a [u8],
    dst: &'a mut [f32],
}

impl ForCodec for Dequantize<'_> {
    fn run<C: Codec>(self) {
        C::dequantize(self.src, self.dst);
    }
}
