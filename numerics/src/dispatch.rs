//! Work that is compiled for several instruction sets, and runs on the best that the processor has.

use super::lanes::{Baseline, Lanes};

/// A job whose body is generic over registers.
pub trait Vectorized {
    /// # Safety
    /// The processor has the instruction set of `V`. `inline(always)` in every implementation, and in all that it calls
    /// with `V`, so that the code is compiled for that instruction set.
    unsafe fn run<V: Lanes>(self);
}

/// Runs a job with the widest registers there are.
#[inline]
pub fn vectorized(job: impl Vectorized) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("fma")
        {
            // SAFETY: the processor has been asked.
            return unsafe { avx512(job) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c") {
            // SAFETY: the processor has been asked.
            return unsafe { avx2(job) };
        }
    }
    // SAFETY: the baseline is what the whole program is compiled for.
    unsafe { job.run::<Baseline>() };
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma,f16c")]
fn avx512(job: impl Vectorized) {
    // SAFETY: the function's own instruction set.
    unsafe { job.run::<std::arch::x86_64::__m512>() };
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
fn avx2(job: impl Vectorized) {
    // SAFETY: the function's own instruction set.
    unsafe { job.run::<std::arch::x86_64::__m256>() };
}
