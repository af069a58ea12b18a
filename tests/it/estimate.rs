//! What the engine says of a catalogue's models before a byte of them is read, beside what it says of files.

use crate::support;
use cresset::engine::{DeviceChoice, LoadOptions, estimate, probe};
use cresset::quant::Format;
use cresset::weights::{Checkpoint, Files, GgufWriter, LocalBoxFuture, Source};
use pollster::block_on;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

fn options(device: DeviceChoice, context: Option<usize>) -> LoadOptions {
    LoadOptions { device, context, ..LoadOptions::default() }
}

/// The rows of the page's catalogue.
fn catalogue() -> Vec<Value> {
    serde_json::from_str(include_str!("../../www/models/hub.json")).expect("rows")
}

/// The devices that are here.
fn devices() -> Vec<DeviceChoice> {
    let gpu = support::gpu().map(|_| DeviceChoice::Gpu);
    gpu.into_iter().chain([DeviceChoice::Cpu]).collect()
}

/// Measures that give round speeds: a weight takes 0.1 ns, a dispatch 10 μs.
fn measured(device: Value) -> Value {
    let pace = json!({ "weight": 1e-10, "dispatch": 1e-5 });
    json!({ "device": device, "paces": { "q4_0": pace, "q4_k": pace, "q8_0": pace } })
}

fn device_of(choice: DeviceChoice) -> Value {
    block_on(estimate(&json!({ "models": [] }), &options(choice, None))).expect("an answer")["device"].clone()
}

/// A file of which the header is kept; all that follows is zeros.
struct Sparse {
    head: Vec<u8>,
    len: u64,
}

impl Source for Sparse {
    fn name(&self) -> &str {
        "sparse.gguf"
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, len: usize) -> LocalBoxFuture<'_, cresset::Result<Vec<u8>>> {
        let head = self.head.get(offset as usize..).unwrap_or_default();
        let mut bytes = head[..len.min(head.len())].to_vec();
        bytes.resize(len, 0);
        Box::pin(std::future::ready(Ok(bytes)))
    }
}

/// Keeps what is written first, counts the rest.
#[derive(Default)]
struct Head(Rc<RefCell<(Vec<u8>, u64)>>);

