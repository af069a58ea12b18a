//! y [T, ΣN] = (norm(x [T, K]) · [W0; W1; W2]ᵀ + b) × scale (+ y) for few rows: up to three projections that share their
//! input, and the RMSNorm before them, in one dispatch. The formats of the weights may differ.

use super::shared::Epilogue;
use super::skinny::{
    self, DispatchShape, MOST_ROWS, Operand, Products, Prologue, Tensor2, can_share, fold, or_control,
};
use crate::device::{Kernel, Pass, Tensor, Twin, Weight, kernel, params};
use cresset_numerics::products;
use cresset_numerics::rows::finish;

pub static MATVEC: Kernel = kernel!(
    matvec,
    [Uniform, Read, Read, Read, Read, Read, Read, Read, Write],
    shared: ["control", "columns", "sums"]
)
.fast(fast);

params! {
    struct Params {
        /// Outputs of each weight.
        n: [u32; 3],
        k: u32,
        /// Where each weight begins, in vec4<u32>.
        base: [u32; 3],
        x_stride4: u32,
        /// vec4<u32> from one row of each weight to the next.
        stride: [u32; 3],
        y_stride: u32,
        n_offset: u32,
        /// 0: rows in use; 1: logit rows in use.
        rows_kind: u32,
        epsilon: f32,
        scale: f32,
    }
}

/// Records the projections of `x` by up to three weights into the columns of `y`, one behind the other; the epilogue's
/// bias holds the f32 biases of all of them.
pub fn matvec(
    pass: &mut Pass,
    x: &Tensor,
    norm: Option<Prologue>,
    weights: &[&Weight],
    epilogue: Epilogue,
    y: &Tensor,
) {
    let outputs: usize = weights.iter().map(|weight| weight.rows).sum();
    assert!((1..=3).contains(&weights.len()) && x.rows <= MOST_ROWS, "matvec: weights and rows");
    weights.iter().for_each(|weight| skinny::check_columns("matvec", x, weight));
    assert_eq!((x.rows, outputs), (y.rows, y.columns), "matvec: shape of y");
    if can_share(x.rows, weights) {
        return record(pass, x, norm, &skinny::operands(weights), epilogue, 0, y);
    }
    // A weight too large for one binding goes piece by piece.
    let [weight] = weights else { panic!("matvec: a split weight beside others") };
    for piece in &weight.pieces {
        let operand = Operand { format: weight.format, buffer: piece.buffer, at: piece.at, rows: piece.rows.len() };
        record(pass, x, norm, &[operand], epilogue, piece.rows.start, y);
    }
}

fn record(
    pass: &mut Pass,
    x: &Tensor,
    norm: Option<Prologue>,
    weights: &[Operand],
    epilogue: Epilogue,
    n_offset: usize,
    y: &Tensor,
) {
    let k = x.columns;
    let shape = DispatchShape::of(pass, weights.iter().map(|weight| weight.rows).sum(), false);
    let each = |f: &dyn Fn(&Operand) -> u32| std::array::from_fn(|i| weights.get(i).map_or(0, f));
    let params = Params {
        n: each(&|weight| weight.rows as u32),
        k: k as u32,
        base: each(&|weight| weight.at as u32 * skinny::stride4(weight.format, k)),
        x_stride4: (x.stride() / 4) as u32,
        stride: each(&|weight| skinny::stride4(weight.format, k)),
        y_stride: y.stride() as u32,
        n_offset: n_offset as u32,
        rows_kind: pass.logit_rows.into(),
        epsilon: norm.map_or(0.0, |norm| norm.epsilon),
        scale: epilogue.scale,
    };
    let formats: Vec<_> = weights.iter().map(|weight| weight.format).collect();
    let options = shape
        .options(&formats, x.rows, k, norm.is_some())
        .set("BIAS", epilogue.bias.is_some().into())
        .set("ACCUMULATE", epilogue.accumulate.into());
    let weight = |i: usize| or_control(pass, weights.get(i).map(|weight| weight.buffer));
    let (norm, bias) = (or_control(pass, norm.map(|norm| norm.weight)), or_control(pass, epilogue.bias));
    let bindings = [pass.control, x.buffer, norm, bias, weight(0), weight(1), weight(2), y.buffer];
    let groups = weights.iter().map(|weight| shape.groups(weight.rows)).sum();
    pass.record(&MATVEC, options, params, &bindings, fold(groups));
}

fn twin(t: &Twin) {
    run(t, skinny::specified(t));
}

fn fast(t: &Twin) {
    run(t, products);
}

fn run(t: &Twin, products: Products) {
    let p: Params = t.params();
    let (control, x, bias) = (t.read::<u32>(1), t.read::<f32>(2), t.read::<f32>(4));
    let rows = skinny::rows_wanted(&control, p.rows_kind);
    if rows == 0 {
        return;
    }
    let columns = p.k as usize;
    let x = Tensor2 { numbers: &x, rows, columns, stride: 4 * p.x_stride4 as usize };
    let x = skinny::normed_rows(t, &x, 3, p.epsilon);
    let mut y = t.write::<f32>(8);
    let (biased, accumulate) = (t.constant("BIAS") == 1, t.constant("ACCUMULATE") == 1);
    let mut first = p.n_offset as usize;
    for (i, &format) in t.formats().iter().enumerate() {
        let (n, weight) = (p.n[i] as usize, t.read::<u8>(5 + i));
        let at = (p.base[i] / p.stride[i].max(1)) as usize;
        let sums = products(format, skinny::rows_of(format, &weight, columns, at, n), &skinny::slices(&x)); // [T, N]
        let bias = biased.then(|| &bias[first..]);
        for (r, sums) in sums.chunks_exact(n).enumerate() {
            finish(sums, bias, p.scale, accumulate, &mut y[r * p.y_stride as usize + first..][..n]);
        }
        first += n;
    }
}
