//! Speech models: tiny ones against Hugging Face transformers (`tests/golden/speech.py`), requests, odd recordings; and real
//! Whisper, where its weights are (`CRESSET_WHISPER`), against what transformers hears.

use crate::support::skip::skipped;
use crate::support::{Case, close, cpu, floats, gpu, ids, json, open};
use cresset::device::KvFormat;
use cresset::engine::{Engine, SpeechTask, never_yield};
use cresset::speech::TranscribeOptions;
use pollster::block_on;
use serde_json::{Value, json};
use std::f64::consts::TAU;
use std::path::{Path, PathBuf};

const RATE: usize = 16_000;

/// As `speech.py` makes it: three tones that swell, and a click.
pub fn sound(seconds: f64) -> Vec<f32> {
    let samples = (seconds * RATE as f64) as usize;
    let sample = |i: usize| {
        let t = i as f64 / RATE as f64;
        let tones = [220.0, 1234.5, 5000.0].iter().enumerate();
        let sum: f64 = tones.map(|(k, hertz)| (TAU * hertz * t).sin() * t / (k + 1) as f64).sum();
        (sum / 8.0 + if i == 4000 { 0.5 } else { 0.0 }) as f32
    };
    (0..samples).map(sample).collect()
}

fn tiny(folder: &str, device: Case) -> Engine {
    open(Path::new(&format!("tests/golden/speech/{folder}/model.safetensors")), device, KvFormat::F32)
}

fn transcribe(engine: &mut Engine, request: Value, sound: &[f32]) -> cresset::Result<Value> {
    block_on(engine.transcribe(&request, SpeechTask::Transcribe, sound, &mut |_| (), &never_yield))
}

fn as_transformers(device: Case) {
    for folder in ["whisper", "whisper-128"] {
        let expected = json(Path::new(&format!("tests/golden/speech/{folder}/expected.json")));
        let sound = sound(expected["seconds"].as_f64().expect("seconds"));
        let mut engine = tiny(folder, device);
        let transcriber = engine.transcriber().expect("a speech model");
        let opening = ids(&expected["ids"]);
        let got = block_on(transcriber.logits_after(&sound, &opening, &never_yield)).expect("logits");
        let want: Vec<f32> = expected["logits"].as_array().expect("rows").iter().flat_map(floats).collect();
        close(&got, &want, 1e-3, &format!("{folder}: logits"));

        let aligned = &expected["alignment"];
        let [opening, said] = ["opening", "said"].map(|key| ids(&aligned[key]));
        let got = block_on(transcriber.align_known(&sound, &opening, &said, &never_yield)).expect("an alignment");
        let want: Vec<f32> = aligned["weights"].as_array().expect("rows").iter().flat_map(floats).collect();
        close(&got.weights, &want, 1e-3, &format!("{folder}: alignment"));
        // Where a little noise would change the way, the reference says null.
        let sure = aligned["ticks"].as_array().expect("ticks").iter().zip(&got.ticks[1..]);
        for (i, (want, got)) in sure.enumerate().filter(|(_, (want, _))| !want.is_null()) {
            assert_eq!(json!(got), *want, "{folder}: where id {i} ends");
        }

        let language = transcriber.ids.languages.iter().find(|(code, _)| code == "de").map(|(_, id)| *id);
        let options = TranscribeOptions { language, temperature: Some(0.0), ..TranscribeOptions::default() };
        let heard = block_on(transcriber.transcribe(&sound, &options, &mut |_, _, _| (), &never_yield));
        let heard: Vec<u32> = heard.expect("a transcript").segments.into_iter().flat_map(|it| it.ids).collect();
        let want = ids(&expected["heard"]);
        assert!(want.len() > 10, "{folder}: something is heard");
        assert_eq!(heard[..want.len()], want, "{folder}: greedy ids");
    }
}

#[test]
fn as_transformers_on_the_cpu() {
    as_transformers(cpu());
}

#[test]
fn as_transformers_on_the_gpu() {
    if let Some(gpu) = gpu() {
        as_transformers(gpu);
    }
}