impl Write for Head {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (head, len) = &mut *self.0.borrow_mut();
        head.extend_from_slice(&bytes[..bytes.len().min((1 << 20) - head.len())]);
        *len += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A llama of this shape whose weights are nothing but zeros.
fn llama(shape: &Value, format: Format) -> Sparse {
    let size = |name: &str| shape[name].as_u64().expect("a size") as usize;
    let [width, hidden, head, vocabulary] = ["dModel", "dFfn", "headDim", "vocabulary"].map(size);
    let [layers, heads, kv_heads] = ["nLayers", "nHeads", "nKvHeads"].map(size);
    let mut writer =
        GgufWriter::new().set("general.architecture", "llama").set("llama.attention.layer_norm_rms_epsilon", 1e-5f32);
    for (key, value) in [
        ("block_count", layers),
        ("context_length", size("context")),
        ("embedding_length", width),
        ("feed_forward_length", hidden),
        ("attention.head_count", heads),
        ("attention.head_count_kv", kv_heads),
        ("attention.key_length", head),
        ("attention.value_length", head),
        ("rope.dimension_count", head),
    ] {
        writer = writer.set(format!("llama.{key}"), value as u32);
    }
    let zeros = |format: Format, shape: &[usize]| {
        let len = format.row_bytes(shape[shape.len() - 1]).expect("whole blocks")
            * shape[..shape.len() - 1].iter().product::<usize>();
        move |out: &mut dyn Write| {
            let piece = vec![0; 1 << 20];
            for start in (0..len).step_by(piece.len()) {
                out.write_all(&piece[..piece.len().min(len - start)]).expect("a sink");
            }
            Ok(())
        }
    };
    let mut tensors =
        vec![("token_embd".to_string(), vec![vocabulary, width]), ("output_norm".to_string(), vec![width])];
    for layer in 0..layers {
        tensors.extend(
            [
                ("attn_norm", vec![width]),
                ("ffn_norm", vec![width]),
                ("attn_q", vec![heads * head, width]),
                ("attn_k", vec![kv_heads * head, width]),
                ("attn_v", vec![kv_heads * head, width]),
                ("attn_output", vec![width, heads * head]),
                ("ffn_gate", vec![hidden, width]),
                ("ffn_up", vec![hidden, width]),
                ("ffn_down", vec![width, hidden]),
            ]
            .map(|(name, shape)| (format!("blk.{layer}.{name}"), shape)),
        );
    }
    for (name, shape) in &tensors {
        let format = if shape.len() == 1 { Format::F32 } else { format };
        writer = writer.tensor_made(format!("{name}.weight"), shape, format, zeros(format, shape));
    }
    let file = Head::default();
    let written = file.0.clone();
    writer.write(file).expect("a sink");
    let (head, len) = written.take();
    Sparse { head, len }
}

#[test]
fn a_row_is_judged_as_a_file_of_its_shape() {
    for choice in devices() {
        let options = options(choice, Some(256));
        let device = device_of(choice);
        let mut compared = 0;
        for mut row in catalogue() {
            let format = Format::from_name(row["quantization"].as_str().expect("a name")).expect("a format");
            let whole_blocks = |name: &str| row["shape"][name].as_u64().expect("a size").is_multiple_of(256);
            if !whole_blocks("dModel") || !whole_blocks("dFfn") {
                continue;
            }
            let file = llama(&row["shape"], format);
            row["downloadBytes"] = json!(file.len);
            let about = Files::new(vec![Box::new(file)]);
            let about = block_on(async { probe(&Checkpoint::open(about).await?, &options).await }).expect("an answer");
            let request = json!({ "models": [row], "measured": measured(device.clone()) });
            let answer = block_on(estimate(&request, &options)).expect("an answer");
            let estimated = &answer["models"][0];
            for field in ["fits", "contextLength"] {
                assert_eq!(estimated[field], about[field], "{} {field}", row["name"]);
            }
            assert_eq!(estimated["errors"][0]["code"], about["errors"][0]["code"], "{}", row["name"]);
            let [said, read] = [estimated, &about].map(|a| a["deviceBytes"].as_f64().expect("bytes"));
            assert!((said / read - 1.0).abs() < 0.02, "{}: {said} and {read} bytes", row["name"]);
            assert_eq!(estimated["estimatedTokensPerSecond"].is_null(), about["estimatedTokensPerSecond"].is_null());
            compared += 1;
        }
        assert!(compared >= 10, "{compared} rows");
    }
}

#[test]
fn the_catalogue_says_what_its_models_take() {
    let Some(choice) = devices().into_iter().find(|choice| *choice == DeviceChoice::Gpu) else { return };
    let rows = catalogue();
    let request = json!({ "models": rows, "measured": measured(device_of(choice)) });
    let answer = block_on(estimate(&request, &options(choice, None))).expect("an answer");
    let models = answer["models"].as_array().expect("models");
    let bytes = |rows: &[Value]| rows.iter().map(|row| row["deviceBytes"].clone()).collect::<Vec<_>>();
    assert_eq!(bytes(&rows), bytes(models), "what hub.json says, and what is right");
    for (row, estimated) in rows.iter().zip(models) {
        assert_eq!(estimated["contextLength"], json!(row["shape"]["context"].as_u64().expect("a size").min(4096)));
    }
}

#[test]
fn a_measure_of_the_same_device_is_used_again() {
    let shape = json!({ "dModel": 512, "nLayers": 10, "nHeads": 8, "nKvHeads": 2, "headDim": 64, "dFfn": 1536, "vocabulary": 1000, "context": 2048 });
    let model =
        |quantization: &str| json!({ "shape": shape, "quantization": quantization, "downloadBytes": 40_000_000 });
    let cpu = options(DeviceChoice::Cpu, None);
    let ask = |request: Value, options: &LoadOptions| block_on(estimate(&request, options)).expect("an answer");
    let here = measured(device_of(DeviceChoice::Cpu));
    let kept = ask(json!({ "models": [model("q8_0")], "measured": here }), &cpu);
    // Ten blocks of 512·64·20 + 3·512·1536 weights, 1000·512 of the output, 53 dispatches.
    let weights = 10.0 * (512.0 * 64.0 * 20.0 + 3.0 * 512.0 * 1536.0) + 512_000.0;
    let speed = (10.0f64 / (1e-10 * weights + 53.0 * 1e-5)).round() / 10.0;
    assert_eq!(kept["models"][0]["estimatedTokensPerSecond"], json!(speed));
    assert_eq!(kept["paces"], here["paces"], "nothing was measured again");
    // Another device, or nothing that can be read: measured, and only what the rows need.
    for other in [
        measured(json!({ "backend": "webgpu" })),
        json!({ "device": device_of(DeviceChoice::Cpu), "paces": 3 }),
        Value::Null,
    ] {
        let answer = ask(json!({ "models": [model("q8_0")], "measured": other }), &cpu);
        assert_eq!(answer["paces"].as_object().expect("paces").keys().collect::<Vec<_>>(), ["q8_0"]);
        assert_ne!(answer["paces"]["q8_0"], here["paces"]["q8_0"]);
    }
    // A longer context takes more memory: the cache of keys and values in halves.
    let bytes = |context| {
        ask(json!({ "models": [model("q8_0")], "measured": here }), &options(DeviceChoice::Cpu, Some(context)))["models"][0]["deviceBytes"].as_u64()
    };
    assert_eq!(bytes(2048).zip(bytes(1024)).map(|(more, less)| more - less), Some(2 * 10 * 2 * 64 * 2 * 1024));
}

#[test]
fn what_cannot_be_estimated_says_why() {
    let shape = json!({ "dModel": 512, "nLayers": 2, "nHeads": 8, "nKvHeads": 2, "headDim": 64, "dFfn": 1536, "vocabulary": 1000, "context": 128 });
    let model =
        |quantization: &str| json!({ "shape": shape, "quantization": quantization, "downloadBytes": 4_000_000 });
    let request = json!({ "models": [model("iq9_z"), model("q8_0")], "measured": null });
    let answer = block_on(estimate(&request, &options(DeviceChoice::Cpu, Some(256)))).expect("an answer");
    let codes = |at: usize| {
        answer["models"][at]["errors"].as_array().expect("errors").iter().map(|e| e["code"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(codes(0), ["MODEL_UNSUPPORTED", "INVALID_REQUEST"], "neither the format nor so long a context");
    assert_eq!(codes(1), ["INVALID_REQUEST"]);
    assert_eq!(answer["models"][1]["reason"], "contextLength: is 256, but the model was made for 128 tokens");
    assert_eq!(answer["paces"], json!({}));
    for models in [
        json!(null),
        json!(3),
        json!([3]),
        json!([{}]),
        json!([{ "shape": {}, "quantization": "q8_0", "downloadBytes": 1 }]),
        json!([model("q8_0"), "x"]),
    ] {
        let error =
            block_on(estimate(&json!({ "models": models }), &options(DeviceChoice::Cpu, None))).expect_err("no rows");
        assert_eq!(error.code(), "INVALID_REQUEST", "{models}");
    }
    let mut huge = model("q8_0");
    huge["shape"]["nHeads"] = json!(u32::MAX);
    huge["downloadBytes"] = json!(u64::MAX);
    let error = block_on(estimate(&json!({ "models": [huge.clone()] }), &options(DeviceChoice::Cpu, None)))
        .expect_err("no model");
    assert_eq!(error.code(), "INVALID_REQUEST");
    for size in ["dModel", "nLayers", "nHeads", "nKvHeads", "headDim", "dFfn", "vocabulary", "context"] {
        huge["shape"][size] = json!(1 << 28);
    }
    let answer =
        block_on(estimate(&json!({ "models": [huge] }), &options(DeviceChoice::Cpu, None))).expect("an answer");
    assert_eq!(answer["models"][0]["deviceBytes"], json!(u64::MAX));
}
