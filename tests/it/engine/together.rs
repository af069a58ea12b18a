//! Sequences that are served together, in the same runs: each gets the text that it gets alone.

use super::*;
use cresset::generate::{BitSet, Constraint, Finish, Generator, Media, Outcome, Sampled};
use std::cell::RefCell;

on_both_devices! {
    sequences_in_the_same_runs_get_their_own_texts,
    more_sequences_than_slots_wait,
    a_prompt_that_another_has_begun_is_shared,
    only_what_a_constraint_allows,
    penalties_count_what_another_slot_has_computed,
    all_are_interrupted,
    pictures_that_are_not_cut,
}

type Text = Vec<u32>;

fn prompt(seed: u32, length: u32) -> Vec<u32> {
    (0..length).map(|i| (i * i * 7 + i * 13 + seed * 31) % 95).collect()
}

fn request(prompt: Vec<u32>, tokens: usize, sampling: SamplingParams) -> Request {
    Request { prompt, max_tokens: Some(tokens), sampling, seed: 11, ..Request::default() }
}

fn greedy() -> SamplingParams {
    SamplingParams { temperature: 0.0, ..SamplingParams::default() }
}

/// Requests as different as can be: lengths of prompts and texts, greedy and drawn, with and without penalties, biases, least
/// lengths and log-probabilities.
fn requests() -> Vec<Request> {
    let drawn = SamplingParams { temperature: 0.9, top_k: 20, ..SamplingParams::default() };
    let penalised = SamplingParams {
        temperature: 1.1,
        repetition_penalty: 1.3,
        frequency_penalty: 0.4,
        logit_bias: vec![(7, 2.0), (40, -100.0), (41, -100.0)],
        ..SamplingParams::default()
    };
    vec![
        request(prompt(1, 40), 30, greedy()),
        Request { stop_ids: (0..40).collect(), min_tokens: 9, ..request(prompt(2, 3), 60, penalised) },
        request(prompt(3, 1), 12, drawn.clone()),
        Request { stop_ids: (0..48).collect(), ..request(prompt(4, 300), 40, drawn) },
    ]
}

fn alone(generator: &mut Generator, request: &Request) -> (Text, Outcome) {
    let mut text = Vec::new();
    let mut on_token = |sampled: Sampled| {
        text.push(sampled.id);
        ControlFlow::Continue(())
    };
    let outcome = block_on(generator.generate(request, &mut on_token, &never_yield)).expect("a text");
    (text, outcome)
}

/// The texts of requests, each submitted when so many turns have been taken.
fn together(generator: &mut Generator, requests: &[(usize, Request)]) -> Vec<(Text, Outcome)> {
    let texts: Vec<RefCell<Text>> = requests.iter().map(|_| RefCell::default()).collect();
    let mut scheduler = generator.scheduler();
    let (mut ids, mut turn) = (Vec::new(), 0);
    loop {
        while let Some((at, request)) = requests.get(ids.len())
            && *at <= turn
        {
            let text = &texts[ids.len()];
            let listener = move |sampled: Sampled| {
                text.borrow_mut().push(sampled.id);
                ControlFlow::Continue(())
            };
            ids.push(scheduler.submit(request.clone(), None, Box::new(listener)).expect("a request"));
        }
        turn += 1;
        if !block_on(scheduler.step(&never_yield)).expect("a turn") && ids.len() == requests.len() {
            break;
        }
    }
    let outcomes: Vec<Outcome> = ids.iter().map(|id| scheduler.outcome(*id).expect("it has ended")).collect();
    drop(scheduler);
    texts.into_iter().map(RefCell::into_inner).zip(outcomes).collect()
}

fn generator_of(engine: &mut Engine, slots: usize) -> &mut Generator {
    let generator = engine.generator().expect("a generator");
    block_on(generator.set_slots(slots)).expect("room");
    generator
}

fn check_alike(got: &[(Text, Outcome)], want: &[(Text, Outcome)]) {
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        assert_eq!(got.0, want.0, "the text of request {i}");
        let facts = |outcome: &Outcome| (outcome.finish, outcome.prompt_tokens, outcome.tokens);
        assert_eq!(facts(&got.1), facts(&want.1), "how request {i} ended");
    }
}

