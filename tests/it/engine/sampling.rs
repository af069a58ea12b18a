//! Which token comes next: seeds, bias, penalties, the narrowest filters.

use super::*;

on_both_devices! {
    seeds,
    logit_bias_forces_and_forbids,
    penalties_are_those_of_the_formula,
    the_narrowest_sampling_is_greedy,
}

fn seeds(case: Case) {
    let (mut a, mut b) = (engine(case), engine(case));
    let texts: Vec<_> = (0..6).map(|seed| run(&mut a, json!({ "seed": seed, "temperature": 1.2 }))).collect();
    for (seed, text) in texts.iter().enumerate().rev() {
        assert_eq!(&run(&mut b, json!({ "seed": seed, "temperature": 1.2 })), text, "seed {seed}");
        assert_eq!(texts.iter().filter(|other| *other == text).count(), 1, "other seeds, other texts");
    }
    assert_eq!(run(&mut a, json!({ "seed": -1 })), run(&mut b, json!({ "seed": u64::MAX })));
    assert_ne!(run(&mut a, json!({})), run(&mut a, json!({})), "without a seed, another text each time");
}

fn logit_bias_forces_and_forbids(case: Case) {
    let mut engine = engine(case);
    assert_eq!(run(&mut engine, json!({ "logit_bias": { "42": 100 } })).1, vec![42; 24]);
    let (_, greedy) = run(&mut engine, json!({ "temperature": 0 }));
    let forbidden: serde_json::Map<_, _> = greedy.iter().map(|id| (id.to_string(), json!(-100))).collect();
    let (_, others) = run(&mut engine, json!({ "temperature": 0, "logit_bias": forbidden }));
    assert!(others.iter().all(|id| !greedy.contains(id)), "{others:?} of {greedy:?}");
    // A bias of one request is gone in the next.
    assert_eq!(run(&mut engine, json!({ "temperature": 0 })).1, greedy);
}

/// Greedy with penalties, against the definitions computed here from the plain logits.
fn penalties_are_those_of_the_formula(case: Case) {
    let (mut engine, mut plain) = (engine(case), engine(cpu()));
    let prompt = engine.tokenize("the hen").expect("ids");
    let formulas =
        [(1.0, 2.0, 0.0, 0), (1.0, 0.0, 1.5, 0), (1.8, 0.0, 0.0, -1), (1.3, -0.7, 0.4, 5), (1.3, 0.3, 0.4, -1)];
    for (repetition, frequency, presence, last_n) in formulas {
        let request = json!({ "temperature": 0, "repetition_penalty": repetition, "frequency_penalty": frequency,
                              "presence_penalty": presence, "penalty_last_n": last_n });
        let (_, got) = run(&mut engine, request);
        let mut sequence = prompt.clone();
        for (step, &id) in got.iter().enumerate() {
            let mut logits = last_logits(&mut plain, &sequence);
            let penalized = match last_n {
                -1 => &sequence[..],
                0 => &sequence[prompt.len()..],
                n => &sequence[prompt.len().max(sequence.len().saturating_sub(n as usize))..],
            };
            for (token, z) in logits.iter_mut().enumerate() {
                let count = penalized.iter().filter(|&&id| id as usize == token).count();
                if count > 0 {
                    *z = if *z > 0.0 { *z / repetition } else { *z * repetition };
                    *z -= presence + frequency * count as f32;
                }
            }
            let best = logits[argmax(&logits) as usize];
            assert!(best - logits[id as usize] < 1e-3, "step {step} of {request:?}: {id}", request = [repetition]);
            sequence.push(id);
        }
    }
    let (_, free) = run(&mut engine, json!({ "temperature": 0 }));
    assert_eq!(
        run(&mut engine, json!({ "temperature": 0, "repetition_penalty": 1.8 })).1,
        run(&mut engine, json!({ "temperature": 0, "repetition_penalty": 1.8, "penalty_last_n": 64 })).1,
    );
    let (_, penalised) = run(&mut engine, json!({ "temperature": 0, "frequency_penalty": 2, "presence_penalty": 2 }));
    let most = |ids: &[u32]| ids.iter().map(|id| ids.iter().filter(|i| *i == id).count()).max();
    assert!(most(&penalised) <= most(&free));
}

fn the_narrowest_sampling_is_greedy(case: Case) {
    let mut engine = engine(case);
    let greedy = run(&mut engine, json!({ "temperature": 0 }));
    // `top_p: 0` keeps the most likely token, as with OpenAI and llama.cpp.
    let top_p = [1e-6, 1e-60, 0.0].map(|p| json!({ "top_p": p }));
    for narrow in [json!({ "top_k": 1 }), json!({ "min_p": 1 })].into_iter().chain(top_p) {
        let request = with(json!({ "temperature": 1.5, "seed": 3 }), narrow);
        assert_eq!(run(&mut engine, request.clone()), greedy, "{request}");
    }
}
