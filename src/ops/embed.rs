//! x [T, D] = scale × table [V, D] at each row's token or position; the token also goes to the slot's history.

use super::skinny;
use crate::device::{Kernel, Options, Pass, Slot, Tensor, Twin, Weight, kernel, params};

pub static EMBED: Kernel = kernel!(embed, [Uniform, Read, Read, Write, Write], shared: ["control", "rows"]);

/// The key of a row in the table; the numbers are `BY` in the shader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Its token.
    Token,
    /// Learnt positions (GPT-2), added to what is there.
    Position,
    /// The table's first row for every row, added to what is there: BERT's type of the only segment.
    First,
}

params! {
    struct Params {
        columns: u32,
        stride: u32,
        /// Where this piece begins, and from one row to the next, in vec4<u32>.
        base: u32,
        weight_stride4: u32,
        /// Table rows of this piece.
        first: u32,
        count: u32,
        scale: f32,
        unused: u32,
    }
}

/// Records x = scale × table[token], or x += scale × table[position].
pub fn embed(pass: &mut Pass, table: &Weight, by: By, scale: f32, x: &Tensor) {
    assert_eq!(x.columns, table.columns, "embed: columns");
    for piece in &table.pieces {
        let stride = skinny::stride4(table.format, table.columns);
        let params = Params {
            columns: x.columns as u32,
            stride: x.stride() as u32,
            base: piece.at as u32 * stride,
            weight_stride4: stride,
            first: piece.rows.start as u32,
            count: piece.rows.len() as u32,
            scale,
            unused: 0,
        };
        let options = Options::weight(table.format).set("BY", by as u32);
        let groups = x.columns.div_ceil(32).div_ceil(64) as u32;
        let bindings = [pass.control, piece.buffer, pass.state, x.buffer];
        pass.record(&EMBED, options, params, &bindings, [groups, x.rows as u32, 1]);
    }
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let (control, table) = (t.read::<u32>(1), t.read::<u8>(2));
    let (mut state, mut x) = (t.write::<u32>(3), t.write::<f32>(4));
    let by = t.constant("BY");
    let adds = by != By::Token as u32;
    let (columns, format) = (p.columns as usize, t.format());
    let row_bytes = format.row_bytes(columns).expect("whole blocks");
    let before = (p.base / p.weight_stride4.max(1)) as usize;
    let mut values = vec![0f32; columns];
    for r in 0..Slot::rows(&control) {
        let row = Slot::row(&control, &state, r);
        let index = [row.token, row.position, 0][by as usize];
        if !adds && row.position < Slot::context(&control) {
            state[Slot::history_at(&control, row.slot, row.position)] = row.token;
        }
        if !(p.first..p.first + p.count).contains(&index) {
            continue;
        }
        let at = (before + (index - p.first) as usize) * row_bytes;
        format.dequantize(&table[at..at + row_bytes], &mut values);
        for (x, value) in x[r * p.stride as usize..].iter_mut().zip(&values) {
            *x = value * p.scale + if adds { *x } else { 0.0 };
        }
    }
}
