//! The self-test: ways of computing on this adapter are proved, wrong ones are not used, and what was found out is kept.

use super::*;
use cresset::device::{Candidates, Device, MatmulShape, MatvecShape, Reduce, TileFormat, UnpackF16};
use cresset::engine::{SelfTest, Verdict};
use cresset::quant::Format;

fn matvec(lanes: u32, reduce: Reduce) -> MatvecShape {
    MatvecShape { lanes, outputs: 4, reduce, packed: false }
}

const TILES: MatmulShape = MatmulShape { tall: 4, numbers: TileFormat::F32 };

/// These shapes to choose from.
fn candidates(matvec: &[MatvecShape], matmul: &[MatmulShape]) -> Candidates {
    Candidates {
        matvec: matvec.to_vec(),
        matmul: matmul.to_vec(),
        unpack_f16: vec![UnpackF16::Native, UnpackF16::Bits],
    }
}

/// The golden model after a self-test, and how many steps that took.
fn tested(case: Case, self_test: SelfTest, kv: KvFormat) -> Result<(Engine, usize), Error> {
    tested_model(&model(), case, self_test, kv)
}

fn tested_model(model: &Variant, case: Case, self_test: SelfTest, kv: KvFormat) -> Result<(Engine, usize), Error> {
    let options =
        LoadOptions { device: case, kv, self_test: SelfTest { run: true, ..self_test }, ..LoadOptions::default() };
    let mut steps = 0;
    let mut on_progress =
        |progress: cresset::engine::LoadProgress| steps += usize::from(progress.status == "self-test");
    let engine = block_on(Engine::load(model.checkpoint().expect("a file"), &options, &mut on_progress))?;
    Ok((engine, steps))
}

fn demoted(engine: &Engine) -> Vec<(String, String)> {
    let variants = &engine.info()["variants"];
    let list = variants["demoted"].as_array().expect("a list");
    let text = |value: &Value| value.as_str().expect("text").to_string();
    list.iter().map(|d| (text(&d["variant"]), text(&d["reason"]))).collect()
}

#[test]
fn this_adapter_is_right() {
    let Some(case) = gpu() else { return };
    let device = block_on(Device::gpu()).expect("a device");
    let (candidates, software) = (Candidates::of(device.info(), Format::F32), device.info().software);
    let fresh = run(&mut engine(case), json!({ "temperature": 0 }));
    for kv in KvFormat::ALL {
        let (mut engine, steps) = tested(case, SelfTest::default(), kv).expect("an engine");
        let all = 1 + candidates.matvec.len() + candidates.matmul.len() + 1;
        assert_eq!(steps, if software { 1 } else { all });
        assert_eq!(demoted(&engine), [], "{kv:?}");
        let variants = engine.info()["variants"].clone();
        assert_eq!((&variants["proven"], &variants["kv"]), (&json!(true), &json!(kv.name())));
        if kv == KvFormat::F32 {
            assert_eq!(run(&mut engine, json!({ "temperature": 0 })), fresh);
        }
    }
}

#[test]
fn each_way_by_itself_gives_the_same_answer() {
    let Some(case) = gpu() else { return };
    let all = Candidates::of(block_on(Device::gpu()).expect("a device").info(), Format::F32);
    let fresh = run(&mut engine(case), json!({ "temperature": 0 }));
    let ways = all.matvec.iter().map(|&m| (m, TILES)).chain(all.matmul.iter().map(|&m| (matvec(1, Reduce::Alone), m)));
    for (matvec, matmul) in ways {
        let candidates = Some(candidates(&[matvec], &[matmul]));
        let (mut engine, _) =
            tested(case, SelfTest { candidates, ..SelfTest::default() }, KvFormat::F32).expect("right");
        let variants = engine.info()["variants"].clone();
        assert_eq!(variants["matvec"], matvec.to_string());
        assert_eq!(variants["matmul"], matmul.to_string());
        assert_eq!(run(&mut engine, json!({ "temperature": 0 })), fresh, "{variants}");
    }
}

