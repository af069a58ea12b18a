//! Rotary position embedding (Su et al. 2021, <https://arxiv.org/abs/2104.09864>), in place on x [T, H, head_dim].
//!
//! The angles come from a table [context, rope_dims / 2] of (cos, sin), made once on the host in double precision:
//! GPUs' sines are wrong for the large angles of late positions.

use crate::device::{BufferId, Kernel, Options, Pass, Slot, Tensor, Twin, kernel, params};
use cresset_numerics::rows::rotate;

pub static ROPE: Kernel = kernel!(rope, [Uniform, Read, Read, Read, Write], shared: ["control", "rows"]);

/// Which two dimensions turn together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairing {
    /// (0, 1), (2, 3), …: GGUF's llama, the original paper.
    Adjacent,
    /// (0, n/2), (1, n/2 + 1), …: Hugging Face's llama, GPT-NeoX.
    HalfSplit,
}

params! {
    struct Params {
        heads: u32,
        head_dim: u32,
        /// Dimensions of a head that turn; the rest stay.
        rope_dims: u32,
        stride: u32,
    }
}

/// Records the rotation of `x` [T, heads × head_dim]; `table` holds [context, rope_dims / 2] pairs of f32.
pub fn rope(pass: &mut Pass, x: &Tensor, heads: usize, rope_dims: usize, pairing: Pairing, table: BufferId) {
    let head_dim = x.columns / heads;
    assert!(x.columns.is_multiple_of(heads) && rope_dims.is_multiple_of(2) && rope_dims <= head_dim, "rope: shapes");
    let params = Params {
        heads: heads as u32,
        head_dim: head_dim as u32,
        rope_dims: rope_dims as u32,
        stride: x.stride() as u32,
    };
    let options = Options::default().set("HALF_SPLIT", (pairing == Pairing::HalfSplit).into());
    let grid = [(heads * rope_dims / 2).div_ceil(64) as u32, x.rows as u32, 1];
    pass.record(&ROPE, options, params, &[pass.control, pass.state, table, x.buffer], grid);
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let (control, state, table) = (t.read::<u32>(1), t.read::<u32>(2), t.read::<f32>(3));
    let mut x = t.write::<f32>(4);
    let half_split = t.constant("HALF_SPLIT") == 1;
    let half = p.rope_dims as usize / 2;
    for r in 0..Slot::rows(&control) {
        let row = Slot::row(&control, &state, r);
        if row.position >= Slot::context(&control) {
            continue;
        }
        let angles = &table[row.position as usize * half * 2..][..half * 2];
        for head in 0..p.heads as usize {
            let at = r * p.stride as usize + head * p.head_dim as usize;
            let head = &mut x[at..at + p.head_dim as usize];
            rotate(head, angles, half_split);
        }
    }
}
