//! Chat templates against the prompts that Hugging Face transformers renders from them.

use crate::support::shared::read;
use cresset::chat::{ChatTemplate, RenderOptions};
use cresset::tokenizer::Tokenizer;
use cresset::weights::{Checkpoint, Files, GgufWriter, MemorySource, Source};
use serde_json::{Value, json};

/// Written by tests/golden/chat_templates.py.
const GOLDEN: &str = include_str!("../golden/chat_templates.json");
/// Written by tests/golden/jinja.py.
const JINJA: &str = include_str!("../golden/jinja.json");
/// Templates and requests in which engines are known to differ.
const CASES: &str = include_str!("../golden/template_cases.json");

/// The template of a file in the shared data.
fn template_in(file: &str) -> Option<String> {
    let text = read(&format!("chat-templates/{file}"))?;
    if file.ends_with(".jinja") {
        return Some(text);
    }
    let config: Value = serde_json::from_str(&text).expect("JSON");
    Some(config["chat_template"].as_str().expect("a template").to_owned())
}

#[test]
fn same_prompts_as_transformers() {
    let golden: Value = serde_json::from_str(GOLDEN).expect("JSON");
    let mut rendered = 0;
    for case in golden["cases"].as_array().expect("a list") {
        let name = case["name"].as_str().expect("a name");
        let source = match (case["template"].as_str(), case["file"].as_str()) {
            (Some(source), _) => source.to_owned(),
            (None, Some(file)) => match template_in(file) {
                Some(source) => source,
                None => continue,
            },
            (None, None) => panic!("{name} has no template"),
        };
        let template = ChatTemplate::new(&source, golden["bos_token"].as_str(), golden["eos_token"].as_str());
        let template = template.unwrap_or_else(|error| panic!("{name}: {error}"));
        let given = &case["options"];
        let options = RenderOptions {
            add_generation_prompt: given["add_generation_prompt"].as_bool().unwrap_or(false),
            continue_final_message: given["continue_final_message"].as_bool().unwrap_or(false),
            documents: given.get("documents").cloned(),
            tools: given.get("tools").filter(|tools| !tools.is_null()).cloned(),
            extra: given["extra"].as_object().cloned().unwrap_or_default(),
            now: golden["now"].as_i64(),
            ..Default::default()
        };
        let messages = case["messages"].as_array().expect("messages");
        match (template.render(messages, &options), case["expected"].as_str()) {
            (Ok(prompt), Some(expected)) => assert_eq!(prompt, expected, "{name}"),
            (Err(error), None) => {
                assert_eq!(error.code(), "TEMPLATE");
                let reason = case["error"].as_str().expect("an error");
                assert!(error.to_string().contains(reason), "{name}: {error}, expected {reason}");
            }
            (got, want) => panic!("{name}: {got:?}, expected {want:?}"),
        }
        rendered += 1;
    }
    assert!(rendered >= 13, "the small templates always run");
}

