//! A kernel as data: its WGSL, its bindings, and its CPU twin.

use super::aliases;
use super::shared::piece;
use super::unpack_f16::UnpackF16;
use super::unroll::unroll;
use crate::quant::{self, Format};
use bytemuck::{AnyBitPattern, NoUninit};
use std::cell::{Ref, RefCell, RefMut};

/// How a kernel uses a binding. Binding order is argument order: parameters, inputs, outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// The parameters, at binding 0.
    Uniform,
    /// A storage buffer, read only.
    Read,
    /// A storage buffer, read and written.
    Write,
}

/// A WGSL compute shader and the plain Rust function that specifies it.
pub struct Kernel {
    /// The stem of its two files and the name of its entry point.
    pub name: &'static str,
    /// Binding 0 is always the uniform parameter struct.
    pub bindings: &'static [Access],
    /// The text of `shaders/{name}.wgsl`.
    pub source: &'static str,
    /// Pieces from `shaders/shared/`.
    pub shared: &'static [&'static str],
    /// The specification: tests hold the shader to it, and the CPU executor runs it where nothing faster is there.
    pub twin: fn(&Twin),
    /// An optimised twin, where the plain one would dominate the CPU path's time; tests compare the two.
    pub fast: Option<fn(&Twin)>,
}

/// `kernel!(rms_norm, [Uniform, Read, Write], shared: ["control"])`: the kernel of `shaders/rms_norm.wgsl`, whose twin
/// is the function `twin` in scope.
macro_rules! kernel {
    ($name:ident, [$($access:ident),* $(,)?], shared: [$($shared:literal),* $(,)?]) => {
        $crate::device::Kernel {
            name: stringify!($name),
            bindings: &[$($crate::device::Access::$access),*],
            source: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", stringify!($name), ".wgsl")),
            shared: &[$($crate::device::piece!($shared)),*],
            twin,
            fast: None,
        }
    };
}
pub(crate) use kernel;

impl Kernel {
    /// With a version of its twin for the CPU executor.
    pub const fn fast(self, fast: fn(&Twin)) -> Kernel {
        Kernel { fast: Some(fast), ..self }
    }
}

/// Compile-time choices of a kernel: the formats of its weights, named constants, and alternative pieces of WGSL.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Options {
    /// The format of each weight, in the order of their bindings.
    pub weights: Vec<Format>,
    /// Constants of the text, by name.
    pub constants: Vec<(&'static str, u32)>,
    /// Text put before the kernel.
    pub pieces: Vec<&'static str>,
    /// Pieces that call `dequant`: there is one of each for every weight.
    pub each_weight: Vec<&'static str>,
    /// Features that the text needs beyond the defaults.
    pub features: Features,
}

/// Optional features of WGSL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Features {
    /// `enable f16`.
    pub f16: bool,
    /// `enable subgroups`.
    pub subgroups: bool,
    /// Dot products of four bytes at once. Weights are codes and scales then, not numbers.
    pub packed: bool,
}

impl Options {
    /// For kernels that read one weight.
    pub fn weight(format: Format) -> Self {
        Self::weights(&[format])
    }

    /// For kernels that read several weights.
    pub fn weights(formats: &[Format]) -> Self {
        Options { weights: formats.to_vec(), ..Options::default() }
    }

    /// With a constant.
    pub fn set(mut self, name: &'static str, value: u32) -> Self {
        self.constants.push((name, value));
        self
    }

    /// With a piece of text.
    pub fn piece(mut self, text: &'static str) -> Self {
        self.pieces.push(text);
        self
    }

    /// With a piece of text for each weight.
    pub fn each_weight(mut self, text: &'static str) -> Self {
        self.each_weight.push(text);
        self
    }

    /// A constant; panics where there is none of that name.
    pub fn get(&self, name: &str) -> u32 {
        let found = self.constants.iter().find(|(n, _)| *n == name);
        found.unwrap_or_else(|| panic!("the kernel has no constant {name}")).1
    }
}

