//! Training: gradients, schedule, clipping, AdamW, resuming, and the files that come out.

use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData, activation::log_softmax};
use cresset::Error;
use cresset::device::KvFormat;
use cresset::engine::never_yield;
use cresset::quant::Format;
use cresset::weights::{Checkpoint, open_path};
use cresset_train::data::{Batch, Batches, Corpus, hold_out, read_documents, train_tokenizer, vocabulary};
use cresset_train::decoder::{Decoder, DecoderConfig};
use cresset_train::export::{About, Weight, weights, write_gguf, write_hugging_face};
use cresset_train::trainer::{TrainConfig, Trainer, clip};
use pollster::block_on;
use tokenizers::Tokenizer;

/// burn's generator is one for the whole process: only one test at a time may seed it and draw from it.
static GENERATOR: Mutex<()> = Mutex::new(());

fn generator() -> MutexGuard<'static, ()> {
    GENERATOR.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// About 100,000 parameters, grouped heads, a rotary half of 8.
fn config() -> TrainConfig {
    let model = DecoderConfig::new(300, 64, 2, 4, 2, 96, 16);
    TrainConfig { model, batch: 4, steps: 40, lr: 3e-3, min_lr: 3e-4, warmup: 5, weight_decay: 0.1, clip: 1.0, seed: 7 }
}

fn trainer(config: TrainConfig) -> Trainer {
    let _guard = generator();
    Trainer::new(config, Device::flex()).unwrap()
}

/// Sixty small documents with a few hundred tokens' worth of patterns.
fn documents() -> Vec<String> {
    let (who, what) = (["Tom", "Lily", "the dog", "a bird"], ["ball", "tree", "red car", "big house", "lake"]);
    (0..60).map(|i| format!("One day {} saw a {}. It was nice, said Mom.", who[i % 4], what[i % 5])).collect()
}

fn tokenizer() -> Tokenizer {
    train_tokenizer(&documents(), 300).unwrap()
}

fn corpus() -> Corpus {
    Corpus::new(&tokenizer(), &documents()).unwrap()
}

fn ids(batch: &Batch, device: &Device) -> (Tensor<2, Int>, Tensor<2, Int>) {
    let shape = [batch.rows, batch.inputs.len() / batch.rows];
    let tensor = |ids: &Vec<i32>| Tensor::from_data(TensorData::new(ids.clone(), shape), device);
    (tensor(&batch.inputs), tensor(&batch.targets))
}

fn all_weights(trainer: &Trainer) -> Vec<Vec<f32>> {
    weights(trainer.decoder(), &trainer.config().model).into_iter().map(|w| w.values).collect()
}

#[test]
fn loss_falls_and_held_out_text_is_predicted_better() {
    let corpus = corpus();
    let mut trainer = trainer(config());
    let mut batches = Batches::new(&corpus, 4, 16, 7).unwrap();
    let before = trainer.evaluate(&corpus).unwrap();
    let reports: Vec<_> = (0..40).map(|step| trainer.train(&batches.get(step))).collect();
    let after = trainer.evaluate(&corpus).unwrap();
    // Untrained, every token of 300 is about as likely as any other.
    assert!((reports[0].loss - 300f64.ln()).abs() < 0.2, "{}", reports[0].loss);
    assert!(reports[39].loss < 0.5 * reports[0].loss, "{} {}", reports[0].loss, reports[39].loss);
    assert!(after.bits_per_byte < 0.5 * before.bits_per_byte, "{before:?} {after:?}");
    assert!(after.loss > after.bits_per_byte * std::f64::consts::LN_2, "a token is more than a byte");
}

#[test]
fn resuming_equals_not_stopping() {
    let corpus = corpus();
    let dir = tempfile::tempdir().unwrap();
    let run = |trainer: &mut Trainer, steps: std::ops::Range<usize>| {
        let mut batches = Batches::new(&corpus, 4, 16, 7).unwrap();
        for step in steps {
            trainer.train(&batches.get(step));
        }
    };
    let mut whole = trainer(config());
    run(&mut whole, 0..60);
    let mut first = trainer(config());
    run(&mut first, 0..20);
    first.save(dir.path()).unwrap();
    run(&mut first, 20..35); // past the start of the second epoch
    first.save(dir.path()).unwrap();
    std::fs::create_dir(dir.path().join("step-00000099")).unwrap(); // cut short: no state.json
    assert!(!dir.path().join("step-00000020").exists(), "older checkpoints go");
    let mut second = {
        let _guard = generator();
        Trainer::resume(config(), dir.path(), Device::flex()).unwrap()
    };
    assert_eq!(second.step(), 35);
    run(&mut second, 35..60);
    assert_eq!(all_weights(&whole), all_weights(&second), "bit by bit");
}

