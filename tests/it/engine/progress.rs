//! What a request tells before its answer begins.

use super::*;
use cresset::engine::RequestProgress;
use std::cell::RefCell;

#[test]
fn prompts_are_read_in_parts_and_what_is_cached_counts_as_read() {
    let mut engine = engine(cpu());
    let told = Rc::<RefCell<Vec<RequestProgress>>>::default();
    let sink = told.clone();
    engine.set_on_progress(Rc::new(move |progress| sink.borrow_mut().push(progress)));
    let mut read = |prompt: Vec<u32>| {
        let request = json!({ "prompt": prompt, "max_tokens": 3, "temperature": 0, "ignore_eos": true });
        complete(&mut engine, request).expect("an answer");
        told.take()
    };
    let long: Vec<u32> = (0..400).map(|i| i % 90).collect();
    let prompt = |total: u64, parts: &[u64]| {
        let progress = |&loaded: &u64| RequestProgress { status: "prompt", loaded, total };
        parts.iter().map(progress).collect::<Vec<_>>()
    };
    assert_eq!(read(long[..300].to_vec()), prompt(300, &[0, 256, 300]));
    assert_eq!(read(long.clone()), prompt(400, &[300, 400]), "goes on where the last one ended");
    assert_eq!(read(long[..5].to_vec()), prompt(5, &[4, 5]));
}
