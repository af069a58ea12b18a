//! Finding scales: weighted least squares over a few candidates, in the spirit of ggml's quantisers.
//!
//! For given codes the best scale (and min) has a closed form, and so has the error it leaves. Candidates differ in how
//! the range of the weights is laid over the codes.

use super::SUPER;
use half::f16;

/// Sums run in as many strands, so that the compiler can use vectors.
const LANES: usize = 8;
type Sums = [f32; LANES];

/// The nearest integer of a number below 2²²: adding 1.5 × 2²³ leaves no bits for a fraction. `f32::round` is a call.
pub fn nearest(x: f32) -> f32 {
    const SHIFT: f32 = 12_582_912.0;
    (x + SHIFT) - SHIFT
}

/// The scale with which scale × value comes closest to `x` (whole strands of eight), where `value_of` gives the value a code has that is
/// nearest to a number. The largest x is tried at `end`, the value of largest magnitude, and a little around it.
///
/// Each x counts as much as its square: an error in a large weight moves a sum of products more.
pub fn scale(x: &[f32], end: f32, value_of: impl Fn(f32) -> f32) -> f32 {
    let extreme = x.iter().fold(0f32, |m, &x| if x.abs() > m.abs() { x } else { m });
    if extreme == 0.0 {
        return 0.0;
    }
    let (mut best, mut most) = (0.0, 0.0);
    for step in -5..=5 {
        let inverse = end * (1.0 + 0.009 * step as f32) / extreme;
        let (mut xv, mut vv): (Sums, Sums) = Default::default();
        for x in x.as_chunks::<LANES>().0 {
            let values = x.map(|x| value_of(x * inverse));
            for i in 0..LANES {
                let weighted = x[i] * x[i] * values[i];
                xv[i] += weighted * x[i];
                vv[i] += weighted * values[i];
            }
        }
        let (xv, vv): (f32, f32) = (xv.iter().sum(), vv.iter().sum());
        // The error is Σ w x² − xv² / vv.
        if vv > 0.0 && xv * xv > most * vv {
            (best, most) = (xv / vv, xv * xv / vv);
        }
    }
    best
}

/// (scale, min), min ≥ 0, with which scale × code − min comes closest to `x` (whole strands of eight), codes from 0 to
/// `most`.
pub fn scale_and_min(x: &[f32], most: f32) -> (f32, f32) {
    let low = x.iter().copied().fold(0f32, f32::min);
    let high = x.iter().copied().fold(low, f32::max);
    if high <= low {
        return (0.0, -low);
    }
    // A large weight counts more, a small one still as much as the typical size.
    let typical = (x.iter().map(|x| x * x).sum::<f32>() / x.len() as f32).sqrt();
    let w: f32 = x.iter().map(|x| typical + x.abs()).sum();
    let wx: f32 = x.iter().map(|x| (typical + x.abs()) * x).sum();
    let (mut best, mut least) = ((high - low) / most, -low);
    let mut gain_of_best = f32::MIN;
    for step in -5..=5 {
        // Up to one code less or more than the range has room for.
        let inverse = (most + 0.2 * step as f32) / (high - low);
        let (mut wl, mut wll, mut wlx): (Sums, Sums, Sums) = Default::default();
        for x in x.as_chunks::<LANES>().0 {
            let codes = x.map(|x| nearest((x - low) * inverse).clamp(0.0, most));
            for i in 0..LANES {
                let weighted = (typical + x[i].abs()) * codes[i];
                wl[i] += weighted;
                wll[i] += weighted * codes[i];
                wlx[i] += weighted * x[i];
            }
        }
        let [wl, wll, wlx] = [wl, wll, wlx].map(|sums| sums.iter().sum::<f32>());
        let determinant = w * wll - wl * wl;
        if determinant <= 0.0 {
            continue;
        }
        let (mut scale, mut offset) = ((w * wlx - wx * wl) / determinant, (wll * wx - wl * wlx) / determinant);
        if offset > 0.0 {
            (scale, offset) = (wlx / wll, 0.0);
        }
        // The error is Σ w x² less this.
        let gain = scale * wlx + offset * wx;
        if gain > gain_of_best {
            (best, least, gain_of_best) = (scale, -offset, gain);
        }
    }
    (best, least)
}

/// A super-block of eight blocks of 32 with scale and min each: what Q4_K and Q5_K store.
pub struct MinBlock {
    pub d: f16,
    pub dmin: f16,
    /// Six bits each.
    pub scales: [u8; 8],
    pub mins: [u8; 8],
    pub codes: [u8; SUPER],
}

/// Fits a super-block, codes from 0 to `most`.
pub fn min_block(x: &[f32], most: f32) -> MinBlock {
    let mut fits = [(0f32, 0f32); 8];
    for (fit, x) in fits.iter_mut().zip(x.chunks_exact(32)) {
        *fit = scale_and_min(x, most);
    }
    let (dmin, mins) = six_bits(fits.map(|fit| fit.1));
    for ((fit, x), min) in fits.iter_mut().zip(x.chunks_exact(32)).zip(mins) {
        fit.0 = refit(x, fit.0, dmin.to_f32() * f32::from(min), most);
    }
    let (d, scales) = six_bits(fits.map(|fit| fit.0));
    let mut codes = [0; SUPER];
    for (i, (codes, x)) in codes.chunks_exact_mut(32).zip(x.chunks_exact(32)).enumerate() {
        let (scale, min) = (d.to_f32() * f32::from(scales[i]), dmin.to_f32() * f32::from(mins[i]));
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        for (code, x) in codes.iter_mut().zip(x) {
            *code = nearest((x + min) * inverse).clamp(0.0, most) as u8;
        }
    }
    MinBlock { d, dmin, scales, mins, codes }
}

/// Numbers that are not negative as a common factor and six bits each.
fn six_bits(x: [f32; 8]) -> (f16, [u8; 8]) {
    let half = f16::from_f32(x.iter().copied().fold(0.0, f32::max) / 63.0);
    let d = half.to_f32();
    (half, x.map(|x| if d > 0.0 { nearest(x / d).clamp(0.0, 63.0) as u8 } else { 0 }))
}

/// The best scale for the codes that `scale` and a min that has been rounded since give.
fn refit(x: &[f32], scale: f32, min: f32, most: f32) -> f32 {
    let inverse = if scale > 0.0 { 1.0 / scale } else { return 0.0 };
    let (mut lx, mut ll) = (0f32, 0f32);
    for x in x {
        let code = nearest((x + min) * inverse).clamp(0.0, most);
        lx += code * (x + min);
        ll += code * code;
    }
    if ll > 0.0 { (lx / ll).max(0.0) } else { scale }
}