#[test]
fn resuming_refuses_what_it_cannot_continue() {
    let resume = |config, dir: &Path| Trainer::resume(config, dir, Device::flex()).err().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let _guard = generator();
    assert_eq!(resume(config(), dir.path()).code(), "MODEL_NOT_FOUND");
    assert_eq!(resume(config(), &dir.path().join("absent")).code(), "MODEL_NOT_FOUND");
    Trainer::new(config(), Device::flex()).unwrap().save(dir.path()).unwrap();
    let other = TrainConfig { model: DecoderConfig::new(300, 64, 3, 4, 2, 96, 16), ..config() };
    assert_eq!(resume(other, dir.path()).code(), "INVALID_REQUEST");
    let folder = dir.path().join("step-00000000");
    let whole = std::fs::read(folder.join("model.bpk")).unwrap();
    std::fs::write(folder.join("model.bpk"), &whole[..whole.len() / 2]).unwrap();
    assert_eq!(resume(config(), dir.path()).code(), "MODEL_FORMAT");
    std::fs::write(folder.join("model.bpk"), &whole).unwrap();
    std::fs::write(folder.join("state.json"), "{").unwrap();
    assert_eq!(resume(config(), dir.path()).code(), "MODEL_FORMAT");
}

#[test]
fn schedule_is_linear_then_half_a_cosine() {
    let config = TrainConfig { steps: 105, lr: 1.0, min_lr: 0.2, warmup: 5, ..config() };
    for (step, want) in [(0, 0.2), (1, 0.4), (4, 1.0), (5, 1.0), (55, 0.6), (105, 0.2), (500, 0.2)] {
        let got = config.learning_rate(step);
        assert!((got - want).abs() < 1e-12, "step {step}: {got}, not {want}");
    }
    let quarter = 0.2 + 0.8 * 0.5 * (1.0 + (0.25 * std::f64::consts::PI).cos());
    assert!((config.learning_rate(30) - quarter).abs() < 1e-12);
}

/// Gradients by parameter, in the order of a visit.
struct Gradients<'a>(&'a GradientsParams, Vec<Vec<f32>>);

impl ModuleVisitor for Gradients<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = self.0.get::<D>(param.id).expect("every parameter has a gradient");
        self.1.push(gradient.into_data().iter().collect());
    }
}

/// Values of the parameters, in the same order.
struct Values(Vec<Vec<f32>>);

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(param.val().into_data().iter().collect());
    }
}

fn gradients(decoder: &Decoder, batch: &Batch) -> GradientsParams {
    let (inputs, targets) = ids(batch, &Device::flex().autodiff());
    GradientsParams::from_grads(decoder.losses(inputs, targets).mean().backward(), decoder)
}

fn list(gradients: &GradientsParams, decoder: &Decoder) -> Vec<Vec<f32>> {
    let mut visitor = Gradients(gradients, Vec::new());
    decoder.visit(&mut visitor);
    visitor.1
}

