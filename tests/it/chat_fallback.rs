//! Templates of our own, for files that bring none: what they render, and when they are chosen.

use crate::support::shared::read;
use cresset::chat::{ChatTemplate, RenderOptions};
use cresset::tokenizer::Tokenizer;
use cresset::weights::{Checkpoint, Files, GgufWriter, MemorySource};
use serde_json::{Value, json};

/// A model without a template, whose vocabulary has these control tokens; BOS is `<s>`, EOS `</s>`.
fn model(tokens: &[&str]) -> Checkpoint {
    let texts: Vec<String> = ["<s>", "</s>"].iter().chain(tokens).map(|text| (*text).to_owned()).collect();
    // `Ġthe` is a word, the others are control tokens.
    let kinds: Vec<i32> = texts.iter().map(|text| if text == "Ġthe" { 1 } else { 3 }).collect();
    let mut bytes = Vec::new();
    let writer = GgufWriter::new().set("general.architecture", "llama").set("tokenizer.ggml.model", "gpt2");
    let writer = writer.set("tokenizer.ggml.pre", "default").set("tokenizer.ggml.merges", Vec::<String>::new());
    let writer = writer.set("tokenizer.ggml.tokens", texts).set("tokenizer.ggml.token_type", kinds);
    let writer = writer.set("tokenizer.ggml.bos_token_id", 0u32).set("tokenizer.ggml.eos_token_id", 1u32);
    writer.write(&mut bytes).expect("a file in memory");
    pollster::block_on(Checkpoint::open(Files::single(MemorySource::new("m.gguf", bytes)))).expect("a file")
}

fn chosen(tokens: &[&str]) -> Option<&'static str> {
    let checkpoint = model(tokens);
    let tokenizer = Tokenizer::from_checkpoint(&checkpoint).expect("a tokenizer");
    ChatTemplate::from_checkpoint(&checkpoint, tokenizer.as_ref()).expect("compiles")?.fallback()
}

/// Control tokens as the families' published vocabularies have them.
#[test]
fn a_vocabulary_hints_at_its_family() {
    for (family, tokens) in [
        (Some("chatml"), &["<|endoftext|>", "<|im_start|>", "<|im_end|>"][..]), // Qwen, SmolLM, Yi
        (Some("phi-4"), &["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|im_sep|>"]),
        (
            Some("llama-3"),
            &["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|python_tag|>"],
        ),
        (Some("llama-4"), &["<|begin_of_text|>", "<|header_start|>", "<|header_end|>", "<|eot|>"]),
        (Some("gemma"), &["<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"]),
        (Some("phi-4-mini"), &["<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|tool|>", "<|tool_call|>"]),
        (Some("phi-3"), &["<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|endoftext|>"]),
        (Some("gpt-oss"), &["<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|return|>", "<|call|>"]),
        (Some("granite"), &["<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>", "<|tool_call|>"]),
        (
            Some("command-r"),
            &["<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>", "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>"],
        ),
        (Some("deepseek"), &["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"]),
        (Some("exaone"), &["[|system|]", "[|user|]", "[|assistant|]", "[|endofturn|]"]),
        (
            Some("glm-4"),
            &["[gMASK]", "[sMASK]", "<sop>", "<eop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"],
        ),
        (Some("mistral-v7"), &["[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CALLS]", "Ġthe"]),
        (Some("mistral-tekken"), &["[INST]", "[/INST]", "[TOOL_CALLS]", "Ġthe"]),
        (Some("mistral"), &["[INST]", "[/INST]", "[TOOL_CALLS]"]),
        (Some("zephyr"), &["<|system|>", "<|user|>", "<|assistant|>", "<|endoftext|>"]), // StableLM Zephyr, Falcon 3
        // Bases, and families whose turns are ordinary text.
        (None, &["<|endoftext|>"]),
        (None, &["<|im_end|>", "<|user|>", "[INST]", "<|end|>"]),
        (None, &[]),
    ] {
        assert_eq!(chosen(tokens), family, "{tokens:?}");
    }
}

const TURNS: [(&str, &str); 3] = [("user", "Hi"), ("assistant", "Hello"), ("user", "Bye")];

fn messages(turns: &[(&str, &str)]) -> Vec<Value> {
    turns.iter().map(|(role, content)| json!({ "role": role, "content": content })).collect()
}

