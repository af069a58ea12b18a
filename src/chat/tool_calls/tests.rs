use super::*;

/// The text and the calls of an answer that comes in these pieces.
fn run(pieces: &[&str], in_thought: bool) -> (String, Vec<(String, String)>) {
    let mut parser = ToolCallParser::new(vec!["weather".into(), "now".into()], in_thought);
    let (mut text, mut calls) = (String::new(), Vec::new());
    for piece in pieces {
        let found = parser.push(piece);
        text += &found.text;
        calls.extend(found.calls.into_iter().map(|call| (call.name, call.arguments)));
    }
    (text + &parser.finish(), calls)
}

/// The same whole, cut in two at every place, and character by character.
#[track_caller]
fn check(answer: &str, text: &str, calls: &[(&str, &str)]) {
    check_from(answer, text, calls, false);
}

#[track_caller]
fn check_from(answer: &str, text: &str, calls: &[(&str, &str)], in_thought: bool) {
    let calls = calls.iter().map(|(name, arguments)| ((*name).to_owned(), (*arguments).to_owned()));
    let expected = (text.to_owned(), calls.collect::<Vec<_>>());
    assert_eq!(run(&[answer], in_thought), expected);
    for cut in (0..=answer.len()).filter(|&i| answer.is_char_boundary(i)) {
        assert_eq!(run(&[&answer[..cut], &answer[cut..]], in_thought), expected, "cut at {cut}");
    }
    let characters: Vec<String> = answer.chars().map(String::from).collect();
    let characters: Vec<&str> = characters.iter().map(String::as_str).collect();
    assert_eq!(run(&characters, in_thought), expected, "character by character");
}