/// The codes of quantised weights times x in 8 bits: each way is proved, and none is offered where weights have no codes.
#[test]
fn products_of_bytes_are_right() {
    let Some(case) = gpu() else { return };
    let info = block_on(Device::gpu()).expect("a device").info().clone();
    let packed = |format: Format| {
        let mut all = Candidates::of(&info, format);
        all.matvec.retain(|shape| shape.packed);
        all.matmul.retain(|shape| shape.numbers == TileFormat::Packed);
        all
    };
    assert!(packed(Format::F16).matvec.is_empty() && packed(Format::F16).matmul.is_empty());
    for (format, file) in [(Format::Q4_0, "q4_0"), (Format::Q8_0, "q8_0")] {
        let model = Variant::of(&format!("llama-gqa/{file}.gguf"));
        let candidates = packed(format);
        assert_eq!(candidates.matmul.len(), 2);
        for &shape in &candidates.matvec {
            let candidates = Some(Candidates { matvec: vec![shape], ..candidates.clone() });
            let self_test = SelfTest { candidates, ..SelfTest::default() };
            let (engine, _) = tested_model(&model, case, self_test, KvFormat::F16).expect("an engine");
            assert_eq!(demoted(&engine), []);
            let variants = &engine.info()["variants"];
            assert_eq!((&variants["matvec"], &variants["proven"]), (&json!(shape.to_string()), &json!(true)));
            assert_eq!(variants["matmul"], "packed ×4");
        }
    }
}

/// Of the ways in packed bytes only those like the best in numbers are tried: a visitor waits for each trial.
#[test]
fn bytes_are_tried_in_the_best_shape() {
    let Some(case) = gpu() else { return };
    let packed = |shape| MatvecShape { packed: true, ..shape };
    let (wrong, right) = (matvec(16, Reduce::Alone), matvec(16, Reduce::Workgroup));
    let shapes = [wrong, right, packed(matvec(1, Reduce::Alone)), packed(right)];
    let candidates = candidates(&shapes, &[TILES, MatmulShape { numbers: TileFormat::Packed, ..TILES }]);
    let self_test = SelfTest { candidates: Some(candidates), ..SelfTest::default() };
    let model = Variant::of("llama-gqa/q4_0.gguf");
    let (engine, steps) = tested_model(&model, case, self_test, KvFormat::F16).expect("an engine");
    // What is usual here; both shapes in numbers and one in bytes, both kinds of tiles, and the best of both together.
    assert_eq!(steps, 7);
    let names: Vec<String> = demoted(&engine).into_iter().map(|(variant, _)| variant).collect();
    assert_eq!(names, ["matvec, alone ×4"]);
    let chosen = engine.info()["variants"]["matvec"].clone();
    assert!(["workgroup 16×4", "packed, workgroup 16×4"].map(Value::from).contains(&chosen), "{chosen}");
}

/// A wrong one among them is found out like any other, though more is allowed for rounding.
#[test]
fn wrong_bytes_are_demoted() {
    let Some(case) = gpu() else { return };
    let packed = |lanes, reduce| MatvecShape { packed: true, ..matvec(lanes, reduce) };
    let candidates = candidates(&[packed(2, Reduce::Alone), packed(1, Reduce::Alone)], &[TILES]);
    let self_test = SelfTest { candidates: Some(candidates), ..SelfTest::default() };
    let model = Variant::of("llama-gqa/q4_0.gguf");
    let (engine, _) = tested_model(&model, case, self_test, KvFormat::F16).expect("an engine");
    let found = demoted(&engine);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].0 == "matvec, packed, alone ×4" && found[0].1.contains("% off in row 0"), "{found:?}");
    assert_eq!(engine.info()["variants"]["matvec"], "packed, alone ×4");
}

/// Lanes that are never reduced leave out most of each sum: such a kernel runs, and what it says is gibberish.
#[test]
fn a_wrong_way_is_demoted_and_named() {
    let Some(case) = gpu() else { return };
    let fresh = run(&mut engine(case), json!({ "temperature": 0 }));
    let wrong = matvec(16, Reduce::Alone);
    let candidates = Some(candidates(&[wrong, matvec(16, Reduce::Workgroup)], &[TILES]));
    let (mut engine, _) =
        tested(case, SelfTest { candidates, ..SelfTest::default() }, KvFormat::F32).expect("an engine");
    let found = demoted(&engine);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "matvec, alone ×4");
    assert!(found[0].1.contains("% off in row 0"), "{found:?}");
    assert_eq!(engine.info()["variants"]["matvec"], "workgroup 16×4");
    assert_eq!(run(&mut engine, json!({ "temperature": 0 })), fresh);
}

