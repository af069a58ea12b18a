//! y [threads] = sums of the words of a buffer: a yardstick for memory, not a part of any model.

use crate::device::{BufferId, Kernel, Options, Pass, Twin, kernel, params};

pub static STREAM: Kernel = kernel!(stream, [Uniform, Read, Write], shared: []);

params! {
    struct Params {
        /// vec4<u32> of x.
        words4: u32,
        threads: u32,
    }
}

/// Records reading `bytes` of x, by so many threads, each of which leaves a word in y.
pub fn stream(pass: &mut Pass, x: BufferId, bytes: u64, threads: usize, y: BufferId) {
    assert!(bytes.is_multiple_of(16), "stream: whole vec4<u32>");
    let params = Params { words4: (bytes / 16) as u32, threads: threads as u32 };
    pass.record(&STREAM, Options::default(), params, &[x, y], [threads.div_ceil(64) as u32, 1, 1]);
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let x = t.read::<u32>(1);
    let mut y = t.write::<u32>(2);
    let threads = p.threads as usize;
    y[..threads].fill(0);
    for (i, words) in x[..4 * p.words4 as usize].chunks_exact(4).enumerate() {
        let sum = words.iter().fold(0u32, |sum, &word| sum.wrapping_add(word));
        y[i % threads] = y[i % threads].wrapping_add(sum);
    }
}
