//! A window's ids become passages with times, and say where the next window begins.

use super::draft::Draft;
use super::ids::SpeechIds;

/// A passage of what is said.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Seconds from the recording's beginning.
    pub start: f32,
    /// Seconds from the recording's beginning.
    pub end: f32,
    /// What is said, times included.
    pub ids: Vec<u32>,
    /// When each of them is spoken, from one second to another; empty unless asked for.
    pub spans: Vec<[f32; 2]>,
    /// The first frame of the window that it was heard in; frames are 10 ms.
    pub seek: usize,
    /// The temperature that it was drawn with.
    pub temperature: f32,
    /// Mean of the logarithms of its window's probabilities.
    pub mean_log_probability: f32,
    /// Bytes of its window's ids over those that they are compressed to.
    pub compression: f32,
    /// Probability that nothing is said in its window.
    pub no_speech: f32,
}

/// Frames, of 10 ms, from one time to the next among the ids: a tick, which is a position of the encoder as well.
pub const FRAMES: usize = 2;

/// The passages of a window of `frames` frames from the frame `seek` on, and the frames that are done with: a passage that has
/// no end yet begins in the next window. `ticks`: where each id begins, and the last one ends; empty where nobody asked.
pub fn passages(ids: &SpeechIds, draft: &Draft, ticks: &[u32], seek: usize, frames: usize) -> (Vec<Segment>, usize) {
    let said = &draft.ids[..];
    let seconds = |ticks: u32| (seek + FRAMES * ticks as usize) as f32 / 100.0;
    let spans = |from: usize, to: usize| ticks.get(from..=to).unwrap_or_default().windows(2);
    let passage = |from: usize, to: usize, start: u32, end: u32| Segment {
        start: seconds(start),
        end: seconds(end),
        ids: said[from..to].to_vec(),
        spans: spans(from, to).map(|span| [span[0], span[1]].map(seconds)).collect(),
        seek,
        temperature: draft.temperature,
        mean_log_probability: draft.mean_log_probability,
        compression: draft.compression,
        no_speech: draft.no_speech,
    };
    let is_time = |id: u32| ids.ticks(id).is_some();
    // Where an end and a beginning stand beside each other.
    let mut cuts: Vec<usize> = (1..said.len()).filter(|&i| is_time(said[i - 1]) && is_time(said[i])).collect();
    let ends_alone = match said {
        [.., before, last] => !is_time(*before) && is_time(*last),
        _ => false,
    };
    if cuts.is_empty() {
        let last = said.iter().rev().find_map(|&id| ids.ticks(id)).filter(|&ticks| ticks > 0);
        let end = last.unwrap_or((frames / FRAMES) as u32);
        let start = said.first().and_then(|&id| ids.ticks(id)).unwrap_or(0).min(end);
        return (vec![passage(0, said.len(), start, end)], frames);
    }
    if ends_alone {
        cuts.push(said.len());
    }
    let mut from = 0;
    let mut all = Vec::with_capacity(cuts.len());
    for cut in cuts {
        let own = &said[from..cut];
        let [start, end] = [own[0], own[own.len() - 1]].map(|id| ids.ticks(id).unwrap_or(0));
        all.push(passage(from, cut, start, end));
        from = cut;
    }
    // Nothing is said behind an end that stands alone.
    let done = if ends_alone { frames } else { FRAMES * ids.ticks(said[from - 1]).unwrap_or(0) as usize };
    (all, if done == 0 { frames } else { done.min(frames) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> SpeechIds {
        SpeechIds {
            start: 50,
            end: 50,
            previous: 50,
            no_timestamps: 99,
            no_speech: 50,
            tasks: None,
            languages: vec![],
            suppressed: vec![],
            suppressed_first: vec![],
            most_first_time: None,
        }
    }

    fn hear(said: &[u32], ticks: &[u32]) -> (Vec<Segment>, usize) {
        let draft = Draft {
            ids: said.to_vec(),
            temperature: 0.0,
            mean_log_probability: -0.1,
            compression: 1.0,
            no_speech: 0.0,
        };
        passages(&ids(), &draft, ticks, 100, 3000)
    }

    fn of(said: &[u32]) -> (Vec<(f32, f32, Vec<u32>)>, usize) {
        let (all, done) = hear(said, &[]);
        assert!(all.iter().all(|it| it.spans.is_empty()), "nobody asked");
        (all.into_iter().map(|it| (it.start, it.end, it.ids)).collect(), done)
    }

    #[test]
    fn a_passage_without_an_end_is_heard_again() {
        // <|0.00|> a <|1.00|> <|1.20|> b <|2.00|> <|2.00|> c
        let (all, done) = of(&[100, 1, 150, 160, 2, 200, 200, 3]);
        assert_eq!(all, [(1.0, 2.0, vec![100, 1, 150]), (2.2, 3.0, vec![160, 2, 200])]);
        assert_eq!(done, 200);
    }

    #[test]
    fn an_end_alone_ends_the_window() {
        let (all, done) = of(&[100, 1, 150, 160, 2, 200]);
        assert_eq!(all, [(1.0, 2.0, vec![100, 1, 150]), (2.2, 3.0, vec![160, 2, 200])]);
        assert_eq!(done, 3000);
    }

    #[test]
    fn ids_have_their_own_times() {
        let (all, _) = hear(&[100, 1, 150, 160, 2, 200, 200, 3], &[0, 0, 45, 50, 60, 95, 100, 100, 120]);
        assert_eq!(all[0].spans, [[1.0, 1.0], [1.0, 1.9], [1.9, 2.0]]);
        assert_eq!(all[1].spans, [[2.0, 2.2], [2.2, 2.9], [2.9, 3.0]]);
        assert_eq!(hear(&[1, 2], &[0, 5, 10]).0[0].spans, [[1.0, 1.1], [1.1, 1.2]]);
    }

    #[test]
    fn one_passage_alone() {
        assert_eq!(of(&[100, 1, 150]), (vec![(1.0, 2.0, vec![100, 1, 150])], 3000));
        assert_eq!(of(&[1, 2]), (vec![(1.0, 31.0, vec![1, 2])], 3000));
        assert_eq!(of(&[]), (vec![(1.0, 31.0, vec![])], 3000));
    }
}