fn norm(numbers: &[Vec<f32>]) -> f64 {
    numbers.iter().flatten().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn clipping_scales_all_gradients_by_one_factor() {
    let (trainer, corpus) = (trainer(config()), corpus());
    let batch = Batches::new(&corpus, 4, 16, 7).unwrap().get(0);
    let plain = list(&gradients(trainer.decoder(), &batch), trainer.decoder());
    let want = norm(&plain);
    for limit in [0.5 * want, 2.0 * want] {
        let (clipped, got) = clip(gradients(trainer.decoder(), &batch), trainer.decoder(), limit);
        assert!((got - want).abs() < 1e-5 * want, "{got}, not {want}");
        let factor = (limit / want).min(1.0);
        for (a, b) in plain.iter().flatten().zip(list(&clipped, trainer.decoder()).iter().flatten()) {
            assert!((f64::from(*b) - f64::from(*a) * factor).abs() < 1e-6, "{a} became {b}");
        }
    }
}

#[test]
fn the_first_step_is_adamw_with_decay_on_matrices_only() {
    let (mut trainer, corpus) = (trainer(TrainConfig { clip: 1e9, warmup: 0, ..config() }), corpus());
    let batch = Batches::new(&corpus, 4, 16, 7).unwrap().get(0);
    let values = |trainer: &Trainer| {
        let mut visitor = Values(Vec::new());
        trainer.decoder().visit(&mut visitor);
        visitor.0
    };
    let (before, gradients) = (values(&trainer), list(&gradients(trainer.decoder(), &batch), trainer.decoder()));
    trainer.train(&batch);
    for ((before, after), gradient) in before.iter().zip(values(&trainer)).zip(gradients) {
        let decay = if before.len() == 64 { 0.0 } else { 0.1 }; // norms are the vectors
        for ((w, got), g) in before.iter().zip(after).zip(gradient) {
            // Both moments, corrected for their start at zero, are those of this one gradient.
            let want = w * (1.0 - 3e-3 * decay) - 3e-3 * g / (g.abs() + 1e-8);
            // Where |g| is near epsilon, a rounding error of g moves the quotient.
            assert!(g.abs() < 1e-6 || (want - got).abs() < 2e-6, "{w} with gradient {g} became {got}, not {want}");
        }
    }
}

/// Adds `step · v` to one parameter, where v is a fixed pattern of ±1.
struct Nudge {
    target: usize,
    index: usize,
    step: f32,
}

fn sign(i: usize) -> f32 {
    if (i.wrapping_mul(0x9e37_79b9) >> 13).is_multiple_of(2) { 1.0 } else { -1.0 }
}

impl ModuleMapper for Nudge {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let here = self.index == self.target;
        self.index += 1;
        if !here {
            return param;
        }
        param.map(|x| {
            let signs: Vec<f32> = (0..x.shape().num_elements()).map(|i| self.step * sign(i)).collect();
            let nudge = Tensor::from_data(TensorData::new(signs, x.shape()), &x.device());
            x + nudge
        })
    }
}

#[test]
fn gradients_match_finite_differences() {
    let config = DecoderConfig::new(11, 8, 2, 4, 2, 12, 6);
    let decoder = {
        let _guard = generator();
        let device = Device::flex().autodiff();
        device.seed(3);
        config.init(&device)
    };
    // Weights of 0.02 make a nearly linear model: scale them up until every part matters.
    struct Scale;
    impl ModuleMapper for Scale {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|x| if D == 2 { (x * 15.0).detach().require_grad() } else { x })
        }
    }
    let decoder = decoder.map(&mut Scale);
    let batch = Batch {
        inputs: vec![1, 5, 3, 3, 9, 0, 2, 10, 7, 4, 4, 6],
        targets: vec![5, 3, 3, 9, 0, 8, 10, 7, 4, 4, 6, 1],
        rows: 2,
    };
    let exact = list(&gradients(&decoder, &batch), &decoder);
    let loss = |target: usize, step: f32| {
        let nudged = decoder.valid().map(&mut Nudge { target, index: 0, step });
        let (inputs, targets) = ids(&batch, &Device::flex());
        nudged.losses(inputs, targets).into_data().iter::<f32>().map(f64::from).sum::<f64>() / 12.0
    };
    let step = 4e-3;
    for (target, gradient) in exact.iter().enumerate() {
        let want: f64 = gradient.iter().enumerate().map(|(i, &g)| f64::from(g * sign(i))).sum();
        let got = (loss(target, step) - loss(target, -step)) / f64::from(2.0 * step);
        let size = norm(std::slice::from_ref(gradient));
        assert!(size > 1e-3, "parameter {target} has next to no gradient");
        assert!((got - want).abs() < 0.01 * size + 2e-4, "parameter {target}: {got}, not {want} (norm {size})");
    }
}