/// whisper.cpp's file of the same weights.
#[test]
fn the_same_from_a_file_of_whisper_cpp() {
    let expected = json(Path::new("tests/golden/speech/whisper/expected.json"));
    let sound = sound(expected["seconds"].as_f64().expect("seconds"));
    let mut engine = open(Path::new("tests/golden/speech/ggml-whisper.bin"), cpu(), KvFormat::F32);
    let transcriber = engine.transcriber().expect("a speech model");
    let got = block_on(transcriber.logits_after(&sound, &ids(&expected["ids"]), &never_yield)).expect("logits");
    let want: Vec<f32> = expected["logits"].as_array().expect("rows").iter().flat_map(floats).collect();
    close(&got, &want, 1e-3, "logits");
    let request = json!({
        "response_format": "verbose_json", "timestamp_granularities": ["word"], "language": "zh", "prompt": "so it is",
    });
    let timed = transcribe(&mut engine, request, &sound).expect("a transcript");
    assert!(timed["words"].as_array().is_some_and(|words| !words.is_empty()), "{timed}");
}

/// Several windows, each with its times; what streams says the same.
#[test]
fn a_recording_of_several_windows() {
    let mut engine = tiny("whisper", cpu());
    let sound = sound(7.3);
    let request = json!({ "response_format": "verbose_json", "temperature": 0 });
    let whole = transcribe(&mut engine, request, &sound).expect("a transcript");
    assert_eq!(whole["duration"], 7.3);
    let segments = whole["segments"].as_array().expect("passages");
    assert!(segments.len() > 1, "{whole}");
    let request = json!({
        "response_format": "verbose_json", "temperature": 0, "timestamp_granularities": ["word", "segment"],
    });
    let timed = transcribe(&mut engine, request, &sound).expect("a transcript with words");
    assert_eq!((&timed["text"], &timed["segments"]), (&whole["text"], &whole["segments"]), "words change nothing else");
    let (mut words, mut end) = (String::new(), 0.0);
    for word in timed["words"].as_array().expect("words") {
        words += word["word"].as_str().expect("text");
        assert!(word["end"].as_f64() >= word["start"].as_f64() && word["end"].as_f64() <= Some(7.3), "{word}");
        assert!(word["start"].as_f64() >= Some(end), "no word begins before the one before it ends: {word}");
        end = word["end"].as_f64().expect("seconds");
    }
    let without_spaces = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(without_spaces(&words), without_spaces(whole["text"].as_str().expect("text")));

    let mut last = 0.0;
    for segment in segments {
        let [start, end] = ["start", "end"].map(|key| segment[key].as_f64().expect("seconds"));
        assert!(start >= last - 2.0 && end >= start && end <= 9.4, "{segment}");
        last = end;
    }
    let mut text = String::new();
    let mut events = Vec::new();
    let request = json!({ "stream": true, "temperature": 0 });
    let mut on_chunk = |chunk: Value| events.push(chunk);
    block_on(engine.transcribe(&request, SpeechTask::Transcribe, &sound, &mut on_chunk, &never_yield)).expect("events");
    let done = events.pop().expect("an end");
    for event in &events {
        assert_eq!(event["type"], "transcript.text.delta");
        text += event["delta"].as_str().expect("text");
    }
    assert_eq!((&done["type"], done["text"].as_str()), (&json!("transcript.text.done"), Some(text.trim())));
    assert_eq!(done["text"], whole["text"]);
}

#[test]
fn silence_has_no_words_and_odd_recordings_are_named() {
    let mut engine = tiny("whisper", cpu());
    for seconds in [1, 9] {
        let silence = transcribe(&mut engine, json!({ "response_format": "verbose_json" }), &vec![0.0; seconds * RATE]);
        let silence = silence.expect("a transcript");
        assert_eq!(
            (&silence["text"], &silence["segments"], &silence["language"]),
            (&json!(""), &json!([]), &json!(null))
        );
    }
    let refused: [(Value, Vec<f32>, &str); 5] = [
        (json!({}), vec![], "no sound"),
        (json!({}), vec![0.5, f32::NAN], "no numbers"),
        (json!({ "language": "fr" }), vec![0.1; 900], "does not know"),
        (json!({ "language": "Klingon" }), vec![0.1; 900], "Klingon"),
        (json!({ "response_format": "docx" }), vec![0.1; 900], "docx"),
    ];
    for (request, sound, piece) in refused {
        let error = transcribe(&mut engine, request, &sound).expect_err(piece);
        assert!(error.code() == "INVALID_REQUEST" && error.to_string().contains(piece), "{error}");
    }
    // It is still usable; a single sample is a recording.
    transcribe(&mut engine, json!({}), &[0.1]).expect("a transcript");
    let error =
        block_on(engine.complete(&json!({ "prompt": "a" }), &mut |_| (), &never_yield)).expect_err("no text model");
    assert_eq!(error.code(), "INVALID_REQUEST");
    let mut text = open(Path::new("tests/golden/llama-gqa/f32.gguf"), cpu(), KvFormat::F16);
    let error = transcribe(&mut text, json!({}), &[0.1]).expect_err("no speech model");
    assert!(error.to_string().contains("speech model"), "{error}");
}

