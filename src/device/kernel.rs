//! A kernel as data: its WGSL, its bindings, and its CPU twin.

use crate::quant::{self, Format};
use bytemuck::{AnyBitPattern, NoUninit};
use std::cell::{Ref, RefCell, RefMut};

/// How a kernel uses a binding. Binding order is argument order: parameters, inputs, outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    Uniform,
    Read,
    Write,
}

/// A WGSL compute shader and the plain Rust function that specifies it.
pub struct Kernel {
    /// The stem of its two files and the name of its entry point.
    pub name: &'static str,
    /// Binding 0 is always the uniform parameter struct.
    pub bindings: &'static [Access],
    pub source: &'static str,
    /// Pieces from `shaders/shared/`.
    pub shared: &'static [&'static str],
    /// The specification: tests hold the shader to it, and the CPU executor runs it where nothing faster is there.
    pub twin: fn(&Twin),
    /// The same, made for speed, where a twin would carry the CPU path's time; tests hold it to the twin.
    pub fast: Option<fn(&Twin)>,
}

/// `kernel!(rms_norm, [Uniform, Read, Write], shared: ["control"])`: the kernel of `shaders/rms_norm.wgsl`, whose twin
/// is the function `twin` in scope; `fast: function` gives the CPU executor another version.
macro_rules! kernel {
    ($name:ident, [$($access:ident),* $(,)?], shared: [$($shared:literal),* $(,)?]) => {
        $crate::device::kernel!($name, [$($access),*], shared: [$($shared),*], as: None)
    };
    ($name:ident, [$($access:ident),* $(,)?], shared: [$($shared:literal),* $(,)?], fast: $fast:expr) => {
        $crate::device::kernel!($name, [$($access),*], shared: [$($shared),*], as: Some($fast))
    };
    ($name:ident, [$($access:ident),* $(,)?], shared: [$($shared:literal),* $(,)?], as: $fast:expr) => {
        $crate::device::Kernel {
            name: stringify!($name),
            bindings: &[$($crate::device::Access::$access),*],
            source: include_str!(concat!("../../shaders/", stringify!($name), ".wgsl")),
            shared: &[$(include_str!(concat!("../../shaders/shared/", $shared, ".wgsl"))),*],
            twin,
            fast: $fast,
        }
    };
}
pub(crate) use kernel;

/// How keys and values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum KvFormat {
    #[default]
    F16,
    F32,
}

impl KvFormat {
    pub fn name(self) -> &'static str {
        match self {
            KvFormat::F16 => "f16",
            KvFormat::F32 => "f32",
        }
    }

    pub fn bytes(self) -> usize {
        match self {
            KvFormat::F16 => 2,
            KvFormat::F32 => 4,
        }
    }
}

/// What is compiled into a kernel's text: the formats of its weights and named constants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Options {
    pub weights: Vec<Format>,
    pub constants: Vec<(&'static str, u32)>,
}

impl Options {
    pub fn weight(format: Format) -> Self {
        Self::weights(&[format])
    }

    /// For kernels that read several weights.
    pub fn weights(formats: &[Format]) -> Self {
        Options { weights: formats.to_vec(), constants: Vec::new() }
    }

    pub fn set(mut self, name: &'static str, value: u32) -> Self {
        self.constants.push((name, value));
        self
    }

    pub fn get(&self, name: &str) -> u32 {
        let found = self.constants.iter().find(|(n, _)| *n == name);
        found.unwrap_or_else(|| panic!("the kernel has no constant {name}")).1
    }
}

impl Kernel {
    /// The whole WGSL text: constants, shared pieces, the format's `dequant`, the kernel.
    pub fn wgsl(&self, options: &Options, prologue: &str) -> String {
        let mut text = String::from(prologue);
        for (name, value) in &options.constants {
            text.push_str(&format!("const {name}: u32 = {value}u;\n"));
        }
        for piece in self.shared {
            text.push_str(piece);
        }
        if !options.weights.is_empty() {
            text.push_str(quant::SHARED_WGSL);
        }
        for (i, format) in options.weights.iter().enumerate() {
            text.push_str(&operand(format.spec().wgsl, i));
        }
        if self.source.contains("dequant_of(") {
            text.push_str(&dequant_of(options.weights.len()));
        }
        text.push_str(self.source);
        text
    }
}

/// A format's text for the `i`-th weight: that of the first as it is, later ones with `_i` behind their names, since no
/// WGSL function takes a storage buffer.
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

/// `dequant_of`: the `dequant` of one of `n` weights, told by its number.
fn dequant_of(n: usize) -> String {
    let mut text = String::from(
        "fn dequant_of(operand: u32, row: u32, blocks: u32, block: u32, part: u32) -> array<vec4f, 2> {\n",
    );
    for i in 1..n {
        text.push_str(&format!("    if (operand == {i}u) {{ return dequant_{i}(row, blocks, block, part); }}\n"));
    }
    text + "    return dequant(row, blocks, block, part);\n}\n"
}

/// What a twin sees of its step: the same parameters, constants and bindings as the shader.
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