#[test]
fn losses_are_the_cross_entropy_of_the_logits() {
    let trainer = trainer(config());
    let batch = Batches::new(&corpus(), 4, 16, 7).unwrap().get(3);
    let decoder = trainer.decoder().valid();
    let (inputs, targets) = ids(&batch, &Device::flex());
    let rows = log_softmax(decoder.forward(inputs.clone()), 2).gather(2, targets.clone().unsqueeze_dim(2)).neg();
    let (want, got) = (rows.into_data(), decoder.losses(inputs, targets).into_data());
    for (want, got) in want.iter::<f32>().zip(got.iter::<f32>()) {
        assert!((want - got).abs() < 1e-5, "{got}, not {want}");
    }
}

/// Two implementations of one architecture: burn's modules and the engine's plan, which share no arithmetic.
#[test]
fn the_engine_computes_the_decoders_logits() {
    let (mut trainer, tokenizer) = (trainer(config()), tokenizer());
    let corpus = corpus();
    let mut batches = Batches::new(&corpus, 4, 16, 7).unwrap();
    (0..20).for_each(|step| assert!(trainer.train(&batches.get(step)).loss.is_finite()));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    let about = About { name: "tiny".into(), ..About::default() };
    write_gguf(&path, trainer.decoder(), &config().model, &tokenizer, &about, Format::F32).unwrap();
    let mut engine = crate::support::open(&path, crate::support::cpu(), KvFormat::F32);

    let batch = batches.get(21);
    let ids = batch.inputs[..16].to_vec();
    let one = Batch { inputs: ids.clone(), targets: ids.clone(), rows: 1 };
    let logits = trainer.decoder().valid().forward(self::ids(&one, &Device::flex()).0).into_data();
    let want: Vec<f32> = logits.iter::<f32>().collect();
    let ids: Vec<u32> = ids.iter().map(|&id| id as u32).collect();
    let mut got = Vec::new();
    block_on(engine.logits(&ids, true, &mut |row| got.extend_from_slice(row), &never_yield)).unwrap();
    crate::support::close(&got, &want, 1e-3, "16 positions");
    let spread = want.iter().fold(0f32, |m, x| m.max(x.abs()));
    assert!(spread > 1.0, "logits of at most {spread} would agree anyhow");
}

#[test]
fn no_position_sees_a_later_one() {
    let trainer = trainer(config());
    let decoder = trainer.decoder().valid();
    let logits = |last: i32| {
        let batch = Batch { inputs: vec![4, 8, 15, 16, 23, last], targets: vec![0; 6], rows: 1 };
        let data = decoder.forward(ids(&batch, &Device::flex()).0).into_data();
        data.iter::<f32>().collect::<Vec<_>>()
    };
    let (a, b) = (logits(42), logits(43));
    assert_eq!(a[..5 * 300], b[..5 * 300]);
    assert_ne!(a[5 * 300..], b[5 * 300..]);
}

#[test]
fn batches_are_a_function_of_seed_and_step() {
    let corpus = corpus();
    let mut one = Batches::new(&corpus, 4, 16, 1).unwrap();
    let (count, mut again) = (one.per_epoch(), Batches::new(&corpus, 4, 16, 1).unwrap());
    let later = one.get(count + 1); // of the second epoch
    assert_eq!(later, again.get(count + 1));
    let first: Vec<Batch> = (0..count).map(|step| one.get(step)).collect();
    assert!((0..count).all(|step| again.get(step) == first[step]));
    assert!(!first.contains(&later), "epochs differ");
    assert_ne!(first[0], Batches::new(&corpus, 4, 16, 2).unwrap().get(0), "seeds differ");
    for batch in &first {
        for (inputs, targets) in batch.inputs.chunks(16).zip(batch.targets.chunks(16)) {
            assert_eq!(inputs[1..], targets[..15]);
        }
    }
    let error = Batches::new(&corpus, count * 4 + 40, 16, 1).err().unwrap();
    assert!(matches!(&error, Error::InvalidRequest { field, .. } if field == "--batch"), "{error}");
}

