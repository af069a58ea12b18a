//! y [T, M] = (max(y, loudest − 8) + 4) / 4: of mel bands in decades, the eight below the loudest are kept (Radford et al. 2022,
//! <https://arxiv.org/abs/2212.04356>). Behind the end of a recording of several windows it is 0, as transformers has it.

use crate::device::{BufferId, Kernel, Options, Pass, Slot, Tensor, Twin, kernel, params};

pub static MEL_RANGE: Kernel = kernel!(mel_range, [Uniform, Read, Read, Write], shared: ["control"]);

params! {
    struct Params {
        mels: u32,
        stride: u32,
        /// Where `peaks` has what the host says.
        rows: u32,
        unused: u32,
    }
}

/// Records it for what [`log_mel`](super::log_mel) has written. `peaks` [T + 2]: the largest of each frame, and behind those of
/// all T rows what the host writes: the largest of the frames that are not among them, and how many frames there are up to the end.
pub fn mel_range(pass: &mut Pass, peaks: BufferId, y: &Tensor) {
    let params = Params { mels: y.columns as u32, stride: y.stride() as u32, rows: y.rows as u32, unused: 0 };
    pass.record(&MEL_RANGE, Options::default(), params, &[pass.control, peaks, y.buffer], [y.rows as u32, 1, 1]);
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let (control, peaks) = (t.read::<u32>(1), t.read::<f32>(2));
    let mut y = t.write::<f32>(3);
    let rows = Slot::rows(&control);
    let loudest = peaks[..rows].iter().fold(peaks[p.rows as usize], |most, peak| most.max(*peak));
    let end = peaks[p.rows as usize + 1];
    for (r, y) in y[..rows * p.stride as usize].chunks_exact_mut(p.stride as usize).enumerate() {
        let value = |y: f32| if (r as f32) < end { (y.max(loudest - 8.0) + 4.0) / 4.0 } else { 0.0 };
        y[..p.mels as usize].iter_mut().for_each(|y| *y = value(*y));
    }
}
