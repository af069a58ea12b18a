//! routes [T, 2K] = the K experts that a row goes to, then their weights: softmax over the router's logits [T, E], of
//! which the largest are kept (Shazeer et al. 2017, <https://arxiv.org/abs/1701.06538>). A logit that is not finite makes all
//! weights of its row NaN.

use crate::device::{Kernel, Options, Pass, Slot, Tensor, Twin, kernel, params};
use cresset_numerics::sort_by;

pub static ROUTE: Kernel = kernel!(route, [Uniform, Read, Read, Write], shared: ["control", "nan"]);

/// Experts that a workgroup has room for.
pub const MOST_EXPERTS: usize = 512;

params! {
    struct Params {
        experts: u32,
        stride: u32,
        top_k: u32,
        routes_stride: u32,
    }
}

/// Records the choice of `top_k` experts a row; `normalize`: their weights sum to 1. `routes` holds u32 words: numbers,
/// then f32 weights.
pub fn route(pass: &mut Pass, logits: &Tensor, top_k: usize, normalize: bool, routes: &Tensor) {
    assert!((1..=logits.columns).contains(&top_k) && logits.columns <= MOST_EXPERTS, "route: experts");
    assert_eq!((routes.rows, routes.columns), (logits.rows, 2 * top_k), "route: shape of routes");
    let params = Params {
        experts: logits.columns as u32,
        stride: logits.stride() as u32,
        top_k: top_k as u32,
        routes_stride: routes.stride() as u32,
    };
    let options = Options::default().set("NORMALIZE", normalize.into());
    let bindings = [pass.control, logits.buffer, routes.buffer];
    pass.record(&ROUTE, options, params, &bindings, [logits.rows as u32, 1, 1]);
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let (control, logits) = (t.read::<u32>(1), t.read::<f32>(2));
    let mut routes = t.write::<u32>(3);
    let top_k = p.top_k as usize;
    for r in 0..Slot::rows(&control) {
        let logits = &logits[r * p.stride as usize..][..p.experts as usize];
        let odd = logits.iter().any(|x| !x.is_finite());
        let most = logits.iter().copied().fold(f32::MIN, f32::max);
        let sum: f32 = logits.iter().map(|x| (x - most).max(-80.0).exp()).sum();
        let mut experts: Vec<(f32, u32)> = logits.iter().map(|x| (x - most).max(-80.0).exp() / sum).zip(0..).collect();
        // A stable sort leaves equals in the order of their numbers.
        sort_by(&mut experts, |a, b| b.0.total_cmp(&a.0));
        let total: f32 = experts[..top_k].iter().map(|(weight, _)| weight).sum();
        let routes = &mut routes[r * p.routes_stride as usize..][..2 * top_k];
        for (k, &(weight, expert)) in experts[..top_k].iter().enumerate() {
            routes[k] = expert;
            let weight = if t.constant("NORMALIZE") == 1 { weight / total } else { weight };
            routes[top_k + k] = if odd { f32::NAN } else { weight }.to_bits();
        }
    }
}