#[test]
fn evaluation_sees_every_whole_window_once_and_counts_its_bytes() {
    let (tokenizer, texts) = (tokenizer(), documents());
    let corpus = Corpus::new(&tokenizer, &texts).unwrap();
    let batches = corpus.in_order(4, 16);
    let targets: Vec<i32> = batches.iter().flat_map(|b| &b.targets).copied().collect();
    assert_eq!(targets.len(), corpus.tokens() / 16 * 16);
    let ids: Vec<u32> = targets.iter().map(|&t| t as u32).collect();
    let text = tokenizer.decode(&ids, true).unwrap();
    assert_eq!(corpus.bytes_of(&targets), text.len() as u64);
    assert!(texts.concat().starts_with(&text));
}

#[test]
fn the_tokenizer_is_byte_level_and_begins_with_the_separator() {
    let tokenizer = tokenizer();
    for text in ["Tom saw a ball.", " été 😀\n\n\tx  ", "O'Neil's 42"] {
        let ids = tokenizer.encode_fast(text, true).unwrap().get_ids().to_vec();
        assert_eq!(ids[0], 0);
        assert_eq!(tokenizer.decode(&ids, true).unwrap(), text);
    }
    let (tokens, merges) = vocabulary(&tokenizer).unwrap();
    assert_eq!((tokens.len(), merges.len()), (300, 300 - 257));
    assert_eq!(tokens[0], "<|endoftext|>");
    for merge in &merges {
        let (left, right) = merge.split_once(' ').unwrap();
        assert!(tokens.contains(&format!("{left}{right}")), "{merge}");
    }
    for vocab in [256, 5000] {
        let error = train_tokenizer(&documents(), vocab).err().unwrap();
        assert!(matches!(&error, Error::InvalidRequest { field, .. } if field == "--vocab"), "{error}");
    }
}

#[test]
fn text_is_split_and_held_out() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let stories = file("a.txt", "one\n<|endoftext|>\n\n<|endoftext|>\ntwo é\n".as_bytes());
    assert_eq!(read_documents(&[stories]).unwrap(), ["one", "two é"]);
    let code = |path| read_documents(&[path]).err().unwrap().code();
    assert_eq!(code(file("b.txt", b"\xff\xfe")), "MODEL_FORMAT");
    assert_eq!(code(file("c.txt", b" \n<|endoftext|>")), "INVALID_REQUEST");
    assert_eq!(code(dir.path().join("absent.txt")), "MODEL_NOT_FOUND");
    assert_eq!(code(dir.path().to_path_buf()), "STORAGE");

    let mut many: Vec<String> = (1..=100).map(|i| i.to_string()).collect();
    assert_eq!(hold_out(&mut many), ["33", "66", "99"]);
    assert_eq!(many.len(), 97);
    let mut one = vec!["é".repeat(330)]; // two bytes each: the cut must not split one
    assert_eq!(hold_out(&mut one), ["é".repeat(10)]);
    assert_eq!(one, ["é".repeat(320)]);
}