fn sequences_in_the_same_runs_get_their_own_texts(case: Case) {
    let mut plain = engine(case);
    let requests = requests();
    let want: Vec<_> = requests.iter().map(|request| alone(generator_of(&mut plain, 1), request)).collect();
    assert!(want[1].0.len() >= 9 && want[3].1.finish != Finish::Abort);
    let mut engine = engine(case);
    for starts in [[0, 0], [0, 5], [3, 0]] {
        for (a, b) in [(0, 1), (0, 2), (1, 3), (2, 3)] {
            let generator = generator_of(&mut engine, 2);
            let before = generator.device.counters().submits;
            let mut pair = [(starts[0], requests[a].clone()), (starts[1], requests[b].clone())];
            pair.sort_by_key(|(start, _)| *start);
            let swapped = starts[0] > starts[1];
            let got = together(generator, &pair);
            let (first, second) = if swapped { (b, a) } else { (a, b) };
            check_alike(&got, &[want[first].clone(), want[second].clone()]);
            if starts == [0, 0] && (a, b) == (0, 2) {
                in_the_same_runs(case, generator.device.counters().submits - before, &got);
            }
        }
    }
    let all: Vec<_> = requests.into_iter().enumerate().map(|(i, request)| (2 * i, request)).collect();
    check_alike(&together(generator_of(&mut engine, 4), &all), &want);
}

/// As few runs as the longer text alone takes, more or less; on a GPU a run may be several submits at first.
fn in_the_same_runs(case: Case, submits: u64, texts: &[(Text, Outcome)]) {
    if case == cpu() {
        let longest = texts.iter().map(|(text, _)| text.len()).max().expect("texts");
        assert!(submits <= longest as u64 + 2, "{submits} runs for texts of up to {longest} tokens");
    }
}

fn more_sequences_than_slots_wait(case: Case) {
    let mut engine = engine(case);
    let requests = requests();
    let want: Vec<_> = requests.iter().map(|request| alone(generator_of(&mut engine, 1), request)).collect();
    for slots in [1, 2, 3] {
        let all: Vec<_> = requests.iter().map(|request| (0, request.clone())).collect();
        check_alike(&together(generator_of(&mut engine, slots), &all), &want);
    }
}

/// The others join when the first has computed the prompt that all begin with, and is still being served: they share its full
/// pages of 32 positions.
fn a_prompt_that_another_has_begun_is_shared(case: Case) {
    let mut engine = engine(case);
    let base = prompt(5, 80);
    let requests = [
        request([&base[..], &[1, 2]].concat(), 50, greedy()),
        request([&base[..], &[3]].concat(), 60, greedy()),
        request(base.clone(), 30, greedy()),
    ];
    let want: Vec<_> = requests.iter().map(|request| alone(generator_of(&mut engine, 1), request)).collect();
    let starts = [0, 20, 40];
    let all: Vec<_> = starts.into_iter().zip(requests.iter().cloned()).collect();
    let generator = generator_of(&mut engine, 3);
    let got = together(generator, &all);
    check_alike(&got, &want);
    assert_eq!(got.iter().map(|(_, outcome)| outcome.cached_tokens).collect::<Vec<_>>(), [0, 64, 64]);
    // All have ended: one goes on where it was.
    let longer = request([&requests[1].prompt[..], &got[1].0, &[9]].concat(), 10, greedy());
    let (text, outcome) = alone(generator, &longer);
    assert_eq!(outcome.cached_tokens, longer.prompt.len() - 2);
    assert_eq!(text, alone(generator_of(&mut engine, 1), &longer).0);
}

/// Only even ids, no id twice in a row, and no more than `most` of them.
#[derive(Debug, Clone)]
struct Even {
    accepted: Vec<u32>,
    most: usize,
}

impl Constraint for Even {
    fn mask(&self, allowed: &mut BitSet) {
        if self.accepted.len() == self.most {
            return allowed.clear();
        }
        (0..allowed.capacity() as u32).filter(|id| id % 2 == 1).for_each(|id| allowed.remove(id));
        self.accepted.last().into_iter().for_each(|id| allowed.remove(*id));
    }

    fn accept(&mut self, id: u32) {
        self.accepted.push(id);
    }

    fn rollback(&mut self, n: usize) {
        self.accepted.truncate(self.accepted.len() - n);
    }

    fn boxed(&self) -> Box<dyn Constraint> {
        Box::new(self.clone())
    }
}

fn only_what_a_constraint_allows(case: Case) {
    let mut engine = engine(case);
    let even = |most| Some(Box::new(Even { accepted: vec![], most }) as Box<dyn Constraint>);
    let drawn = SamplingParams { temperature: 1.5, logit_bias: vec![(3, 100.0)], ..SamplingParams::default() };
    let free = request(prompt(1, 20), 20, greedy());
    let requests = [
        free.clone(),
        Request { constraint: even(100), ..free },
        Request { constraint: even(100), ..request(prompt(2, 9), 25, drawn.clone()) },
        Request { constraint: even(7), ..request(prompt(3, 9), 25, drawn) },
    ];
    let want: Vec<_> = requests.iter().map(|request| alone(generator_of(&mut engine, 1), request)).collect();
    assert!(want[0].0.iter().any(|id| id % 2 == 1) && want[0].0 != want[1].0);
    for (text, _) in &want[1..] {
        assert!(text.iter().all(|id| id % 2 == 0) && text.windows(2).all(|two| two[0] != two[1]), "{text:?}");
    }
    let ends = [1, 2, 3].map(|i| (want[i].0.len(), want[i].1.finish));
    assert_eq!(ends, [(20, Finish::Length), (25, Finish::Length), (7, Finish::Stop)]);
    // An answer that goes on has accepted what it had begun with.
    let begun = want[2].0[..10].to_vec();
    let rest =
        Request { prompt: [&requests[2].prompt[..], &begun].concat(), resumed_tokens: 10, ..requests[2].clone() };
    assert_eq!(alone(generator_of(&mut engine, 1), &rest).0, want[2].0[10..]);
    let all: Vec<_> = requests.iter().map(|request| (0, request.clone())).collect();
    check_alike(&together(generator_of(&mut engine, 4), &all), &want);
}

