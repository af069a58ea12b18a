//! How kernels are shaped for a device: the choices that `ops` compiles in.

/// How products of few rows are shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MatvecShape {
    /// Threads that share an output: a power of two, 32 at most.
    pub lanes: u32,
    /// Outputs of each group of lanes, which read x once for all of them: even, 8 at most.
    pub outputs: u32,
    pub meet: Meet,
}

/// How the lanes of a group add up what each of them has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meet {
    /// There is one lane.
    Alone,
    /// Through workgroup memory, with a barrier.
    Workgroup,
    /// By exchange within a subgroup of at least so many threads.
    Subgroup,
}

/// How the tiled product of many rows is shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MatmulShape {
    /// Rows of each thread: 4 or 8.
    pub tall: u32,
    /// Tiles hold f16 numbers.
    pub f16: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
