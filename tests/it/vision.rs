//! Encoders of pictures: tiny ones against Hugging Face transformers (`tests/golden/vision.py`), odd pictures and requests; and real
//! DINOv2-small, where its weights are (`CRESSET_DINOV2`).

use crate::support::folder::Folder;
use crate::support::skip::skipped;
use crate::support::variant::Variant;
use crate::support::{Case, close, cpu, floats, gpu, ids, json, open};
use cresset::device::KvFormat;
use cresset::engine::{Engine, LoadOptions, never_yield, probe};
use cresset::models::eyes_of;
use cresset::pictures::Picture;
use cresset::weights::{Checkpoint, open_path};
use pollster::block_on;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// As `vision.py` makes it: waves of three colours.
pub fn picture(width: usize, height: usize) -> Picture {
    let mut rgba = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let colours = [x * x + 3 * y, x * y + 5 * x, 7 * x + y * y].map(|wave| (wave % 256) as u8);
            rgba.extend(colours);
            rgba.push(255);
        }
    }
    Picture::from_rgba(width, height, &rgba).expect("a picture")
}

fn embed(engine: &mut Engine, request: Value, pictures: &[Picture]) -> cresset::Result<Value> {
    block_on(engine.embed_with(&request, pictures, &never_yield))
}

fn as_transformers(engine: &mut Engine, expected: &Value, what: &str) {
    let expected = expected["pictures"].as_array().expect("pictures");
    let size = |of: &Value| ["width", "height"].map(|key| of[key].as_u64().expect("pixels") as usize);
    let pictures: Vec<Picture> = expected.iter().map(size).map(|[width, height]| picture(width, height)).collect();
    let request = json!({ "input": [{ "image": 0 }, { "image": 1 }], "normalize": false });
    let answer = embed(engine, request, &pictures).expect("vectors");
    for (got, want) in answer["data"].as_array().expect("a list").iter().zip(expected) {
        close(&floats(&got["embedding"]), &floats(&want["vector"]), 1e-3, &format!("{what}, picture {}", got["index"]));
    }
    // One picture by itself, at unit length.
    let answer = embed(engine, json!({ "input": { "image": 1 } }), &pictures).expect("a vector");
    let (got, want) = (floats(&answer["data"][0]["embedding"]), floats(&expected[1]["vector"]));
    let length = want.iter().map(|x| x * x).sum::<f32>().sqrt();
    close(&got, &want.iter().map(|x| x / length).collect::<Vec<_>>(), 1e-3, what);
}

fn tiny(folder: &str, device: Case) -> Engine {
    open(Path::new(&format!("tests/golden/vision/{folder}/model.safetensors")), device, KvFormat::F32)
}

fn tiny_ones_as_transformers(device: Case) {
    for folder in ["dinov2", "siglip"] {
        let expected = json(Path::new(&format!("tests/golden/vision/{folder}/expected.json")));
        as_transformers(&mut tiny(folder, device), &expected, folder);
    }
}

#[test]
fn tiny_ones_on_the_cpu() {
    tiny_ones_as_transformers(cpu());
}

#[test]
fn tiny_ones_on_the_gpu() {
    if let Some(gpu) = gpu() {
        tiny_ones_as_transformers(gpu);
    }
}

/// Models that read and see (`tests/golden/eyes.py`).
const EYES: [&str; 4] = ["smolvlm", "gemma3", "llava", "llava-qwen2"];