/// Penalties count the ids of a reused prefix, though another slot has computed it.
fn penalties_count_what_another_slot_has_computed(case: Case) {
    let mut engine = engine(case);
    let penalised = SamplingParams { repetition_penalty: 2.0, penalty_last_n: -1, ..greedy() };
    let first = request(prompt(5, 70), 5, greedy());
    let second = request([&first.prompt[..], &[1]].concat(), 20, penalised);
    let want = alone(generator_of(&mut engine, 1), &second);
    let generator = generator_of(&mut engine, 2);
    let longer = Request { max_tokens: Some(60), ..first };
    let got = together(generator, &[(0, longer), (20, second)]);
    assert_eq!((&got[1].0, got[1].1.cached_tokens), (&want.0, 64));
}

fn all_are_interrupted(case: Case) {
    let mut engine = engine(case);
    let generator = generator_of(&mut engine, 2);
    let interrupted = generator.interrupted.clone();
    let fresh = alone(generator, &requests()[0]);
    let mut scheduler = generator.scheduler();
    let ids: Vec<_> = (1..4)
        .map(|seed| {
            let interrupted = interrupted.clone();
            let mut tokens = 0;
            let listener = move |_: Sampled| {
                tokens += 1;
                interrupted.set(tokens == 4);
                ControlFlow::Continue(())
            };
            scheduler.submit(request(prompt(seed, 9), 100, greedy()), None, Box::new(listener)).expect("a request")
        })
        .collect();
    while block_on(scheduler.step(&never_yield)).expect("a turn") {}
    // The second's prompt may have needed a run more; the third never got a slot.
    for (id, tokens) in ids.into_iter().zip([4..=4, 2..=3, 0..=0]) {
        let outcome = scheduler.outcome(id).expect("it has ended");
        assert!(outcome.finish == Finish::Abort && tokens.contains(&outcome.tokens), "{outcome:?}");
    }
    drop(scheduler);
    interrupted.set(false);
    assert_eq!(alone(generator, &requests()[0]).0, fresh.0);
}

/// Gemma 3's pictures see themselves, so that a run has all rows of one, whatever else it has: each gets what it gets alone, in one run
/// behind what is cached of it or in several.
fn pictures_that_are_not_cut(case: Case) {
    let with_picture = |before: u32, tokens: usize, behind: u32| {
        let text = |n: u32| prompt(before, n).into_iter().map(|id| id % 33);
        let prompt: Vec<u32> = text(before).chain((0..tokens).map(|_| 40)).chain(text(behind)).collect();
        let numbers = (0..tokens * 32).map(|i| ((i * 7919 + tokens) % 997) as f32 / 400.0 - 1.2);
        let first = before as usize;
        let media = vec![Media { positions: first..first + tokens, hash: tokens as u64, rows: numbers.collect() }];
        Request { media, ..request(prompt, 10, greedy()) }
    };
    let requests = [
        request(prompt(1, 60).into_iter().map(|id| id % 33).collect(), 40, greedy()),
        with_picture(9, 200, 5),
        with_picture(3, 25, 30),
        // The same picture, other words behind it.
        with_picture(9, 200, 20),
    ];
    let open = || crate::support::open("tests/golden/vision/gemma3/model.safetensors".as_ref(), case, KvFormat::F32);
    let want: Vec<_> = requests.iter().map(|request| alone(generator_of(&mut open(), 1), request)).collect();
    assert_ne!(want[1].0, want[3].0);
    let mut engine = open();
    for starts in [[0, 0, 0, 0], [0, 3, 4, 6], [0, 1, 2, 30]] {
        let requests: Vec<_> = starts.into_iter().zip(requests.clone()).collect();
        check_alike(&together(generator_of(&mut engine, 4), &requests), &want);
    }
    let mut large = requests[1].clone();
    large.media[0].positions = 0..257;
    let error = generator_of(&mut engine, 1).scheduler().submit(large, None, Box::new(|_| ControlFlow::Continue(())));
    assert_eq!(error.expect_err("more than a run has").code(), "MODEL_UNSUPPORTED");
}