/// Subgroups that are smaller than the kernel was told are what a visitor's driver can really do to it.
#[test]
fn subgroups_that_are_smaller_than_they_said() {
    let Some(case) = gpu() else { return };
    let device = block_on(Device::gpu()).expect("a device");
    let Some(size @ 2..32) = device.info().subgroup_size else { return };
    let candidates = Some(candidates(&[matvec(32, Reduce::Subgroup), matvec(size, Reduce::Subgroup)], &[TILES]));
    let (engine, _) = tested(case, SelfTest { candidates, ..SelfTest::default() }, KvFormat::F32).expect("an engine");
    assert_eq!(demoted(&engine)[0].0, "matvec, subgroup 32×4");
    assert_eq!(engine.info()["variants"]["matvec"], format!("subgroup {size}×4"));
}

/// A device may take f16 numbers below the normal range for zero. Scales are so small in real files: there they are read from
/// their bits, with the same answer.
#[test]
fn flushed_scales_are_found_out() {
    let Some(case) = gpu() else { return };
    for file in ["llama-gqa/q4_0.gguf", "llama-mixed/mixed.gguf"] {
        let model = Variant::of(file);
        let self_test = |unpack_f16: &[UnpackF16]| {
            let mut candidates = candidates(&[matvec(1, Reduce::Alone)], &[TILES]);
            candidates.unpack_f16 = unpack_f16.to_vec();
            SelfTest { candidates: Some(candidates), ..SelfTest::default() }
        };
        let with = |unpack_f16: &[UnpackF16]| tested_model(&model, case, self_test(unpack_f16), KvFormat::F16);
        let (mut native, _) = with(&[UnpackF16::Native]).expect("right");
        let (mut mended, _) = with(&[UnpackF16::Flushed, UnpackF16::Bits]).expect("right");
        let found = demoted(&mended);
        assert!(found.len() == 1 && found[0].0 == "f16, flushed" && found[0].1.contains("% off"), "{found:?}");
        assert_eq!(mended.info()["variants"]["f16"], "by bits");
        let answers = [&mut native, &mut mended].map(|engine| run(engine, json!({ "temperature": 0 })));
        assert_eq!(answers[0], answers[1], "{file}");
        assert_eq!(with(&[UnpackF16::Flushed]).err().expect("a refusal").code(), "WEBGPU_UNAVAILABLE");
    }
}

/// Not only the format of most weights is proved: a file in which another one alone has small scales is found out as well.
#[test]
fn every_format_of_a_file_is_proved() {
    let Some(case) = gpu() else { return };
    let mut candidates = candidates(&[matvec(1, Reduce::Alone)], &[TILES]);
    candidates.unpack_f16 = vec![UnpackF16::Flushed, UnpackF16::Bits];
    let with = |model: &Variant| {
        let self_test = SelfTest { candidates: Some(candidates.clone()), ..SelfTest::default() };
        tested_model(model, case, self_test, KvFormat::F32).expect("an engine").0.info()["variants"]["f16"].clone()
    };
    // Numbers without scales are right either way; one matrix with scales is enough to be careful.
    let mut model = model();
    assert_eq!(with(&model), "flushed");
    let down = model.tensors.get_mut("blk.1.ffn_down.weight").expect("a matrix");
    let numbers: Vec<f32> = bytemuck::pod_collect_to_vec(&down.2);
    *down = (down.0.clone(), Format::Q4_0, Format::Q4_0.quantize(&numbers));
    assert_eq!(with(&model), "by bits");
}

#[test]
fn an_adapter_on_which_nothing_is_right_is_refused() {
    let Some(case) = gpu() else { return };
    let candidates = candidates(&[matvec(16, Reduce::Alone), matvec(32, Reduce::Alone)], &[TILES]);
    let self_test = SelfTest { candidates: Some(candidates), ..SelfTest::default() };
    let error = tested(case, self_test, KvFormat::F32).err().expect("a refusal");
    assert_eq!(error.code(), "WEBGPU_UNAVAILABLE");
    assert!(error.to_string().contains("computes wrongly") && error.to_string().contains("% off"), "{error}");
}

