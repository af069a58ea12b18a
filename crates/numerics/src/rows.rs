//! Loops over rows of numbers between products: norms, rotary positions, what a projection adds, the largest logit. They
//! are neither generic nor inlined: then they would be compiled with their callers, for size.

/// Partial sums, so that loops become vector code.
const LANES: usize = 8;

/// Σ aᵢ bᵢ.
#[inline(never)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let tail: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    for (a, b) in a.iter().zip(b) {
        for i in 0..LANES {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum::<f32>() + tail
}

/// 1 / √(mean(x²) + ε), what RMSNorm multiplies with.
pub fn rms_scale(x: &[f32], epsilon: f32) -> f32 {
    1.0 / (dot(x, x) / x.len() as f32 + epsilon).sqrt()
}

/// y = x × scale × weights, or y += that.
#[inline(never)]
pub fn scaled(x: &[f32], scale: f32, weights: &[f32], accumulate: bool, y: &mut [f32]) {
    let numbers = y.iter_mut().zip(x).zip(weights);
    match accumulate {
        false => numbers.for_each(|((y, x), w)| *y = x * scale * w),
        true => numbers.for_each(|((y, x), w)| *y += x * scale * w),
    }
}

/// y = (sums + bias) × scale, or y += that.
#[inline(never)]
pub fn finish(sums: &[f32], bias: Option<&[f32]>, scale: f32, accumulate: bool, y: &mut [f32]) {
    let numbers = y.iter_mut().zip(sums);
    match (bias, accumulate) {
        (None, false) => numbers.for_each(|(y, sum)| *y = sum * scale),
        (None, true) => numbers.for_each(|(y, sum)| *y += sum * scale),
        (Some(bias), false) => numbers.zip(bias).for_each(|((y, sum), bias)| *y = (sum + bias) * scale),
        (Some(bias), true) => numbers.zip(bias).for_each(|((y, sum), bias)| *y += (sum + bias) * scale),
    }
}

/// Turns the pairs of a head by their angles, (cos, sin) each; pairs are halves apart, or neighbours.
#[inline(never)]
pub fn rotate(head: &mut [f32], angles: &[f32], half_split: bool) {
    let turn = |a: &mut f32, b: &mut f32, [cos, sin]: [f32; 2]| (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
    let (angles, _) = angles.as_chunks::<2>();
    match half_split {
        true => {
            let (first, second) = head.split_at_mut(angles.len());
            first.iter_mut().zip(second).zip(angles).for_each(|((a, b), angle)| turn(a, b, *angle));
        }
        false => head.as_chunks_mut::<2>().0.iter_mut().zip(angles).for_each(|([a, b], angle)| turn(a, b, *angle)),
    }
}

/// A logit of -∞ as sampling sees it.
pub const LEAST: f32 = -3.0e38;

/// A logit as sampling sees it: infinities become the largest finite numbers, NaN the lowest.
#[inline]
pub fn finite(z: f32) -> f32 {
    match z {
        z if z.is_finite() => z,
        f32::INFINITY => -LEAST,
        _ => LEAST,
    }
}

/// Where the first logit is that comes of damaged weights: NaN or +∞. (-∞ forbids an id.)
#[inline(never)]
pub fn first_broken(z: &[f32]) -> Option<usize> {
    let is_broken = |z: &f32| z.is_nan() || *z == f32::INFINITY;
    // A chunk at a time without an early end, so that the compiler can use vectors.
    let any = |chunk: &[f32]| chunk.iter().fold(false, |any, z| any | is_broken(z));
    let chunk = z.chunks(256).position(any)?;
    z[256 * chunk..].iter().position(is_broken).map(|at| 256 * chunk + at)
}

/// Whether no token can be drawn from a row of logits: one of them comes of damaged weights, or all are -∞.
pub fn undrawable(z: &[f32]) -> bool {
    first_broken(z).is_some() || z.iter().all(|z| *z == f32::NEG_INFINITY)
}

/// Where the largest logit is; the first of equals. NaN is below every number.
#[inline(never)]
pub fn largest(z: &[f32]) -> usize {
    // Sixteen at a time, so that the compiler can use vectors.
    let (chunks, rest) = z.as_chunks::<16>();
    let mut lanes = [f32::MIN; 16];
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, z)| *lane = if *z > *lane { *z } else { *lane });
    }
    let most = lanes.iter().chain(rest).fold(f32::MIN, |most, z| if *z > most { *z } else { most });
    z.iter().position(|z| finite(*z) == finite(most)).unwrap_or(0)
}
