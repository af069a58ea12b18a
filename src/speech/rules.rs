//! Which ids may follow those of a window so far: Whisper's own rules (`ApplyTimestampRules` of its decoding.py; transformers'
//! `WhisperTimeStampLogitsProcessor`).

use super::ids::SpeechIds;

/// Takes from `logits` [V] all ids that may not follow `said`, what the window has said so far. With `times`, passages begin and
/// end with their times.
pub fn restrict(ids: &SpeechIds, times: bool, said: &[u32], logits: &mut [f32]) {
    let mut forbid = |id: u32| {
        if let Some(logit) = logits.get_mut(id as usize) {
            *logit = f32::NEG_INFINITY;
        }
    };
    ids.suppressed.iter().for_each(|&id| forbid(id));
    if said.is_empty() {
        ids.suppressed_first.iter().for_each(|&id| forbid(id));
    }
    forbid(ids.no_timestamps);
    let first_time = ids.first_time() as usize;
    let times_at = first_time.min(logits.len());
    if !times {
        logits[times_at..].fill(f32::NEG_INFINITY);
        return;
    }
    restrict_times(ids, said, logits);
    // Where any time at all is likelier than the likeliest text, a time it is.
    let (text, times) = logits.split_at_mut(times_at);
    let likeliest = text.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let most = times.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = times.iter().map(|z| (z - most).exp()).sum();
    if most > f32::NEG_INFINITY && most + sum.ln() > likeliest {
        text.fill(f32::NEG_INFINITY);
    }
}

/// Times come in pairs, one passage's end and the next one's beginning; they never go back.
fn restrict_times(ids: &SpeechIds, said: &[u32], logits: &mut [f32]) {
    let first_time = ids.first_time();
    let mut forbid = |range: std::ops::Range<u32>| {
        let end = (range.end as usize).min(logits.len());
        let start = (range.start as usize).min(end);
        logits[start..end].fill(f32::NEG_INFINITY);
    };
    let is_time = |id: &u32| ids.ticks(*id).is_some();
    let last_is_time = said.last().is_some_and(is_time);
    let both_are = last_is_time && said.iter().rev().nth(1).is_none_or(is_time);
    match (last_is_time, both_are) {
        (true, true) => forbid(first_time..u32::MAX),
        (true, false) => forbid(0..ids.end),
        (false, _) => {}
    }
    if let Some(latest) = said.iter().rev().find(|id| is_time(id)) {
        // A passage's end may be the next one's beginning, but no passage is empty.
        let least = if last_is_time && !both_are { *latest } else { latest + 1 };
        forbid(first_time..least);
    }
    if said.is_empty() {
        forbid(0..first_time);
        if let Some(most) = ids.most_first_time {
            forbid(first_time + most + 1..u32::MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text 0 to 4, 5 the end, 6 no times, 7 to 11 the times of 0 to 0.08 s.
    fn ids() -> SpeechIds {
        SpeechIds {
            start: 5,
            end: 5,
            previous: 5,
            no_timestamps: 6,
            no_speech: 5,
            tasks: None,
            languages: vec![],
            suppressed: vec![1],
            suppressed_first: vec![0, 5],
            most_first_time: Some(2),
        }
    }

    fn allowed(times: bool, said: &[u32], logits: [f32; 12]) -> Vec<usize> {
        let mut logits = logits;
        restrict(&ids(), times, said, &mut logits);
        (0..12).filter(|&id| logits[id] > f32::NEG_INFINITY).collect()
    }

    #[test]
    fn without_times_text_comes_and_the_end() {
        assert_eq!(allowed(false, &[], [0.0; 12]), [2, 3, 4]);
        assert_eq!(allowed(false, &[2], [0.0; 12]), [0, 2, 3, 4, 5]);
    }

    #[test]
    fn times_come_in_pairs_and_never_go_back() {
        // Text is likelier than all times together.
        let text = [5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(allowed(true, &[], text), [7, 8, 9], "first a time, no later than the latest");
        assert_eq!(allowed(true, &[8], text), [0, 2, 3, 4, 5], "behind the first time text");
        assert_eq!(allowed(true, &[8, 2], text), [0, 2, 3, 4, 5, 9, 10, 11], "then an end, later than the beginning");
        assert_eq!(allowed(true, &[8, 2, 10], text), [5, 10, 11], "then a beginning, or the end of all");
        assert_eq!(allowed(true, &[8, 2, 10, 10], text), [0, 2, 3, 4, 5]);
    }

    #[test]
    fn likely_times_win_over_any_text() {
        let even = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(allowed(true, &[7, 2], even), [8, 9, 10, 11], "four of e⁰ are more than one of e¹");
    }
}