const ULM: (&str, &str) = ("weather", r#"{"city":"Ulm"}"#);
const NOW: (&str, &str) = ("now", "{}");

#[test]
fn hermes() {
    check("<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Ulm\"}}\n</tool_call>", "", &[ULM]);
    let two = "Let me see.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Ulm\"}}\n</tool_call>\n\
               <tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>\n";
    check(two, "Let me see.", &[ULM, NOW]);
    check("<tool_call>{\"name\": \"now\"}\n{\"name\": \"now\"}</tool_call>ok", "ok", &[NOW, NOW]);
    check("<tool_call>[{\"name\": \"now\"}, {\"name\": \"now\"}]</tool_call>", "", &[NOW, NOW]);
    let inside = r#"<tool_call>{"name": "weather", "arguments": {"city": "</tool_call> \" } ü ["}}</tool_call>"#;
    check(inside, "", &[("weather", r#"{"city":"</tool_call> \" } ü ["}"#)]);
    // The end of the text is also the end of a block.
    check("<tool_call>{\"name\": \"now\"}", "", &[NOW]);
    check("<tool_call>{\"name\": \"now\"}</tool_", "", &[NOW]);
}

#[test]
fn granite_and_phi() {
    let list = r#"[{"name": "weather", "arguments": {"city": "Ulm"}}, {"name": "now", "arguments": {}}]"#;
    check(&format!("<|tool_call|>{list}"), "", &[ULM, NOW]);
    check(&format!("<|tool_call|>{list}<|/tool_call|>"), "", &[ULM, NOW]);
    let wrapped = r#"[{"type": "function", "function": {"name": "now", "arguments": "{}"}}]"#;
    check(&format!("Well.<|tool_call|>{wrapped}<|/tool_call|>"), "Well.", &[NOW]);
}

#[test]
fn mistral() {
    check(r#"[TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Ulm"}}]"#, "", &[ULM]);
    check(r#"[TOOL_CALLS]weather[ARGS]{"city": "Ulm"}"#, "", &[ULM]);
    check(r#"[TOOL_CALLS]weather{"city": "Ulm"}[TOOL_CALLS]now[CALL_ID]x1[ARGS]{}"#, "", &[ULM, NOW]);
    check("[TOOL_CALLS]weather in Ulm", "[TOOL_CALLS]weather in Ulm", &[]);
    check("[1, 2] and [TOOL", "[1, 2] and [TOOL", &[]);
}

#[test]
fn llama() {
    let call = r#"{"name": "weather", "parameters": {"city": "Ulm"}}"#;
    check(call, "", &[ULM]);
    check(&format!("\n {call}; {{\"name\": \"now\", \"parameters\": {{}}}}"), "", &[ULM, NOW]);
    check(&format!("<|python_tag|>{call}"), "", &[ULM]);
    check(r#"{"type": "function", "function": "now", "parameters": {}}"#, "", &[NOW]);
    check(&format!("[{call}, {{\"name\": \"now\"}}]"), "", &[ULM, NOW]);
    check(&format!("I look it up.\n\n  {call}\nThere."), "I look it up.\nThere.", &[ULM]);
    // Bare JSON is a call only at the beginning of a line, and only of a tool that is there.
    check(&format!("Here: {call}"), &format!("Here: {call}"), &[]);
    let other = r#"{"name": "Ann", "parameters": {"age": 5}}"#;
    check(other, other, &[]);
    check("{\"a\": 1} is JSON", "{\"a\": 1} is JSON", &[]);
    check("<|python_tag|>print(1)", "<|python_tag|>print(1)", &[]);
}

/// What Qwen 2.5 Coder writes instead of its marker.
#[test]
fn code_blocks() {
    let call = "{\n  \"name\": \"weather\",\n  \"arguments\": {\n    \"city\": \"Ulm\"\n  }\n}";
    check(&format!("```json\n{call}\n```"), "", &[ULM]);
    check(&format!("Let me see.\n\n```\n{call}\n```\nDone."), "Let me see.\nDone.", &[ULM]);
    check(&format!("```tool_call\n[{call}, {{\"name\": \"now\"}}]\n```\n\n```json\n{call}"), "", &[ULM, NOW, ULM]);
    for other in [
        "So:\n\n```json\n{\"name\": \"Ann\", \"age\": 5}\n```\n\nand on.",
        "So:\n\n```json\n{\"city\": \"Ulm\"}\n```",
        "```json5\n{}\n```",
        "```js\n[1, 2]\n```\n",
        "```\nwords\n``` \n\n`now` ```",
        "```json\n",
        "```",
        "[1] a note\n[Ulm](city) and [",
        "[\n  {\"id\": 1}\n]\n",
        "{\"na",
    ] {
        check(other, other, &[]);
    }
    // Nobody waits for the end of JSON that is no call.
    let mut parser = ToolCallParser::new(vec!["weather".into()], false);
    assert_eq!(parser.push("{\"city\": \"U").text, "{\"city\": \"U");
    let mut without = ToolCallParser::new(vec![], false);
    assert_eq!(without.push("```json\n{\"name\": \"now\"}").text, "```json\n{\"name\": \"now\"}");
}

#[test]
fn what_is_no_call_stays_text() {
    for answer in [
        "",
        " ",
        "words only\n",
        "<tool_call>",
        "<tool_call>\n{\"name\": \"weather\", \"argu",
        "<tool_call>{'name': 'now'}</tool_call>",
        "<tool_call>{\"arguments\": {}}</tool_call>",
        "<tool_call>{\"name\": 7}</tool_call> after",
        "<tool_call>{\"name\": \"now\", \"arguments\": [1]}</tool_call>",
        "<tool_call>{\"name\": \"now\", \"arguments\": \"x\"}</tool_call>",
        "<tool_call>words</tool_call>",
        "<tool_call>[]</tool_call>",
        "<tool_call>{]}</tool_call>",
        "a < b <tool <|tool_call",
        "{",
        "{\"name\": \"weather\"",
    ] {
        check(answer, answer, &[]);
    }
    let deep = format!("<tool_call>{}{}", "[".repeat(3000), "]".repeat(3000));
    assert_eq!(run(&[&deep], false), (deep.clone(), vec![]));
    // A good call after a bad one.
    let bad = "<tool_call>{\"name\": }</tool_call>";
    check(&format!("{bad}\n<tool_call>{{\"name\": \"now\"}}</tool_call>"), bad, &[NOW]);
    // The white space before what only looked like one is there again.
    check("So:\n\n<tool_call>words", "So:\n\n<tool_call>words", &[]);
}

#[test]
fn reasoning_calls_nothing() {
    let call = "<tool_call>{\"name\": \"now\"}</tool_call>";
    let thought = format!("<think>\nI could write {call}.\n</think>");
    check(&format!("{thought}\n\n{call}"), &thought, &[NOW]);
    check(&format!("{thought}\n\nNo need."), &format!("{thought}\n\nNo need."), &[]);
    check_from(&format!("so {call}</think>{call}"), &format!("so {call}</think>"), &[NOW], true);
    check("<think>{\"name\": \"now\"}", "<think>{\"name\": \"now\"}", &[]);
    assert!(ToolCallParser::begins_thought("<|Assistant|><think>\n") && !ToolCallParser::begins_thought("x"));
}

#[test]
fn words_are_shown_at_once() {
    let mut parser = ToolCallParser::new(vec![], false);
    assert_eq!(parser.push("Hello <").text, "Hello");
    assert_eq!(parser.push("b> there").text, " <b> there");
    assert_eq!(
        parser.push(" \n<tool_call>{\"name\": \"now\"}"),
        Found { text: String::new(), calls: vec![ToolCall { name: "now".into(), arguments: "{}".into() }] }
    );
}