#[test]
fn impossible_settings_name_their_flag() {
    let model = DecoderConfig::new(300, 64, 2, 4, 2, 96, 16);
    let with = |change: fn(&mut TrainConfig)| {
        let mut changed = TrainConfig { model: model.clone(), ..config() };
        change(&mut changed);
        match changed.check() {
            Err(Error::InvalidRequest { field, .. }) => field.into_owned(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(with(|c| c.model.n_layers = 0), "--layers");
    assert_eq!(with(|c| c.model.context = usize::MAX), "--context");
    assert_eq!(with(|c| c.model.n_heads = 5), "--d-model");
    assert_eq!(with(|c| c.model.n_heads = 64), "--d-model");
    assert_eq!(with(|c| c.model.n_kv_heads = 3), "--kv-heads");
    assert_eq!(with(|c| (c.model.ffn, c.model.n_layers) = (1 << 20, 1 << 10)), "--d-model");
    assert_eq!(with(|c| c.model.context = 1 << 20), "--batch");
    assert_eq!(with(|c| c.batch = 0), "--batch");
    assert_eq!(with(|c| c.batch = usize::MAX), "--batch");
    assert_eq!(with(|c| c.lr = f64::NAN), "--lr");
    assert_eq!(with(|c| c.min_lr = 1.0), "--min-lr");
    assert_eq!(with(|c| c.clip = 0.0), "--clip");
    assert_eq!(with(|c| c.weight_decay = -1.0), "--weight-decay");
    assert_eq!(with(|c| c.warmup = c.steps), "--steps");
    config().check().unwrap();
}

fn read(checkpoint: &Checkpoint, name: &str) -> (Vec<usize>, Vec<f32>) {
    let tensor = checkpoint.tensor(name).unwrap_or_else(|| panic!("{name} is missing"));
    let mut values = vec![0.0; tensor.elements()];
    let bytes = block_on(checkpoint.read_all(tensor)).unwrap();
    tensor.dtype.format().unwrap().dequantize(&bytes, &mut values);
    (tensor.shape.clone(), values)
}

/// GGUF's rows of q and k: adjacent rows of a head are the two of a rotary pair.
fn paired(weight: &Weight, heads: usize) -> Vec<f32> {
    let (columns, d) = (weight.shape[1], weight.shape[0] / heads);
    let row = |r: usize| weight.values[r * columns..][..columns].to_vec();
    (0..heads).flat_map(|h| (0..d / 2).flat_map(move |j| [h * d + j, h * d + j + d / 2])).flat_map(row).collect()
}

#[test]
fn exported_files_hold_the_weights() {
    let (trainer, tokenizer) = (trainer(config()), tokenizer());
    let model = &config().model;
    let own = weights(trainer.decoder(), model);
    assert_eq!(own.iter().map(|w| w.values.len()).sum::<usize>(), model.parameters());
    let dir = tempfile::tempdir().unwrap();
    let about = About { name: "tiny".into(), license: Some("MIT".into()), description: None };
    for (format, tolerance) in [(Format::F32, 0.0), (Format::F16, 1e-3), (Format::Q8_0, 0.0045)] {
        let path = dir.path().join("model.gguf");
        write_gguf(&path, trainer.decoder(), model, &tokenizer, &about, format).unwrap();
        let file = block_on(Checkpoint::open(open_path(&path).unwrap())).unwrap();
        assert_eq!(file.tensors().len(), own.len());
        for weight in &own {
            let want = match weight.gguf.as_str() {
                name if name.ends_with("attn_q.weight") => paired(weight, 4),
                name if name.ends_with("attn_k.weight") => paired(weight, 2),
                _ => weight.values.clone(),
            };
            let (shape, got) = read(&file, &weight.gguf);
            assert_eq!(shape, weight.shape, "{}", weight.gguf);
            // Half a step of a block's scale is 1/254 of its largest weight; the scale itself is rounded by 2⁻¹¹ at most.
            let largest = want.iter().fold(0f32, |m, x| m.max(x.abs()));
            for (want, got) in want.iter().zip(&got) {
                assert!((want - got).abs() <= tolerance * largest, "{}: {got}, not {want}", weight.gguf);
            }
        }
        let meta = file.metadata();
        assert_eq!(meta.str("general.license").unwrap(), Some("MIT"));
        assert_eq!(meta.str("tokenizer.ggml.pre").unwrap(), Some("gpt-2"));
        assert_eq!(meta.u64("llama.attention.head_count_kv").unwrap(), Some(2));
        assert_eq!(meta.u64("llama.rope.dimension_count").unwrap(), Some(16));
        assert_eq!(meta.i32s("tokenizer.ggml.token_type").unwrap().unwrap()[..2], [3, 1]);
        assert_eq!(meta.strings("tokenizer.ggml.tokens").unwrap().unwrap(), vocabulary(&tokenizer).unwrap().0);
    }
    let refused = write_gguf(&dir.path().join("x"), trainer.decoder(), model, &tokenizer, &about, Format::Q4_0);
    assert_eq!(refused.unwrap_err().code(), "INVALID_REQUEST");

    let folder = dir.path().join("hf");
    write_hugging_face(&folder, trainer.decoder(), model, &tokenizer).unwrap();
    let file = block_on(Checkpoint::open(open_path(&folder).unwrap())).unwrap();
    for weight in &own {
        assert_eq!(read(&file, &weight.hugging_face), (weight.shape.clone(), weight.values.clone()));
    }
    assert_eq!(file.config().unwrap()["num_key_value_heads"], 2);
    assert!(file.tokenizer_json().is_some());
}
