//! Chat templates against the prompts that Hugging Face transformers renders from them.

use std::time::{Duration, Instant};

use crate::support::shared::read;
use cresset::chat::{ChatTemplate, RenderOptions};
use cresset::tokenizer::Tokenizer;
use cresset::weights::{Checkpoint, Files, GgufWriter, MemorySource, Source};
use serde_json::{Value, json};

/// Written by tests/golden/chat_templates.py.
const GOLDEN: &str = include_str!("../golden/chat_templates.json");

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
}

/// Templates that would run for ever or fill the memory end in an error, soon: (template, line, what ran out).
fn check_budget(cases: &[(&str, usize, &str)]) {
    let start = Instant::now();
    for &(source, line, what) in cases {
        let (at, reason) = refused(source);
        let shown = &source[..source.len().min(200)];
        assert!(at == line && reason.contains(what), "{shown}: line {at}, {reason:?}; not line {line}, {what:?}");
    }
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

const FUEL: &str = "the template runs for too long or makes too much text";

#[test]
fn a_template_has_a_budget_of_time() {
    check_budget(&[
        ("a\n{% for a in range(90000) %}{% for b in range(90000) %}\n{{ a * b }}{% endfor %}{% endfor %}", 3, FUEL),
        ("a\n{% for a in range(90000) %}\n{{ range(90000) | list | length }}{% endfor %}", 3, FUEL),
    ]);
}

#[test]
fn a_template_has_a_budget_of_memory() {
    check_budget(&[
        (
            "{% set ns = namespace(s='xxxxxxx') %}\n{% for i in range(60) %}\n{% set ns.s = ns.s + ns.s %}{% endfor %}",
            3,
            FUEL,
        ),
        ("{% for i in range(90000) %}\n{{ 'x' * 90000 }}{% endfor %}", 2, FUEL),
        ("\n\n{{ 'x' * 100000000000 }}", 3, FUEL),
        ("{% for i in range(90000) %}\n{{ ([messages] * 9999) | tojson }}{% endfor %}", 2, FUEL),
    ]);
}

#[test]
fn a_template_has_a_budget_of_depth() {
    let parentheses = ["\n{{ ", &"(".repeat(5000), "1", &")".repeat(5000), " }}"].concat();
    let blocks = ["\n", &"{% if 1 %}".repeat(5000), &"{% endif %}".repeat(5000)].concat();
    check_budget(&[
        ("{% macro f(n) %}\n{{ f(n + 1) }}{% endmacro %}\n{{ f(0) }}", 2, "recursion limit"),
        ("\n{% include 'default' %}", 2, "recursion limit"),
        (&parentheses, 2, "recursion limit"),
        (&blocks, 2, "recursion limit"),
    ]);
}

#[test]
fn a_template_has_a_budget_of_nesting() {
    let sets = ["\n{% set x = [] %}\n", &"{% set x=[[[[[[[x]]]]]]] %}".repeat(2000)].concat();
    let nested = "nests a value too deeply";
    check_budget(&[
        ("{% set ns = namespace(x=[]) %}{% for i in range(90000) %}\n{% set ns.x = [ns.x] %}{% endfor %}ok", 2, nested),
        (
            "{% set ns = namespace(x=[]) %}{% for i in range(90000) -%}\n\
             {%- set ns.x = {'%}': [ns.x, ns.x]} -%} {% endfor %}ok",
            2,
            FUEL, // looking at both of a pair at each level
        ),
        (&sets, 3, nested),
    ]);
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

/// Llama 2's published configuration has no template: no chat, rather than a guess.
#[test]
fn a_configuration_without_a_template() {
    let Some(config) = read("chat-templates/llama2--tokenizer_config.json") else { return };
    let weights = ("model.safetensors", [&2u64.to_le_bytes()[..], b"{}"].concat());
    let opened = checkpoint(vec![weights, ("tokenizer_config.json", config.into_bytes())]);
    assert!(ChatTemplate::from_checkpoint(&opened, None).expect("reads").is_none());
}
