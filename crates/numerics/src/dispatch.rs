//! Work that is compiled for several instruction sets, and runs on the best that the processor has.

use super::lanes::{Baseline, Lanes};

/// A job whose body is generic over registers.
pub trait Vectorized {
    /// # Safety
    /// The processor has the instruction set of `V`. `inline(always)` in every implementation, and in all that it calls
    /// with `V`, so that the code is compiled for that instruction set.
    unsafe fn run<V: Lanes>(self);
}

/// An instruction set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Set {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// The instruction set that the whole program is compiled for.
    Baseline,
}

impl Set {
    const ALL: &[Set] = &[
        #[cfg(target_arch = "x86_64")]
        Set::Avx512,
        #[cfg(target_arch = "x86_64")]
        Set::Avx2,
        Set::Baseline,
    ];

    #[inline]
    fn is_here(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("f16c")
            }
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => {
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
            }
            Set::Baseline => true,
        }
    }

    /// Those that the processor has, the widest registers first.
    #[inline]
    pub fn here() -> impl Iterator<Item = Set> {
        Set::ALL.iter().copied().filter(|set| set.is_here())
    }
}

/// Runs a job with the widest registers there are.
#[inline]
pub fn vectorized(job: impl Vectorized) {
    let set = Set::here().next().unwrap_or(Set::Baseline);
    // SAFETY: the processor has been asked.
    unsafe { run_on(set, job) };
}

/// Runs a job on an instruction set.
///
/// # Safety
/// The processor has it: it is one of [`Set::here`].
#[inline]
pub unsafe fn run_on(set: Set, job: impl Vectorized) {
    // SAFETY: as this function's.
    unsafe {
        match set {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => avx512(job),
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => avx2(job),
            Set::Baseline => job.run::<Baseline>(),
        }
    }
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