impl Kernel {
    /// The whole WGSL text: constants, shared pieces, what reads each weight, the kernel. `unpack_f16`: how f16 numbers are read;
    /// `prologue`: the target's lines for the features that the text needs.
    pub fn wgsl(&self, options: &Options, unpack_f16: UnpackF16, prologue: &str) -> String {
        let mut text = String::from(prologue);
        for (name, value) in &options.constants {
            text.push_str(&format!("const {name}: u32 = {value}u;\n"));
        }
        for piece in self.shared.iter().chain(&options.pieces) {
            text.push_str(piece);
        }
        if !options.weights.is_empty() {
            text.push_str(quant::SHARED_WGSL);
            text.push_str(if options.features.packed { piece!("weights_packed") } else { piece!("weights_f32") });
        }
        for (i, format) in options.weights.iter().enumerate() {
            let reads: Vec<_> = [format.spec().wgsl].iter().chain(&options.each_weight).copied().collect();
            text.push_str(&operand(&reads.concat(), i));
        }
        for piece in &options.each_weight {
            text.push_str(&choice(piece, options.weights.len()));
        }
        text.push_str(self.source);
        if text.contains("unpack_f16(") {
            text.push_str(unpack_f16.piece());
        }
        aliases::expand(&unroll(&text))
    }
}

/// WGSL that reads the `i`-th weight: the text itself for the first, a copy with `_i` behind its names for later ones,
/// since no WGSL function takes a storage buffer.
fn operand(wgsl: &str, i: usize) -> String {
    if i == 0 {
        return wgsl.to_string();
    }
    let mut renamed = wgsl.replace("weight[", &format!("weight_{i}["));
    for function in wgsl.lines().filter_map(|line| line.strip_prefix("fn ")?.split('(').next()) {
        renamed = renamed.replace(&format!("{function}("), &format!("{function}_{i}("));
    }
    renamed
}

/// For the function `f(a: A) -> B` of a piece, `f_of(operand: u32, a: A) -> B`: that of one of `n` weights, told by its
/// number.
fn choice(piece: &str, n: usize) -> String {
    let line = piece.lines().find_map(|line| line.strip_prefix("fn ")).expect("a piece with a function");
    let (name, rest) = line.split_once('(').expect("parameters");
    let (parameters, rest) = rest.split_once(')').expect("parameters");
    let arguments: Vec<_> = parameters.split(", ").filter_map(|p| p.split(':').next()).collect();
    let arguments = arguments.join(", ");
    let mut text = format!("fn {name}_of(operand: u32, {parameters}){rest}\n");
    for i in 1..n {
        text.push_str(&format!("    if (operand == {i}u) {{ return {name}_{i}({arguments}); }}\n"));
    }
    text + &format!("    return {name}({arguments});\n}}\n")
}

/// A twin's view of its step: the same parameters, constants and bindings as the shader's.
pub struct Twin<'a> {
    pub(crate) params: &'a [u8],
    pub(crate) options: &'a Options,
    pub(crate) buffers: Vec<&'a RefCell<Vec<u32>>>,
}

impl Twin<'_> {
    /// Binding 0.
    pub fn params<P: AnyBitPattern>(&self) -> P {
        bytemuck::pod_read_unaligned(self.params)
    }

    /// A constant of the kernel's options.
    pub fn constant(&self, name: &str) -> u32 {
        self.options.get(name)
    }

    /// The format of the only weight, or the first.
    pub fn format(&self) -> Format {
        self.formats()[0]
    }

    /// The formats of all weights.
    pub fn formats(&self) -> &[Format] {
        &self.options.weights
    }

    /// A buffer bound for reading. `binding` counts like WGSL's: the first buffer is 1.
    pub fn read<T: AnyBitPattern>(&self, binding: usize) -> Ref<'_, [T]> {
        Ref::map(self.buffers[binding - 1].borrow(), |words| bytemuck::cast_slice(words))
    }

    /// A buffer bound for writing (and reading).
    pub fn write<T: AnyBitPattern + NoUninit>(&self, binding: usize) -> RefMut<'_, [T]> {
        RefMut::map(self.buffers[binding - 1].borrow_mut(), |words| bytemuck::cast_slice_mut(words))
    }
}
