//! No submit outlasts a watchdog: on a slow device a prompt goes in fewer rows and a plan in several submits; on a fast one
//! nothing changes.

use super::*;
use cresset::device::{LIMIT, TARGET};
use std::cell::RefCell;
use std::rc::Rc;

/// A prompt of 300 tokens that the cache does not hold, and six more; the seconds of each submit where a workgroup takes so
/// many, and the chunks of the prompt.
fn submits(engine: &mut Engine, seconds_a_group: f64) -> Vec<f64> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = seen.clone();
    let simulation = move |grids: &[[u32; 3]]| {
        let groups: u32 = grids.iter().map(|grid| grid.iter().product::<u32>()).sum();
        let seconds = seconds_a_group * f64::from(groups);
        log.borrow_mut().push(seconds);
        seconds
    };
    faults::simulate(&mut engine.generator().expect("a generator").device, Rc::new(simulation));
    let prompt: Vec<u32> = (0..300).map(|i| (i * 31) % 95).collect();
    let request =
        json!({ "prompt": prompt, "max_tokens": 7, "temperature": 0, "ignore_eos": true, "cache_prompt": false });
    complete(engine, request).expect("an answer");
    let seen = seen.borrow();
    seen.clone()
}

#[test]
fn a_slow_device_gets_short_submits() {
    let Some(case) = gpu() else { return };
    for seconds_a_group in [1e-4, 3e-4, 1e-3] {
        let mut engine = engine(case);
        for request in 0..4 {
            let seconds = submits(&mut engine, seconds_a_group);
            let longest = seconds.iter().copied().fold(0.0, f64::max);
            // The first request finds out how slow it is, the second how large a chunk may be.
            let most = if request < 2 { LIMIT } else { 2.0 * TARGET };
            assert!(longest <= most, "request {request}, {seconds_a_group} s a group: {longest} s in {seconds:?}");
            assert!(seconds.len() > 2 + 6, "several submits for a chunk");
        }
    }
}

#[test]
fn a_fast_device_gets_one_submit_a_run() {
    let Some(case) = gpu() else { return };
    let mut engine = engine(case);
    let texts = [1e-9, 1e-9, 1e-9].map(|seconds_a_group| submits(&mut engine, seconds_a_group).len());
    assert_eq!(texts[2], 2 + 6, "two chunks of the prompt, the last with the first token, and six tokens: {texts:?}");
}