/// With a choice, the CPU computes then. An adapter that is software is not even tried.
#[test]
fn without_a_right_way_the_cpu_computes_and_says_why() {
    if gpu().is_none() {
        return;
    }
    let software = block_on(Device::gpu()).expect("a device").info().software;
    let candidates = candidates(&[matvec(16, Reduce::Alone)], &[TILES]);
    let self_test = SelfTest { candidates: Some(candidates), ..SelfTest::default() };
    let (engine, _) = tested(Case::Auto, self_test, KvFormat::F32).expect("an engine");
    let device = &engine.info()["device"];
    let (code, piece) = match software {
        true => ("software", "computes on the CPU"),
        false => ("wrong-results", "is not used: it computes wrongly"),
    };
    assert_eq!((&device["backend"], &device["reasonCode"]), (&json!("cpu"), &json!(code)));
    assert!(device["reason"].as_str().expect("a sentence").contains(piece), "{device}");
}

/// With a choice, a small model goes to the device that was measured to be faster for it, and says so.
#[test]
fn the_faster_device_is_taken() {
    if gpu().is_none() {
        return;
    }
    let (engine, _) = tested(Case::Measured, SelfTest::default(), KvFormat::F32).expect("an engine");
    let verdict = serde_json::to_value(engine.verdict().expect("a verdict")).expect("plain data");
    for (device, field) in ["gpu", "cpu"].into_iter().flat_map(|d| ["weight", "row", "dispatch"].map(|f| (d, f))) {
        let seconds = verdict["paces"][device][field].as_f64().expect("a number");
        assert!((0.0..1.0).contains(&seconds), "{device} {field}: {seconds}");
    }
    let with = |gpu_dispatch: f64, case| {
        let mut verdict = verdict.clone();
        let pace = |dispatch| json!({ "weight": 1e-9, "row": 1e-9, "dispatch": dispatch, "wait": 0.0 });
        verdict["paces"] = json!({ "gpu": pace(gpu_dispatch), "cpu": pace(1e-6) });
        let options = LoadOptions::parse(&json!({ "selfTest": true, "verdicts": [verdict] })).expect("options");
        let (mut engine, steps) = tested(case, options.self_test, KvFormat::F32).expect("an engine");
        assert_eq!(steps, 0, "it was known");
        let answer = run(&mut engine, json!({ "temperature": 0 }));
        (engine.info()["device"].clone(), answer)
    };
    let (slow, answer) = with(1e-2, Case::Measured);
    assert_eq!((&slow["backend"], &slow["reasonCode"]), (&json!("cpu"), &json!("slower")));
    let reason = slow["reason"].as_str().expect("a sentence");
    assert!(reason.starts_with("the CPU computes this model faster: an answer of 128 tokens"), "{reason}");
    let (fast, same) = with(1e-7, Case::Measured);
    assert_ne!(fast["backend"], "cpu");
    assert_eq!(fast.get("reasonCode"), None);
    assert_eq!(answer, same);
    // Who insists on the GPU gets it.
    assert_ne!(with(1e-2, gpu().expect("a GPU")).0["backend"], "cpu");
}

#[test]
fn a_verdict_is_kept_for_the_same_adapter_and_build() {
    let Some(case) = gpu() else { return };
    let (engine, _) = tested(case, SelfTest::default(), KvFormat::F32).expect("an engine");
    let verdict = serde_json::to_value(engine.verdict().expect("a verdict")).expect("plain data");
    let with = |verdict: Value, kv| {
        let options = json!({ "selfTest": true, "verdicts": [{ "of": "another build" }, verdict] });
        tested(case, LoadOptions::parse(&options).expect("options").self_test, kv).expect("an engine")
    };
    let (again, steps) = with(verdict.clone(), KvFormat::F32);
    assert_eq!(steps, 0);
    assert_eq!(again.info()["variants"], engine.info()["variants"]);
    let (_, steps) = with(verdict.clone(), KvFormat::F16);
    assert!(steps > 0, "other kernels");
    for (field, value) in [("key", json!("another")), ("tuning", json!({ "lanes": 7 }))] {
        let mut other = verdict.clone();
        other[field] = value;
        assert!(with(other, KvFormat::F32).1 > 0, "{field}");
    }
    let mut forged = verdict;
    forged["tuning"]["matvec"]["lanes"] = json!(0);
    assert!(with(forged, KvFormat::F32).1 > 0, "no such shape");
    assert!(serde_json::from_value::<Verdict>(json!({})).is_err());
}

#[test]
fn without_a_self_test_nothing_is_claimed() {
    let Some(case) = gpu() else { return };
    let variants = engine(case).info()["variants"].clone();
    assert_eq!(variants["proven"], false);
    assert!(variants.get("demoted").is_none());
    assert!(engine(cpu()).info()["variants"].get("matvec").is_none());
}