/// The chats of one of them: the prompt's ids, what stands behind it, the greedy answer; then a picture's share of the cache.
fn chats_as_transformers(name: &str, path: &str, device: Case) {
    let mut engine = open(Path::new(path), device, KvFormat::F32);
    let expected = json(Path::new(&format!("tests/golden/vision/{name}/expected.json")));
    for chat in expected["chats"].as_array().expect("chats") {
        let (request, pictures) = request_of(chat);
        let answer = block_on(engine.chat_with(&request, &pictures, &mut |_| (), &never_yield)).expect("an answer");
        assert_eq!(answer["usage"]["prompt_tokens"], ids(&chat["ids"]).len(), "{path}: {answer}");
        // A vocabulary of the test's own may lack the token of pictures: their text is then no ids of theirs.
        if path.contains(name) {
            let counted = engine.tokenize(&prompt_of(&engine, &request, &pictures)).expect("ids");
            assert_eq!(counted, ids(&chat["ids"]), "{path}");
        }
        let mut logits = floats(&chat["logits"]);
        logits.sort_by(|a, b| b.total_cmp(a));
        let sum = logits.iter().map(|z| z.exp()).sum::<f32>().ln();
        let top = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"].as_array().expect("the likeliest");
        let top: Vec<f32> = top.iter().map(|top| top["logprob"].as_f64().expect("a number") as f32).collect();
        close(&top, &logits[..5].iter().map(|z| z - sum).collect::<Vec<_>>(), 1e-3, path);
        assert_eq!(ids(&answer["choices"][0]["token_ids"]), ids(&chat["answer"]), "{path}: {chat}");
        // The same picture again is in the cache with its prompt; another one of the same size is not.
        let again = block_on(engine.chat_with(&request, &pictures, &mut |_| (), &never_yield)).expect("an answer");
        assert_eq!(again["choices"][0]["token_ids"], answer["choices"][0]["token_ids"]);
        let cached =
            |answer: &Value| answer["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().expect("a number");
        assert_eq!(cached(&again), ids(&chat["ids"]).len() as u64 - 1);
        if let Some(first) = pictures.first() {
            let mut others = pictures.clone();
            others[0].pixels.iter_mut().for_each(|colour| *colour = 255 - *colour);
            assert_ne!(others[0].hash(), first.hash());
            let other = block_on(engine.chat_with(&request, &others, &mut |_| (), &never_yield)).expect("an answer");
            let all = ids(&chat["ids"]);
            let before = all.windows(4).position(|ids| ids.iter().all(|id| *id == ids[0])).expect("a picture");
            assert!(cached(&other) <= before as u64, "{path}: {other}");
            assert_ne!(other["choices"][0]["logprobs"], answer["choices"][0]["logprobs"]);
        }
    }
}

/// The prompt as it is counted, by the pictures' sizes alone.
fn prompt_of(engine: &Engine, request: &Value, pictures: &[Picture]) -> String {
    let mut messages = request["messages"].as_array().expect("messages").clone();
    for part in messages[0]["content"].as_array_mut().expect("parts") {
        if let Some(at) = part["image_url"]["picture"].as_u64() {
            let Picture { width, height, .. } = pictures[at as usize];
            part["image_url"] = json!({ "width": width, "height": height });
        }
    }
    engine.apply_chat_template(&messages, &json!({})).expect("a prompt")
}

fn request_of(chat: &Value) -> (Value, Vec<Picture>) {
    let sizes = chat["sizes"].as_array().expect("sizes").iter();
    let pictures = sizes.map(|size| picture(ids(size)[0] as usize, ids(size)[1] as usize)).collect();
    let mut next = 0;
    let part = |part: &Value| match part.as_str().expect("a part") {
        "image" => {
            next += 1;
            json!({ "type": "image_url", "image_url": { "picture": next - 1 } })
        }
        text => json!({ "type": "text", "text": text }),
    };
    let parts: Vec<Value> = chat["parts"].as_array().expect("parts").iter().map(part).collect();
    let request = json!({
        "messages": [{ "role": "user", "content": parts }], "temperature": 0, "max_tokens": 12, "ignore_eos": true,
        "return_token_ids": true, "logprobs": true, "top_logprobs": 5,
    });
    (request, pictures)
}

/// Its half that sees comes from the same file, or from a projector beside it.
#[test]
fn chats_about_pictures_on_the_cpu() {
    for name in EYES {
        chats_as_transformers(name, &format!("tests/golden/vision/{name}/model.safetensors"), cpu());
        if Path::new(&format!("tests/golden/vision/{name}/mmproj.gguf")).exists() {
            chats_as_transformers(name, &format!("tests/golden/vision/{name}"), cpu());
        }
    }
}

#[test]
fn chats_about_pictures_on_the_gpu() {
    if let Some(gpu) = gpu() {
        for name in EYES {
            chats_as_transformers(name, &format!("tests/golden/vision/{name}/model.safetensors"), gpu);
        }
    }
}

/// As LLaVA's in GGUF: the vocabulary has no token for what stands in a picture's place.
#[test]
fn a_vocabulary_without_a_token_for_pictures() {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir("tests/golden/vision/llava").expect("files").flatten() {
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("a copy");
    }
    let path = folder.path().join("tokenizer.json");
    let mut tokenizer = json(&path);
    tokenizer["added_tokens"].as_array_mut().expect("tokens").retain(|token| token["content"] != "<image>");
    std::fs::write(&path, tokenizer.to_string()).expect("a file");
    chats_as_transformers("llava", folder.path().to_str().expect("a path"), cpu());
}

/// Gemma's name and half that reads, without the one that sees.
#[test]
fn a_model_without_its_eyes_reads() {
    let engine = open(Path::new("tests/golden/gemma3-whole/model.safetensors"), cpu(), KvFormat::F32);
    assert!(engine.info()["model"]["vision"].is_null());
}

#[test]
fn odd_chats_about_pictures() {
    let mut engine = open(Path::new("tests/golden/vision/smolvlm/model.safetensors"), cpu(), KvFormat::F32);
    let of = |content: Value| json!({ "messages": [{ "role": "user", "content": content }], "max_tokens": 2 });
    let picture_part = json!({ "type": "image_url", "image_url": { "picture": 0 } });
    // A text is read, though the template goes over parts; a user's own words for a picture are words.
    for content in [json!("hello there"), json!("what is <image> for?")] {
        let shown = engine.apply_chat_template(of(content.clone())["messages"].as_array().expect("one"), &json!({}));
        assert!(shown.expect("a prompt").contains(content.as_str().expect("text")), "{content}");
        block_on(engine.chat(&of(content), &mut |_| (), &never_yield)).expect("an answer");
    }
    let error =
        block_on(engine.chat(&of(json!([picture_part])), &mut |_| (), &never_yield)).expect_err("no picture came");
    assert_eq!(error.code(), "INVALID_REQUEST");
    let mut forged = of(json!([picture_part, { "type": "text", "text": "<image>" }]));
    forged["allow_special"] = json!(true);
    let error =
        block_on(engine.chat_with(&forged, &[picture(5, 5)], &mut |_| (), &never_yield)).expect_err("two markers");
    assert!(error.to_string().contains("shows 2"), "{error}");
    for (width, height) in [(1, 1), (1000, 1), (1, 1000)] {
        block_on(engine.chat_with(&of(json!([picture_part])), &[picture(width, height)], &mut |_| (), &never_yield))
            .expect("an answer");
    }
    let mut blind = open(Path::new("tests/golden/qwen3/model.safetensors"), cpu(), KvFormat::F32);
    let error = block_on(blind.chat_with(&of(json!([picture_part])), &[picture(5, 5)], &mut |_| (), &never_yield));
    assert!(error.expect_err("it only reads").to_string().contains("sees no pictures"));
    let sized = of(json!([{ "type": "image_url", "image_url": { "width": 5, "height": 5 } }]));
    let error = blind.apply_chat_template(sized["messages"].as_array().expect("one"), &json!({}));
    assert!(error.expect_err("it only reads").to_string().contains("sees no pictures"));
}

#[test]
fn odd_pictures_and_requests() {
    let mut engine = tiny("dinov2", cpu());
    for (width, height) in [(1, 1), (3000, 1), (1, 2000)] {
        let answer = embed(&mut engine, json!({ "input": { "image": 0 } }), &[picture(width, height)]);
        let vector = floats(&answer.expect("a vector")["data"][0]["embedding"]);
        assert!(vector.len() == 32 && vector.iter().all(|x| x.is_finite()), "{width} × {height}");
    }
    let refused = [
        (json!({ "input": "a cat" }), "makes vectors of pictures"),
        (json!({ "input": [{ "image": 7 }] }), "makes vectors of pictures"),
        (json!({}), "makes vectors of pictures"),
        (json!({ "input": { "image": 0 }, "pooling": "mean" }), "is for texts"),
        (json!({ "input": { "image": 0 }, "dimensions": 99 }), "dimensions"),
    ];
    for (request, piece) in refused {
        let error = embed(&mut engine, request.clone(), &[picture(5, 5)]).expect_err(piece);
        assert!(error.code() == "INVALID_REQUEST" && error.to_string().contains(piece), "{request}: {error}");
    }
    let error = block_on(engine.complete(&json!({ "prompt": "A" }), &mut |_| (), &never_yield)).expect_err("no text");
    assert!(error.to_string().contains("makes vectors of pictures"), "{error}");
    let mut reader = open(Path::new("tests/golden/encoders/bert-cls/model.safetensors"), cpu(), KvFormat::F32);
    let error = embed(&mut reader, json!({ "input": [{ "image": 0 }] }), &[picture(5, 5)]).expect_err("texts only");
    assert!(error.to_string().contains("vectors of texts"), "{error}");
}

/// Sizes that no file may lead to: an error before a byte of them is made.
#[test]
fn hostile_sizes_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let with = |source: &str, file: &str, change: &dyn Fn(&mut Value)| {
        for entry in std::fs::read_dir(source)
            .expect("files")
            .flatten()
            .filter(|entry| entry.path().extension() != Some("gguf".as_ref()))
        {
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("a copy");
        }
        let path = folder.path().join(file);
        let mut value = json(&path);
        change(&mut value);
        std::fs::write(&path, value.to_string()).expect("a file");
        let load = async {
            let checkpoint = Checkpoint::open(open_path(folder.path())?).await?;
            Engine::load(checkpoint, &LoadOptions { device: cpu(), ..LoadOptions::default() }, &mut |_| ()).await
        };
        block_on(load).err().map(|error| error.code())
    };
    let [gemma, llava] = ["gemma3", "llava"].map(|name| format!("tests/golden/vision/{name}"));
    let (dino, smol) = ("tests/golden/vision/dinov2", "tests/golden/vision/smolvlm");
    let size = |n: u64| move |config: &mut Value| config["crop_size"] = json!({ "height": n, "width": n });
    assert_eq!(with(dino, "preprocessor_config.json", &size(4097)), Some("MODEL_FORMAT"));
    assert_eq!(with(dino, "preprocessor_config.json", &size(2)), Some("MODEL_FORMAT"));
    assert_eq!(with(dino, "preprocessor_config.json", &size(4096)), Some("MODEL_FORMAT"), "a million patches");
    let tiles = |config: &mut Value| config["max_image_size"] = json!({ "longest_edge": 1 });
    assert_eq!(with(smol, "preprocessor_config.json", &tiles), Some("MODEL_FORMAT"));
    let image = |n: u64| move |config: &mut Value| config["vision_config"]["image_size"] = json!(n);
    assert_eq!(with(smol, "config.json", &image(1 << 20)), Some("MODEL_FORMAT"));
    let merge = |config: &mut Value| config["scale_factor"] = json!(3);
    assert_eq!(with(smol, "config.json", &merge), Some("MODEL_FORMAT"));
    let tokens = |n: u64| move |config: &mut Value| config["mm_tokens_per_image"] = json!(n);
    assert_eq!(with(&gemma, "config.json", &tokens(0)), Some("MODEL_FORMAT"));
    assert_eq!(with(&gemma, "config.json", &tokens(9)), Some("MODEL_FORMAT"), "ten patches are no threes");
    let layer = |n: i64| move |config: &mut Value| config["vision_feature_layer"] = json!(n);
    assert_eq!(with(&llava, "config.json", &layer(-4)), Some("MODEL_FORMAT"), "before the first block");
    assert_eq!(with(&llava, "config.json", &layer(4)), Some("MODEL_FORMAT"));
    let width = |config: &mut Value| config["vision_config"]["intermediate_size"] = json!(32);
    assert_eq!(with(&llava, "config.json", &width), Some("MODEL_FORMAT"));
}

