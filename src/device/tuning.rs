//! How kernels are shaped for a device: the choices that `ops` compiles in.

use super::DeviceInfo;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How products of few rows are shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MatvecShape {
    /// Threads that share an output: a power of two, 32 at most.
    pub lanes: u32,
    /// Outputs of each group of lanes, which read x once for all of them: even, 8 at most.
    pub outputs: u32,
    pub meet: Meet,
}

/// How the lanes of a group add up what each of them has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Meet {
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
    /// Tiles hold f16 numbers.
    pub f16: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tuning {
    pub matvec: MatvecShape,
    /// Workgroups that a product of few rows is cut into at least, where it is large enough.
    pub least_groups: usize,
    pub matmul: MatmulShape,
}

impl Tuning {
    /// What a device gets that nobody has measured. Software adapters pay dearly for barriers.
    pub fn unmeasured(software: bool) -> Tuning {
        let matvec = match software {
            true => MatvecShape { lanes: 1, outputs: 4, meet: Meet::Alone },
            false => MatvecShape { lanes: 16, outputs: 4, meet: Meet::Workgroup },
        };
        let least_groups = if software { 4 } else { 64 };
        Tuning { matvec, least_groups, matmul: MatmulShape { tall: 4, f16: false } }
    }
}

/// Shapes to choose from. The first of each asks least of a device.
#[derive(Debug, Clone)]
pub struct Candidates {
    pub matvec: Vec<MatvecShape>,
    pub matmul: Vec<MatmulShape>,
}

impl Candidates {
    /// What this device's features allow.
    pub fn of(info: &DeviceInfo) -> Candidates {
        let has = |feature: &str| info.features.iter().any(|f| f == feature);
        let shape = |lanes, meet| MatvecShape { lanes, outputs: 4, meet };
        let mut matvec = vec![shape(1, Meet::Alone), shape(16, Meet::Workgroup), shape(32, Meet::Workgroup)];
        // A compiler may choose any size from the smallest on, another one for each kernel.
        let lanes = info.subgroup_size.unwrap_or(1).min(32);
        if has("subgroups") && lanes.is_power_of_two() && lanes > 1 {
            matvec.push(shape(lanes, Meet::Subgroup));
        }
        let mut matmul = vec![MatmulShape { tall: 4, f16: false }, MatmulShape { tall: 8, f16: false }];
        if has("shader-f16") {
            matmul.extend([4, 8].map(|tall| MatmulShape { tall, f16: true }));
        }
        Candidates { matvec, matmul }
    }
}

impl fmt::Display for MatvecShape {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let MatvecShape { lanes, outputs, meet } = self;
        match meet {
            Meet::Alone => write!(f, "alone ×{outputs}"),
            Meet::Workgroup => write!(f, "workgroup {lanes}×{outputs}"),
            Meet::Subgroup => write!(f, "subgroup {lanes}×{outputs}"),
        }
    }
}

impl fmt::Display for MatmulShape {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} ×{}", if self.f16 { "f16" } else { "f32" }, self.tall)
    }
}
