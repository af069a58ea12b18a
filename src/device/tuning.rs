//! How kernels are shaped for a device: the choices that `ops` compiles in.

use super::info::DeviceInfo;
use super::unpack_f16::UnpackF16;
use crate::quant::Format;
use serde::{Deserialize, Serialize};
use std::{fmt, iter};

/// Dot products of four bytes: a feature of the language, by WebGPU's name for it.
pub const PACKED_DOT: &str = "packed_4x8_integer_dot_product";

/// How products of few rows are shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MatvecShape {
    /// Threads that share an output: a power of two, 32 at most.
    pub lanes: u32,
    /// Outputs of each group of lanes, which read x once for all of them: even, 8 at most.
    pub outputs: u32,
    /// How lanes add up.
    pub reduce: Reduce,
    /// Quantised weights stay codes, and x is rounded to 8 bits: see [`TileFormat::Packed`].
    pub packed: bool,
}

/// How the lanes of a group add up what each of them has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reduce {
    /// There is one lane.
    Alone,
    /// Through workgroup memory, with a barrier.
    Workgroup,
    /// By exchange within a subgroup of at least so many threads.
    Subgroup,
}

/// How the tiled product of many rows is shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MatmulShape {
    /// Rows of each thread: 4 or 8.
    pub tall: u32,
    /// Number format of the tiles.
    pub numbers: TileFormat,
}

/// Number format of a matmul kernel's tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TileFormat {
    /// Exact, on every device.
    F32,
    /// Needs the feature `shader-f16`.
    F16,
    /// The codes of quantised weights, and x rounded to 8 bits, four to a word; f32 where weights have no codes.
    Packed,
}

/// How kernels are shaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tuning {
    /// Products of few rows.
    pub matvec: MatvecShape,
    /// Workgroups that a product of few rows is cut into at least, where it is large enough.
    pub least_groups: usize,
    /// Products of many rows.
    pub matmul: MatmulShape,
    /// How f16 numbers are read.
    pub unpack_f16: UnpackF16,
}

impl Tuning {
    /// The default for a device that was not measured. Barriers are slow on software adapters.
    pub fn unmeasured(software: bool) -> Tuning {
        let matvec = match software {
            true => MatvecShape { lanes: 1, outputs: 4, reduce: Reduce::Alone, packed: false },
            false => MatvecShape { lanes: 16, outputs: 4, reduce: Reduce::Workgroup, packed: false },
        };
        let least_groups = if software { 4 } else { 64 };
        let matmul = MatmulShape { tall: 4, numbers: TileFormat::F32 };
        Tuning { matvec, least_groups, matmul, unpack_f16: UnpackF16::Native }
    }
}

/// Shapes to choose from. The first of each asks least of a device.
#[derive(Debug, Clone)]
pub struct Candidates {
    /// For products of few rows.
    pub matvec: Vec<MatvecShape>,
    /// For products of many rows.
    pub matmul: Vec<MatmulShape>,
    /// For reading f16 numbers.
    pub unpack_f16: Vec<UnpackF16>,
}

impl Candidates {
    /// The candidates that this device's features allow, for weights that are mostly in `format`.
    pub fn of(info: &DeviceInfo, format: Format) -> Candidates {
        let has = |feature: &str| info.features.iter().any(|f| f == feature);
        let shape = |lanes, reduce| MatvecShape { lanes, outputs: 4, reduce, packed: false };
        let mut matvec = vec![shape(1, Reduce::Alone), shape(16, Reduce::Workgroup), shape(32, Reduce::Workgroup)];
        if has("subgroups") {
            matvec.extend(subgroup_lanes(info).map(|lanes| shape(lanes, Reduce::Subgroup)));
        }
        let mut numbers = vec![TileFormat::F32];
        if has("shader-f16") {
            numbers.push(TileFormat::F16);
        }
        if has(PACKED_DOT) && format.is_quantized() {
            numbers.push(TileFormat::Packed);
            matvec.extend(matvec.clone().into_iter().map(|shape| MatvecShape { packed: true, ..shape }));
        }
        let tall = |numbers| [4, 8].map(|tall| MatmulShape { tall, numbers });
        let matmul = numbers.into_iter().flat_map(tall).collect();
        Candidates { matvec, matmul, unpack_f16: vec![UnpackF16::Native, UnpackF16::Bits] }
    }
}

/// How many threads may exchange sums within a subgroup. A compiler may choose any size from the smallest on, another one for
/// each kernel; but Apple's GPUs, for which the smallest is said to be 4, have 32 always.
fn subgroup_lanes(info: &DeviceInfo) -> impl Iterator<Item = u32> {
    let smallest = info.subgroup_size.unwrap_or(1).min(32);
    let always = (info.vendor == "apple").then_some(32);
    let others = always.filter(|&lanes| lanes > smallest);
    iter::once(smallest).chain(others).filter(|lanes| lanes.is_power_of_two() && *lanes > 1)
}

impl fmt::Display for MatvecShape {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let MatvecShape { lanes, outputs, reduce, packed } = self;
        f.write_str(if *packed { "packed, " } else { "" })?;
        match reduce {
            Reduce::Alone => write!(f, "alone ×{outputs}"),
            Reduce::Workgroup => write!(f, "workgroup {lanes}×{outputs}"),
            Reduce::Subgroup => write!(f, "subgroup {lanes}×{outputs}"),
        }
    }
}

impl fmt::Display for MatmulShape {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let numbers = match self.numbers {
            TileFormat::F32 => "f32",
            TileFormat::F16 => "f16",
            TileFormat::Packed => "packed",
        };
        write!(f, "{numbers} ×{}", self.tall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_of_subgroups() {
        let lanes = |vendor: &str, subgroup_size| {
            let features = vec!["subgroups".to_string()];
            let info = DeviceInfo { vendor: vendor.into(), subgroup_size, features, ..DeviceInfo::default() };
            let shapes = Candidates::of(&info, Format::F16).matvec;
            shapes.iter().filter(|s| s.reduce == Reduce::Subgroup).map(|s| s.lanes).collect::<Vec<_>>()
        };
        assert_eq!(lanes("apple", Some(4)), [4, 32], "what the hardware has, whatever is said");
        assert_eq!(lanes("apple", Some(32)), [32]);
        assert_eq!(lanes("intel", Some(8)), [8], "the compiler may choose 8 for any kernel");
        assert_eq!((lanes("amd", Some(64)), lanes("nvidia", Some(32))), (vec![32], vec![32]));
        assert_eq!((lanes("mesa", Some(1)), lanes("mesa", Some(12)), lanes("mesa", None)), (vec![], vec![], vec![]));
    }
}