/// What this build does not compute, it does not see with: the model reads.
#[test]
fn other_eyes_are_left_out() {
    let sees = |name: &str, file: &str, change: &dyn Fn(&mut Value)| {
        let folder = tempfile::tempdir().expect("a folder");
        for entry in std::fs::read_dir(format!("tests/golden/vision/{name}")).expect("files").flatten() {
            if entry.path().extension() != Some("gguf".as_ref()) {
                std::fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("a copy");
            }
        }
        let path = folder.path().join(file);
        let mut value = json(&path);
        change(&mut value);
        std::fs::write(&path, value.to_string()).expect("a file");
        let engine = open(&folder.path().join("model.safetensors"), cpu(), KvFormat::F32);
        !engine.info()["model"]["vision"].is_null()
    };
    assert!(sees("llava", "config.json", &|_| ()));
    let layers = |config: &mut Value| config["vision_feature_layer"] = json!([-2, -1]);
    assert!(!sees("llava", "config.json", &layers));
    let kind = |config: &mut Value| config["vision_config"]["model_type"] = json!("pixtral");
    assert!(!sees("llava", "config.json", &kind));
    assert!(!sees("llava", "preprocessor_config.json", &|config: &mut Value| config["do_pad"] = json!(true)));
    assert!(!sees("gemma3", "preprocessor_config.json", &|config: &mut Value| config["do_pan_and_scan"] = json!(true)));
    let many = |config: &mut Value| {
        config["mm_tokens_per_image"] = json!(400);
        config["vision_config"]["patch_size"] = json!(2);
    };
    let larger = |folder: &str| sees(folder, "config.json", &many);
    assert!(!larger("gemma3"));
}

