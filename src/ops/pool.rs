//! y [S, D] = one vector a sequence of x [T, D]: the mean or the maximum of its rows, the first or the last (Reimers & Gurevych 2019,
//! <https://arxiv.org/abs/1908.10084>), of unit length where asked for.

use crate::device::{Kernel, Options, Pass, Slot, Tensor, Twin, kernel, params};

pub static POOL: Kernel = kernel!(pool, [Uniform, Read, Read, Write], shared: ["control", "places", "nan"]);

/// How a sequence's rows become one vector; the numbers are `KIND` in the shader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pooling {
    /// The mean of all rows.
    Mean = 0,
    /// The first row, BERT's `[CLS]`.
    Cls = 1,
    /// The last row.
    Last = 2,
    /// The largest of all rows, column by column.
    Max = 3,
    /// The sum of all rows over the root of their number.
    MeanSqrt = 4,
}

impl Pooling {
    /// All of them.
    pub const ALL: [Pooling; 5] = [Pooling::Mean, Pooling::Cls, Pooling::Last, Pooling::Max, Pooling::MeanSqrt];

    /// Its name in requests; the last one's is sentence-transformers'.
    pub fn name(self) -> &'static str {
        ["mean", "cls", "last", "max", "mean_sqrt_len"][self as usize]
    }
}

params! {
    struct Params {
        columns: u32,
        stride: u32,
        unused: [u32; 2],
    }
}

/// Records the vector of each sequence, whose first rows the gather list has.
pub fn pool(pass: &mut Pass, x: &Tensor, pooling: Pooling, normalize: bool, y: &Tensor) {
    assert_eq!(x.columns, y.columns, "pool: columns");
    let params = Params { columns: x.columns as u32, stride: x.stride() as u32, unused: [0; 2] };
    let options = Options::default().set("KIND", pooling as u32).set("NORMALIZE", normalize.into());
    pass.record(&POOL, options, params, &[pass.control, x.buffer, y.buffer], [y.rows as u32, 1, 1]);
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let (control, x) = (t.read::<u32>(1), t.read::<f32>(2));
    let mut y = t.write::<f32>(3);
    let (columns, stride) = (p.columns as usize, p.stride as usize);
    for s in 0..Slot::logit_rows(&control) {
        let first = Slot::gathered(&control, s);
        let length = Slot::place(&control, first).1 as usize;
        let row = |r: usize| &x[(first + r) * stride..][..columns];
        let y = &mut y[s * stride..][..columns];
        match t.constant("KIND") {
            1 => y.copy_from_slice(row(0)),
            2 => y.copy_from_slice(row(length - 1)),
            3 => {
                y.fill(f32::MIN);
                let larger = |y: f32, x: f32| if x > y || x.is_nan() { x } else { y };
                (0..length).for_each(|r| y.iter_mut().zip(row(r)).for_each(|(y, x)| *y = larger(*y, *x)));
            }
            kind => {
                let divisor = if kind == 4 { (length as f32).sqrt() } else { length as f32 };
                y.fill(0.0);
                (0..length).for_each(|r| y.iter_mut().zip(row(r)).for_each(|(y, x)| *y += x));
                y.iter_mut().for_each(|y| *y /= divisor);
            }
        }
        if t.constant("NORMALIZE") == 1 {
            let norm = y.iter().map(|y| y * y).sum::<f32>().sqrt().max(1e-12);
            y.iter_mut().for_each(|y| *y /= norm);
        }
    }
}