/// What Python and jinja2 make of expressions, filters, tests, methods and statements, a small template each.
#[test]
fn same_texts_as_jinja2() {
    let golden: Value = serde_json::from_str(JINJA).expect("JSON");
    let messages = golden["messages"].as_array().expect("messages");
    let now = golden["now"].as_i64();
    let mut wrong = Vec::new();
    for case in golden["cases"].as_array().expect("a list") {
        let (source, expected) = (case[0].as_str().expect("a template"), case[1].as_str().expect("a text"));
        let options = RenderOptions { add_generation_prompt: true, now, ..Default::default() };
        let rendered = ChatTemplate::new(source, Some("<s>"), Some("</s>"))
            .and_then(|template| template.render(messages, &options));
        match rendered {
            Ok(text) if text == expected => {}
            other => wrong.push(format!("{source}: {other:?}, not {expected:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn requests_render_as_they_should() {
    let golden: Value = serde_json::from_str(CASES).expect("JSON");
    for case in golden["cases"].as_array().expect("a list") {
        let text = |name: &str| case[name].as_str().expect("a text");
        let template = ChatTemplate::new(text("template"), Some("<s>"), None).expect("compiles");
        let options = RenderOptions { add_generation_prompt: true, now: golden["now"].as_i64(), ..Default::default() };
        let prompt = template.render_request(case["messages"].as_array().expect("messages"), &options);
        let id = text("id");
        assert_eq!(prompt.expect(id), text("expected"), "{id}");
    }
}

/// What a request says, as templates of several kinds read it.
#[test]
fn messages_are_what_a_template_reads() {
    let call = || json!([{"type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}}]);
    let parts = || json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
    let developer = || json!({"role": "developer", "content": "x"});
    let each = |body: &str| format!("{{% for m in messages %}}{body}{{% endfor %}}");
    for (body, message, expected) in [
        // A developer whom the template names is one.
        ("{{ m.role }}", developer(), "system"),
        ("{{ m.role }}{% if m.role == 'developer' %}!{% endif %}", developer(), "developer!"),
        ("{{ m.role }} of developers", developer(), "system of developers"),
        // What an answer does not say is an empty text, unless the template asks whether there is none.
        ("[{{ m.content }}]", json!({"role": "assistant", "tool_calls": call()}), "[]"),
        ("{{ '[' + m['content'] + ']' }}", json!({"role": "assistant", "content": null, "tool_calls": call()}), "[]"),
        (
            "{% if m['content'] is none %}calls{% endif %}",
            json!({"role": "assistant", "content": null, "tool_calls": call()}),
            "calls",
        ),
        (
            "{% if m.content is not none %}says{% else %}calls{% endif %}",
            json!({"role": "assistant", "tool_calls": call()}),
            "calls",
        ),
        ("[{{ m.content }}]", json!({"role": "assistant", "content": null}), "[]"),
        (
            "[{{ m.content }}]{% if m.reasoning_content is not none %}{% endif %}",
            json!({"role": "assistant", "content": null}),
            "[]",
        ),
        ("[{{ m.content }}]", json!({"role": "user", "content": null}), "[None]"),
        // Parts stay parts for a template that goes over them or asks for their types.
        (
            "{% for p in m['content'] %}[{{ p.text }}]{% endfor %}",
            json!({"role": "user", "content": parts()}),
            "[a][b]",
        ),
        (
            "{% set c = m.content %}{% for p in c %}{% if p['type'] == 'text' %}[{{ p.text }}]{% endif %}{% endfor %}",
            json!({"role": "user", "content": parts()}),
            "[a][b]",
        ),
        (
            "{% macro say(content) %}{% for p in content %}[{{ p.text }}]{% endfor %}{% endmacro %}{{ say(m.content) }}",
            json!({"role": "user", "content": parts()}),
            "[a][b]",
        ),
        ("{{ m.content }}", json!({"role": "user", "content": parts()}), "a\nb"),
        // It goes over those of tools alone, and wants a text of others.
        (
            "{% if m.role == 'tool' %}{% for p in m.content %}{{ p.text }}{% endfor %}{% else %}{{ m.content + '!' }}{% endif %}",
            json!({"role": "user", "content": parts()}),
            "a\nb!",
        ),
    ] {
        let template = ChatTemplate::new(&each(body), None, None).expect("compiles");
        let prompt = template.render_request(std::slice::from_ref(&message), &RenderOptions::default());
        assert_eq!(prompt.expect(body), expected, "{body} of {message}");
    }
}

fn refused(source: &str) -> (usize, String) {
    let template = match ChatTemplate::new(source, None, None) {
        Ok(template) => template,
        Err(error) => return line_and_reason(error),
    };
    let messages = [json!({"role": "user", "content": "x"})];
    line_and_reason(template.render(&messages, &RenderOptions::default()).expect_err(source))
}

fn line_and_reason(error: cresset::Error) -> (usize, String) {
    match error {
        cresset::Error::Template { line, reason } => (line, reason),
        other => panic!("{other}"),
    }
}

#[test]
fn errors_name_line_and_reason() {
    assert_eq!(refused("a\nb\n{{ raise_exception('no system turn') }}"), (3, "no system turn".into()));
    assert_eq!(refused("a\n{% if %}").0, 2);
    assert_eq!(refused("{% for m in messages %}").0, 1);
    assert_eq!(refused("\n\n\n{{ messages[0].content.nothing() }}").0, 4);
    assert_eq!(refused("{{ strftime_now('%Y') }}").0, 1, "no clock was given");
    assert_eq!(refused("{{ nowhere | tojson }}").0, 1);
    let long = "x".repeat(2 << 20);
    assert!(refused(&long).1.contains("too long"));
    let said = refused("{{ raise_exception('é' * 9999) }}").1;
    assert!(said.starts_with("éé") && said.ends_with('…') && said.len() < 500, "{said}");
}

fn checkpoint(files: Vec<(&str, Vec<u8>)>) -> Checkpoint {
    let sources = files.into_iter().map(|(name, bytes)| Box::new(MemorySource::new(name, bytes)) as Box<dyn Source>);
    pollster::block_on(Checkpoint::open(Files::new(sources.collect()))).expect("opens")
}

fn gguf(template: Option<&str>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = GgufWriter::new().set("general.architecture", "llama");
    if let Some(template) = template {
        let tokens = ["<unk>", "<s>", "</s>"].map(String::from).to_vec();
        writer = writer.set("tokenizer.chat_template", template).set("tokenizer.ggml.tokens", tokens);
        writer = writer.set("tokenizer.ggml.model", "llama").set("tokenizer.ggml.scores", vec![0f32; 3]);
        writer = writer.set("tokenizer.ggml.bos_token_id", 1u32);
    }
    writer.write(&mut bytes).expect("writes");
    bytes
}

#[test]
fn where_a_template_is_looked_for() {
    let render = |checkpoint: &Checkpoint, tools: Option<Value>| {
        let tokenizer = Tokenizer::from_checkpoint(checkpoint).expect("reads");
        let template = ChatTemplate::from_checkpoint(checkpoint, tokenizer.as_ref()).expect("compiles")?;
        Some(template.render(&[], &RenderOptions { tools, ..Default::default() }).expect("renders"))
    };
    assert_eq!(render(&checkpoint(vec![("m.gguf", gguf(None))]), None), None);
    assert_eq!(
        render(&checkpoint(vec![("m.gguf", gguf(Some("{{ bos_token }}x{{ eos_token }}")))]), None).as_deref(),
        Some("<s>x")
    );

    let weights = || ("model.safetensors", [&2u64.to_le_bytes()[..], b"{}"].concat());
    let config = |template: Value| {
        let config = json!({"bos_token": "<s>", "pad_token": {"content": "<p>"}, "chat_template": template});
        ("tokenizer_config.json", config.to_string().into_bytes())
    };
    let one = checkpoint(vec![weights(), config(json!("{{ bos_token }}{{ pad_token }}"))]);
    assert_eq!(render(&one, None).as_deref(), Some("<s><p>"));
    let list = json!([{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "with tools"}]);
    let several = checkpoint(vec![weights(), config(list.clone())]);
    assert_eq!(render(&several, None).as_deref(), Some("plain"));
    assert_eq!(render(&several, Some(json!([]))).as_deref(), Some("plain"));
    assert_eq!(render(&several, Some(json!([{"type": "function"}]))).as_deref(), Some("with tools"));
    let older = |template: Value| ("chat_template.json", json!({ "chat_template": template }).to_string().into_bytes());
    let with_older = |template| checkpoint(vec![weights(), config(list.clone()), older(template)]);
    assert_eq!(render(&with_older(json!("older")), None).as_deref(), Some("older"));
    let named = json!([{"name": "tool_use", "template": "b"}, {"name": "default", "template": "a"}]);
    assert_eq!(render(&with_older(named.clone()), None).as_deref(), Some("a"));
    assert_eq!(render(&with_older(named), Some(json!([{"type": "function"}]))).as_deref(), Some("b"));
    assert_eq!(render(&checkpoint(vec![weights(), older(json!("alone"))]), None).as_deref(), Some("alone"));
    let file = || ("chat_template.jinja", b"from the file".to_vec());
    let all = checkpoint(vec![weights(), config(list), older(json!("older")), file()]);
    assert_eq!(render(&all, None).as_deref(), Some("from the file"));
    assert_eq!(render(&checkpoint(vec![weights(), config(Value::Null)]), None), None);
}

/// `null` in tokenizer_config.json says that there is no such token, whatever the vocabulary has.
#[test]
fn a_token_that_is_null() {
    let model = checkpoint(vec![("m.gguf", gguf(Some("x")))]);
    let tokenizer = Tokenizer::from_checkpoint(&model).expect("reads");
    assert!(tokenizer.as_ref().is_some_and(|tokenizer| tokenizer.bos().is_some()));
    let render = |config: Value| {
        let weights = ("model.safetensors", [&2u64.to_le_bytes()[..], b"{}"].concat());
        let opened = checkpoint(vec![weights, ("tokenizer_config.json", config.to_string().into_bytes())]);
        let template = ChatTemplate::from_checkpoint(&opened, tokenizer.as_ref()).expect("compiles");
        template.expect("a template").render(&[], &RenderOptions::default()).expect("renders")
    };
    assert_eq!(render(json!({"chat_template": "[{{ bos_token }}]"})), "[<s>]");
    assert_eq!(render(json!({"chat_template": "[{{ bos_token }}]", "bos_token": null})), "[]");
    // A model's own names are there as well.
    let own = json!({ "image_token": "<image>", "audio_token": { "content": "<audio>" } });
    let template = "{{ image_token }}{{ audio_token }}{{ video_token }}";
    assert_eq!(render(json!({"chat_template": template, "extra_special_tokens": own})), "<image><audio>");
}

/// Of several templates only the one that is used has to be sound.
#[test]
fn a_template_that_is_not_used() {
    let weights = || ("model.safetensors", [&2u64.to_le_bytes()[..], b"{}"].concat());
    let deep = "(".repeat(5000);
    let open = |default: &str| {
        let list =
            json!([{"name": "default", "template": default}, {"name": "other", "template": format!("{{{{ {deep}")}]);
        let config = json!({ "chat_template": list }).to_string().into_bytes();
        ChatTemplate::from_checkpoint(&checkpoint(vec![weights(), ("tokenizer_config.json", config)]), None)
    };
    let template = open("{{ x }}").expect("the usual one is sound").expect("a template");
    assert_eq!(template.names(), ["default", "other"]);
    let other = RenderOptions { template: Some("other".into()), ..Default::default() };
    assert!(template.render(&[], &RenderOptions::default()).is_ok());
    assert_eq!(template.render(&[], &other).expect_err("too deep").code(), "TEMPLATE");
    assert_eq!(template.uses("x", &other).expect_err("too deep").code(), "TEMPLATE");
    assert!(template.uses("x", &RenderOptions::default()).expect("compiles"));
    assert!(!template.uses("y", &RenderOptions::default()).expect("compiles"));
    assert_eq!(open("{{ 1 +").err().expect("broken").code(), "TEMPLATE");
}

/// Llama 2's published configuration has no template: no chat, rather than a guess.
#[test]
fn a_configuration_without_a_template() {
    let Some(config) = read("chat-templates/llama2--tokenizer_config.json") else { return };
    let weights = ("model.safetensors", [&2u64.to_le_bytes()[..], b"{}"].concat());
    let opened = checkpoint(vec![weights, ("tokenizer_config.json", config.into_bytes())]);
    assert!(ChatTemplate::from_checkpoint(&opened, None).expect("reads").is_none());
}
