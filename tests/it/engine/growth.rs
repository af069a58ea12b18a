//! A context that grows with the conversation: what was read stays, and the text is that of a large one from the start.

use super::*;
use cresset::engine::RequestProgress;
use std::cell::RefCell;

on_both_devices! {
    nothing_is_computed_again,
}

fn greedy(engine: &mut Engine, prompt: &[u32], max_tokens: usize) -> Value {
    let request = json!({ "prompt": prompt, "max_tokens": max_tokens, "temperature": 0, "ignore_eos": true,
                          "return_token_ids": true });
    complete(engine, request).expect("an answer")
}

fn nothing_is_computed_again(case: Case) {
    // It learnt its positions, so that there is no table of the context's size.
    let gpt2 = Variant::of("gpt2-small/f32.gguf");
    let (mut engine, mut large) = (load(&gpt2, case, Some(20)), load(&gpt2, case, Some(64)));
    let prompt: Vec<u32> = (0..10).map(|i| i * 7 % 80).collect();
    let first = ids(&greedy(&mut engine, &prompt, 8)["choices"][0]["token_ids"]);
    block_on(engine.generator().expect("a generator").grow(64)).expect("room");
    assert_eq!(engine.info()["model"]["contextLength"], 64);
    let longer = [&prompt[..], &first, &[7, 8, 9]].concat();
    let answer = greedy(&mut engine, &longer, 40);
    assert_eq!(answer["usage"]["extra"]["cached_tokens"], 17, "all but the last token, which was never fed back");
    assert_eq!(answer["choices"], greedy(&mut large, &longer, 40)["choices"]);
    assert_eq!(engine.info()["memory"]["kv"], large.info()["memory"]["kv"], "the smaller caches are gone");
}

/// On the CPU, since the prompt has thousands of tokens.
#[test]
fn an_answer_goes_on_past_the_context_it_began_in() {
    let long = || model().set("llama.context_length", 16_384u32);
    let (mut engine, mut large) = (load(&long(), cpu(), None), load(&long(), cpu(), Some(8192)));
    let told = Rc::<RefCell<Vec<RequestProgress>>>::default();
    let sink = told.clone();
    engine.set_on_progress(Rc::new(move |progress| sink.borrow_mut().push(progress)));
    let context = |engine: &Engine| ["contextLength", "contextLimit"].map(|key| engine.info()["model"][key].as_u64());
    assert_eq!(context(&engine), [Some(4096), Some(16_384)]);
    assert_eq!(context(&large), [Some(8192), Some(8192)], "a context that was chosen stays");

    let prompt: Vec<u32> = (0..4050).map(|i| i * 7 % 90).collect();
    let answer = greedy(&mut engine, &prompt, 100);
    assert_eq!(answer["choices"], greedy(&mut large, &prompt, 100)["choices"]);
    assert_eq!(
        (&answer["usage"]["completion_tokens"], &answer["usage"]["extra"]["cached_tokens"]),
        (&json!(100), &json!(0))
    );
    assert_eq!(context(&engine), [Some(8192), Some(16_384)]);
    let told = told.take();
    let grew = told.iter().position(|progress| progress.status == "context").expect("it is said");
    assert_eq!((told[grew].loaded, told[grew].total), (8192, 16_384));
    assert_eq!((told[grew + 1].loaded, told[grew + 1].total), (4096, 4097), "one token is left to be read");

    let longer = [&prompt[..], &ids(&answer["choices"][0]["token_ids"])].concat();
    assert_eq!(
        greedy(&mut engine, &longer, 1)["usage"]["extra"]["cached_tokens"],
        4149,
        "the next question goes on from there"
    );
}

#[test]
fn it_grows_to_the_model_s_own_length_and_no_further() {
    let mut engine = load(&model().set("llama.context_length", 4200u32), cpu(), None);
    let prompt: Vec<u32> = (0..4300).map(|i| i % 90).collect();
    let error = complete(&mut engine, json!({ "prompt": prompt, "max_tokens": 1 })).expect_err("too long");
    assert!(matches!(error, Error::ContextOverflow { prompt: 4300, context: 4200 }), "{error:?}");
    assert_eq!(engine.info()["model"]["contextLength"], 4096, "nothing grew in vain");
}