/// A half that sees is looked at before it is loaded, and its parts are held to each other.
#[test]
fn eyes_are_probed() {
    let options = LoadOptions { device: cpu(), ..LoadOptions::default() };
    let about = |checkpoint: &Checkpoint| block_on(probe(checkpoint, &options)).expect("an answer");
    for name in EYES {
        let folder = Path::new("tests/golden/vision").join(name);
        let open = |path: &Path| block_on(Checkpoint::open(open_path(path).expect("files"))).expect("a model");
        let alone = about(&open(&folder.join("model.safetensors")));
        assert_eq!((&alone["fits"], &alone["problems"]), (&json!(true), &Value::Null), "{name}: {alone}");
        if let Ok(projector) = std::fs::metadata(folder.join("mmproj.gguf")) {
            let both = about(&open(&folder));
            let bytes = |about: &Value| about["downloadBytes"].as_u64().expect("bytes");
            assert_eq!(
                (&both["fits"], bytes(&both) - bytes(&alone)),
                (&json!(true), projector.len()),
                "{name}: {both}"
            );
        }
    }
    let wrong = [
        ("gemma3", "multi_modal_projector.mm_soft_emb_norm.weight", vec![8]),
        ("gemma3", "multi_modal_projector.mm_input_projection_weight", vec![32, 16]),
        ("llava", "multi_modal_projector.linear_1.weight", vec![16, 32]),
        ("llava", "multi_modal_projector.linear_2.bias", vec![16]),
        ("llava", "vision_tower.embeddings.class_embedding", vec![4, 4]),
        ("llava", "vision_tower.embeddings.position_embedding.weight", vec![16, 17]),
        ("llava", "vision_tower.pre_layrnorm.bias", vec![2]),
    ];
    for (name, tensor, shape) in wrong {
        let without = Folder::of(&format!("vision/{name}")).without_tensor(tensor);
        let mut odd = Folder::of(&format!("vision/{name}"));
        let (had, _, bytes) = odd.tensors.get_mut(tensor).expect(tensor);
        let size = bytes.len() / had.iter().product::<usize>();
        bytes.resize(shape.iter().product::<usize>() * size, 0);
        *had = shape;
        for folder in [without, odd] {
            let checkpoint = folder.checkpoint().expect("a file");
            let about = about(&checkpoint);
            assert_eq!(
                (&about["fits"], &about["errors"][0]["code"]),
                (&json!(false), &json!("MODEL_FORMAT")),
                "{tensor}"
            );
            let error = block_on(Engine::load(checkpoint, &options, &mut |_| ())).err().expect(tensor);
            assert_eq!(error.code(), "MODEL_FORMAT", "{tensor}: {error}");
        }
    }
}

