//! y [threads] = what chains of multiply-adds come to: a yardstick for arithmetic, not a part of any model.

use crate::device::{BufferId, Kernel, Options, Pass, Twin, kernel, params};

pub static MULTIPLY_ADD: Kernel = kernel!(multiply_add, [Uniform, Write], shared: []);

/// Multiplications and additions of a thread in a round; `shaders/multiply_add.wgsl` has as many.
pub const FLOPS_A_ROUND: usize = 2 * 8 * 4;

params! {
    struct Params {
        rounds: u32,
        threads: u32,
    }
}

/// Records so many rounds by each of so many threads, which leave a number each in y.
pub fn multiply_add(pass: &mut Pass, rounds: usize, threads: usize, y: BufferId) {
    let params = Params { rounds: rounds as u32, threads: threads as u32 };
    pass.record(&MULTIPLY_ADD, Options::default(), params, &[y], [threads.div_ceil(64) as u32, 1, 1]);
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let mut y = t.write::<f32>(1);
    for (i, y) in y[..p.threads as usize].iter_mut().enumerate() {
        let chain =
            |first: usize, factor: f32| (0..p.rounds).fold(first as f32, |sum, _| sum.mul_add(factor, (i % 8) as f32));
        let chains = (0..8).flat_map(|first| [0.5, 0.25, 0.75, 0.125].map(|factor| chain(first, factor)));
        *y = chains.sum();
    }
}