/// The samples of a WAV file of 16 bits, one channel, 16,000 a second.
fn wav(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let data = bytes.windows(4).position(|tag| tag == b"data").expect("samples") + 8;
    bytes[data..].chunks_exact(2).map(|two| f32::from(i16::from_le_bytes([two[0], two[1]])) / 32768.0).collect()
}

/// Word for word what transformers hears in `shared/data/audio/sentences`, and translated into English.
#[test]
fn real_whisper_hears_what_transformers_hears() {
    let (Some(weights), Some(shared)) = (std::env::var_os("CRESSET_WHISPER"), std::env::var_os("CRESSET_SHARED"))
    else {
        return skipped("real Whisper (CRESSET_WHISPER is the folder with whisper-tiny.en and whisper-base)");
    };
    let sentences = PathBuf::from(shared).join("data/audio/sentences");
    let expected = json(&sentences.join("expected.json"));
    // (model, what it hears, task, each so-maniest sentence)
    let runs = [
        ("tiny.en", "tiny.en", SpeechTask::Transcribe, 4),
        ("base", "base", SpeechTask::Transcribe, 7),
        ("base", "base_translated", SpeechTask::Translate, 4),
    ];
    for (model, key, task, step) in runs {
        let path = PathBuf::from(&weights).join(format!("whisper-{model}/model.safetensors"));
        let mut engine = open(&path, cpu(), KvFormat::F16);
        let all = expected.as_object().expect("sentences").iter().filter(|(_, row)| row[key].is_string());
        for (name, row) in all.step_by(step) {
            let sound = wav(&sentences.join(format!("{name}.wav")));
            let answer = block_on(engine.transcribe(&json!({}), task, &sound, &mut |_| (), &never_yield));
            assert_eq!(answer.expect("a transcript")["text"], row[key], "{model}: {name}");
        }
    }
}

/// Each word within 0.2 s of where transformers' pipeline hears it (`tests/golden/words.py`).
#[test]
fn real_whisper_times_words_as_transformers() {
    let (Some(weights), Some(shared)) = (std::env::var_os("CRESSET_WHISPER"), std::env::var_os("CRESSET_SHARED"))
    else {
        return skipped("real Whisper's words (CRESSET_WHISPER is the folder with whisper-tiny.en and whisper-base)");
    };
    let sentences = PathBuf::from(shared).join("data/audio/sentences");
    let expected = json(Path::new("tests/golden/speech/words.json"));
    let request = json!({ "response_format": "verbose_json", "timestamp_granularities": ["word"], "temperature": 0 });
    for model in ["tiny.en", "base"] {
        let path = PathBuf::from(&weights).join(format!("whisper-{model}/model.safetensors"));
        let mut engine = open(&path, cpu(), KvFormat::F16);
        for (name, want) in expected[model].as_object().expect("sentences").iter().step_by(6) {
            let answer = transcribe(&mut engine, request.clone(), &wav(&sentences.join(format!("{name}.wav"))));
            let answer = answer.expect("a transcript");
            let (got, want) = (answer["words"].as_array().expect("words"), want.as_array().expect("words"));
            assert!(
                got.iter().map(|word| &word["word"]).eq(want.iter().map(|word| &word[0])),
                "{model}: {name}: {answer}"
            );
            for (got, want) in got.iter().zip(want) {
                for (key, want) in [("start", &want[1]), ("end", &want[2])] {
                    let apart = got[key].as_f64().expect("seconds") - want.as_f64().expect("seconds");
                    assert!(apart.abs() <= 0.2, "{model}: {name}: {got}, {key} {want}");
                }
            }
        }
    }
}