/// Projectors in GGUF of other kinds than this build computes, by their own words.
#[test]
fn other_projectors_are_told_by_name() {
    let file = || Variant::of("vision/llava/mmproj.gguf");
    let refused = |file: Variant| {
        let checkpoint = file.checkpoint().expect("a file");
        let eyes = eyes_of(&checkpoint).and_then(|eyes| eyes.expect("a projector").read_shape(&checkpoint));
        eyes.err().map(|error| (error.code(), error.to_string()))
    };
    assert_eq!(refused(file()), None);
    assert_eq!(refused(file().without("clip.projector_type")), None, "the first files do not say");
    let others = [
        (file().set("clip.projector_type", "ldpv2"), "the projector ldpv2"),
        (file().set("clip.vision.image_grid_pinpoints", vec![336i32, 672]), "LLaVA 1.6"),
        (file().set("clip.vision.feature_layer", vec![3i32, 7]), "several layers"),
        (file().without_tensor("v.class_embd"), "another encoder"),
    ];
    for (file, words) in others {
        let (code, message) = refused(file).expect(words);
        assert!(code == "MODEL_UNSUPPORTED" && message.contains(words), "{code}: {message}");
    }
    let tokens = Variant::of("vision/gemma3/mmproj.gguf").set("clip.vision.projector.scale_factor", 11u32);
    assert_eq!(refused(tokens).expect("ten patches").0, "MODEL_FORMAT");
}

#[test]
fn real_dinov2() {
    let Some(folder) = std::env::var_os("CRESSET_DINOV2").map(PathBuf::from) else {
        return skipped("real DINOv2 (CRESSET_DINOV2 is its folder)");
    };
    let mut engine = open(&folder.join("model.safetensors"), cpu(), KvFormat::F32);
    as_transformers(&mut engine, &json(Path::new("tests/golden/vision/dinov2-small.json")), "DINOv2-small");
}