/// The family's prompt, ready to be answered.
fn rendered(family: &str, turns: &[(&str, &str)]) -> String {
    let checkpoint = model(&[]);
    let tokenizer = Tokenizer::from_checkpoint(&checkpoint).expect("a tokenizer");
    let template = ChatTemplate::from_request(family, None, tokenizer.as_ref()).unwrap_or_else(|e| panic!("{e}"));
    let options = RenderOptions { add_generation_prompt: true, ..RenderOptions::default() };
    template.render(&messages(turns), &options).unwrap_or_else(|e| panic!("{family}: {e}"))
}

fn with_system() -> Vec<(&'static str, &'static str)> {
    [("system", "Sys")].into_iter().chain(TURNS).collect()
}

/// llama.cpp's templates for the same families, written independently (`tests/golden/fallback_templates.py`).
#[test]
fn plain_turns_are_those_of_llama_cpp() {
    let theirs: Value = serde_json::from_str(include_str!("../golden/fallback_templates.json")).expect("JSON");
    // What follows the families' own publications instead; `written_by_hand` has it.
    let otherwise = [("exaone", "turns"), ("deepseek", "system"), ("mistral", "system"), ("mistral-tekken", "system")];
    let mut compared = 0;
    for (family, cases) in theirs.as_object().expect("families") {
        for (case, turns) in [("turns", TURNS.to_vec()), ("system", with_system())] {
            if otherwise.contains(&(family, case)) {
                continue;
            }
            // It adds the beginning of text to the ids, and has this family's end of text in the template.
            let want = cases[case].as_str().expect("text").replace("<|endoftext|>", "</s>");
            let got = rendered(family, &turns);
            assert_eq!(got.strip_prefix("<s>").unwrap_or(&got), want, "{family}, {case}");
            compared += 1;
        }
    }
    assert_eq!(compared, 2 * 15 - otherwise.len());
}

/// Formats from the families' own documentation, where llama.cpp has none or a simpler one.
#[test]
fn written_by_hand() {
    for (family, turns, want) in [
        (
            "phi-4-mini",
            with_system(),
            "<|system|>Sys<|end|><|user|>Hi<|end|><|assistant|>Hello<|end|><|user|>Bye<|end|><|assistant|>",
        ),
        (
            "gpt-oss",
            with_system(),
            "<|start|>developer<|message|># Instructions\n\nSys<|end|><|start|>user<|message|>Hi<|end|>\
             <|start|>assistant<|channel|>final<|message|>Hello<|end|><|start|>user<|message|>Bye<|end|>\
             <|start|>assistant",
        ),
        ("llama-2", with_system(), "<s>[INST] <<SYS>>\nSys\n<</SYS>>\n\nHi [/INST] Hello </s><s>[INST] Bye [/INST]"),
        (
            "exaone",
            TURNS.to_vec(),
            "[|system|][|endofturn|]\n[|user|]Hi\n[|assistant|]Hello[|endofturn|]\n[|user|]Bye\n[|assistant|]",
        ),
        (
            "deepseek",
            with_system(),
            "<s>Sys<｜User｜>Hi<｜Assistant｜>Hello<｜end▁of▁sentence｜><｜User｜>Bye<｜Assistant｜>",
        ),
        // Mistral's own tokenizer puts it before the last question.
        ("mistral", with_system(), "<s>[INST] Hi[/INST] Hello</s>[INST] Sys\n\nBye[/INST]"),
        ("mistral-tekken", with_system(), "<s>[INST]Hi[/INST]Hello</s>[INST]Sys\n\nBye[/INST]"),
        ("plain", with_system(), "<s>Sys\n\nUser: Hi\nAssistant: Hello\nUser: Bye\nAssistant:"),
    ] {
        assert_eq!(rendered(family, &turns), want, "{family}");
    }
}

/// Real models' templates: Qwen's, Gemma's and Phi's own against ours.
#[test]
fn plain_turns_are_those_of_the_models_own_templates() {
    for (family, file) in [
        ("chatml", "qwen2.5--tokenizer_config.json"),
        ("gemma", "gemma-3-chat--chat_template.json"),
        ("phi-4", "phi-4-base--tokenizer_config.json"),
    ] {
        let Some(text) = read(&format!("chat-templates/{file}")) else { continue };
        let config: Value = serde_json::from_str(&text).expect("JSON");
        let source = config["chat_template"].as_str().expect("a template");
        let template = ChatTemplate::new(source, Some("<s>"), Some("</s>")).expect("compiles");
        let options = RenderOptions { add_generation_prompt: true, ..RenderOptions::default() };
        let own = template.render(&messages(&with_system()), &options).expect("renders");
        assert_eq!(rendered(family, &with_system()), own, "{family}");
    }
}
