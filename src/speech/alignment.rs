//! When each token is spoken (OpenAI's whisper/timing.py, transformers' `_extract_token_timestamps`): how the decoder's heads
//! attend to a window, made comparable, and the best way through it.

use super::warping::entries;

/// Frames whose median takes a frame's place.
const MEDIAN: usize = 7;

/// A text's tokens and a window's frames, which are 20 ms here: a tick.
#[derive(Debug, Clone, PartialEq)]
pub struct Alignment {
    /// [tokens, frames]: how the heads attend while a token is read; they look at what comes behind it.
    pub weights: Vec<f32>,
    /// Where each token begins, and behind them where the last one ends.
    pub ticks: Vec<u32>,
}

impl Alignment {
    /// Of each head's weights [tokens, frames].
    pub fn new(heads: Vec<Vec<f32>>, frames: usize) -> Self {
        let weights = mean(heads, frames);
        let ends = entries(&weights, frames).into_iter().map(|frame| frame as u32);
        let ticks = std::iter::once(0).chain(ends).collect();
        Alignment { weights, ticks }
    }
}

/// The heads' mean [tokens, frames], each head standardised and smoothed.
fn mean(heads: Vec<Vec<f32>>, frames: usize) -> Vec<f32> {
    let share = 1.0 / heads.len() as f32;
    let mut mean = vec![0.0; heads.first().map_or(0, Vec::len)];
    for mut weights in heads {
        standardise(&mut weights, frames);
        for (row, mean) in weights.chunks_exact(frames).zip(mean.chunks_exact_mut(frames)) {
            mean.iter_mut().zip(smooth(row)).for_each(|(mean, weight)| *mean += share * weight);
        }
    }
    mean
}

/// Each column of [tokens, frames] gets the mean 0 and the deviation 1; one whose numbers are all the same becomes 0.
fn standardise(weights: &mut [f32], frames: usize) {
    let n = (weights.len() / frames) as f32;
    let mut means = vec![0.0f32; frames];
    let mut deviations = vec![0.0f32; frames];
    for row in weights.chunks_exact(frames) {
        means.iter_mut().zip(row).for_each(|(mean, weight)| *mean += weight / n);
    }
    for row in weights.chunks_exact(frames) {
        let columns = deviations.iter_mut().zip(&means).zip(row);
        columns.for_each(|((deviation, mean), weight)| *deviation += (weight - mean).powi(2) / n);
    }
    for row in weights.chunks_exact_mut(frames) {
        let columns = row.iter_mut().zip(&means).zip(&deviations);
        columns.for_each(|((weight, mean), square)| {
            *weight = if *square > 0.0 { (*weight - mean) / square.sqrt() } else { 0.0 };
        });
    }
}

/// The median of each number and its neighbours; at the ends they are mirrored.
fn smooth(row: &[f32]) -> Vec<f32> {
    let reach = MEDIAN / 2;
    if row.len() <= reach {
        return row.to_vec();
    }
    let last = row.len() - 1;
    let median = |i: usize| {
        let neighbour = |k: usize| {
            let at = (i + k).abs_diff(reach);
            row[if at > last { 2 * last - at } else { at }]
        };
        let mut window: [f32; MEDIAN] = std::array::from_fn(neighbour);
        for end in 1..MEDIAN {
            let mut at = end;
            while at > 0 && window[at - 1] > window[at] {
                window.swap(at - 1, at);
                at -= 1;
            }
        }
        window[reach]
    };
    (0..row.len()).map(median).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_standardised() {
        let mut weights = [1.0, 5.0, 2.0, 3.0, 5.0, 8.0];
        standardise(&mut weights, 3);
        assert_eq!(weights, [-1.0, 0.0, -1.0, 1.0, 0.0, 1.0]);
    }

    #[test]
    fn a_peak_alone_is_smoothed_away() {
        assert_eq!(smooth(&[0.0, 0.0, 0.0, 9.0, 0.0, 0.0, 0.0]), [0.0; 7]);
        // Mirrored: 3 2 1 | 0 | 1 2 3, and so on.
        assert_eq!(smooth(&[0.0, 1.0, 2.0, 3.0, 4.0]), [2.0, 2.0, 2.0, 2.0, 2.0]);
        assert_eq!(smooth(&[4.0, 1.0, 3.0]), [4.0, 1.0, 3.0], "too short to be smoothed");
    }

    #[test]
    fn tokens_end_where_heads_begin_to_look_elsewhere() {
        // Both heads look at frames 0 to 9, then at 10 to 15, then at the rest.
        let head = |strength: f32| -> Vec<f32> {
            let spans = [0..10, 10..16, 16..24];
            let row =
                |span: std::ops::Range<usize>| (0..24).map(move |i| if span.contains(&i) { strength } else { 0.01 });
            spans.into_iter().flat_map(row).collect()
        };
        assert_eq!(Alignment::new(vec![head(0.1), head(0.7)], 24).ticks, [0, 0, 10, 16]);
    }
}
