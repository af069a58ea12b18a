//! Products of few rows: what matvec, gated, lm_head and the experts' kernels have in common. Each weight is read once and
//! used for all rows; lanes of threads share outputs as `device::MatvecShape` says (`shaders/shared/row_sums.wgsl`).

mod packed;
mod plain;

pub use packed::{packed, specified};
pub use plain::{Products, slices};

use crate::device::{BufferId, MatvecShape, Options, Pass, Reduce, Slot, Tensor, Twin, Weight, piece};
use crate::quant::{DEVICE_BLOCK, Format};
use cresset_numerics::rows::{rms_scale, scaled};

/// Rows up to which these kernels are preferred to the tiled matmul.
pub const MOST_ROWS: usize = 4;

/// Threads of a workgroup.
const WORKGROUP: usize = 64;

/// The RMSNorm before a projection: weights [K] and ε.
#[derive(Clone, Copy)]
pub struct Prologue {
    /// [K], f32.
    pub weight: BufferId,
    /// Added to the mean square.
    pub epsilon: f32,
}

/// Consecutive rows of one buffer that are multiplied as one weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Operand {
    pub format: Format,
    pub buffer: BufferId,
    /// The row of the buffer at which they begin.
    pub at: usize,
    pub rows: usize,
}

/// The weights, each in one piece, those that follow each other in a buffer as one.
pub fn operands(weights: &[&Weight]) -> Vec<Operand> {
    let mut joined: Vec<Operand> = Vec::new();
    for weight in weights {
        let [piece] = &weight.pieces[..] else { panic!("a weight in one piece") };
        let (format, buffer, at, rows) = (weight.format, piece.buffer, piece.at, weight.rows);
        match joined.last_mut() {
            Some(last) if (last.buffer, last.format, last.at + last.rows) == (buffer, format, at) => last.rows += rows,
            _ => joined.push(Operand { format, buffer, at, rows }),
        }
    }
    joined
}

/// Whether weights can share a dispatch of this many rows: few rows, and no weight split over several bindings.
pub fn can_share(rows: usize, weights: &[&Weight]) -> bool {
    rows <= MOST_ROWS && weights.iter().all(|weight| weight.pieces.len() == 1)
}

/// vec4<u32> from one row of a weight to the next.
pub fn stride4(format: Format, columns: usize) -> u32 {
    (format.device_row_words(columns) / 4) as u32
}

/// How a dispatch of such a kernel is laid out.
pub struct DispatchShape {
    lanes: u32,
    outputs: u32,
    reduce: Reduce,
    packed: bool,
    pairs: bool,
}

impl DispatchShape {
    /// For the least number of results that a dispatch has of one weight; `pairs`: of two weight rows each.
    pub fn of(pass: &Pass, results: usize, pairs: bool) -> DispatchShape {
        let tuning = pass.device.tuning();
        let MatvecShape { lanes, outputs, reduce, packed } = tuning.matvec;
        let mut shape = DispatchShape { lanes, outputs, reduce, packed, pairs };
        // Small weights are shared out among more workgroups.
        while shape.outputs > 1 + u32::from(pairs) && shape.groups(results) < tuning.least_groups {
            shape.outputs /= 2;
        }
        shape
    }

    /// Workgroups for so many results.
    pub fn groups(&self, results: usize) -> usize {
        results.div_ceil(self.results_a_group())
    }

    /// Results of one workgroup.
    pub fn results_a_group(&self) -> usize {
        WORKGROUP / self.lanes as usize * self.outputs as usize / (1 + usize::from(self.pairs))
    }

    /// The shader's constants for x [rows, columns].
    pub fn options(&self, formats: &[Format], rows: usize, columns: usize, norm: bool) -> Options {
        let options = Options::weights(formats)
            .set("ROWS", rows as u32)
            .set("LANES", self.lanes)
            .set("OUTPUTS", self.outputs)
            .set("PAIRS", self.pairs.into())
            // A ragged K leaves part of the last block past the end of x's row.
            .set("RAGGED", (!columns.is_multiple_of(DEVICE_BLOCK)).into())
            .set("NORMED", norm.into())
            .piece(if norm { piece!("rms_prologue") } else { piece!("no_norm") });
        let options = options.piece(match self.reduce {
            Reduce::Alone => piece!("reduce_alone"),
            Reduce::Workgroup => piece!("reduce_workgroup"),
            Reduce::Subgroup => piece!("reduce_subgroup"),
        });
        let options = packed(options, self.packed, formats);
        let packed = options.features.packed;
        let mut options = options.each_weight(if packed { piece!("row_sums_packed") } else { piece!("row_sums") });
        options.features.subgroups = self.reduce == Reduce::Subgroup;
        options
    }
}

/// Workgroups in x, folded into y where one dimension would be too long.
pub fn fold(groups: usize) -> [u32; 3] {
    const MOST: usize = 32768;
    [groups.min(MOST) as u32, groups.div_ceil(MOST) as u32, 1]
}

/// For twins: rows of x [T, K] `stride` floats apart, normalised where there is a norm, whose weights binding `norm` holds.
pub fn normed_rows(t: &Twin, x: &Tensor2, norm: usize, epsilon: f32) -> Vec<Vec<f32>> {
    let weights = t.read::<f32>(norm);
    let row = |r: usize| {
        let x = &x.numbers[r * x.stride..][..x.columns];
        if t.constant("NORMED") == 0 {
            return x.to_vec();
        }
        let mut normed = vec![0f32; x.len()];
        scaled(x, rms_scale(x, epsilon), &weights, false, &mut normed);
        normed
    };
    (0..x.rows).map(row).collect()
}

/// Rows of numbers as a twin sees them.
pub struct Tensor2<'a> {
    pub numbers: &'a [f32],
    pub rows: usize,
    pub columns: usize,
    pub stride: usize,
}

/// The rows that a twin works on, of those in use or those that get logits.
pub fn rows_wanted(control: &[u32], rows_kind: u32) -> usize {
    if rows_kind == 1 { Slot::logit_rows(control) } else { Slot::rows(control) }
}

/// For twins: the bytes of `rows` rows of a weight in the file's layout, from row `at` of its buffer on.
pub fn rows_of(format: Format, buffer: &[u8], columns: usize, at: usize, rows: usize) -> &[u8] {
    let bytes = format.row_bytes(columns).expect("whole blocks");
    &buffer[at * bytes..][..rows * bytes]
}

/// The binding of an absent norm or bias: control, which the shader never reads.
pub fn or_control(pass: &Pass, buffer: Option<BufferId>) -> BufferId {
    buffer.unwrap_or(pass.control)
}

/// The checks that all of them make.
pub fn check_columns(kernel: &str, x: &Tensor, weight: &Weight) {
    assert_eq!(x.columns, weight.columns, "{kernel}: columns of x and weight");
}
