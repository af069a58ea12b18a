//! How an answer begins that must call a tool: the family's own words up to where the model has to choose.

use serde_json::json;

/// Reasoning: what is written there is no call.
pub(super) static THOUGHTS: [(&str, &str); 2] = [("<think>", "</think>"), ("[THINK]", "[/THINK]")];

/// How a family writes a call.
struct Syntax {
    /// Texts that the template of such a family has, all of them.
    signs: &'static [&'static str],
    /// Up to the name.
    open: &'static str,
    /// From the name to the arguments.
    arguments: &'static str,
}

/// The first row whose signs are all in the template counts, so what is more particular stands first. White space before
/// a value is left to the model, whose tokens have it.
static SYNTAXES: &[Syntax] = &[
    // Hermes, Qwen 2.5 and 3, SmolLM 3, Granite 4.
    Syntax {
        signs: &["<tool_call>", "arguments"],
        open: "<tool_call>\n{\"name\": \"",
        arguments: "\", \"arguments\":",
    },
    // Granite 3 and Phi-4-mini: a list.
    Syntax { signs: &["<|tool_call|>"], open: "<|tool_call|>[{\"name\": \"", arguments: "\", \"arguments\":" },
    // Mistral since version 11, before that, and as SentencePiece spelt it.
    Syntax { signs: &["[TOOL_CALLS]", "[ARGS]"], open: "[TOOL_CALLS]", arguments: "[ARGS]" },
    Syntax { signs: &["[TOOL_CALLS] ["], open: "[TOOL_CALLS] [{\"name\": \"", arguments: "\", \"arguments\":" },
    Syntax { signs: &["[TOOL_CALLS]"], open: "[TOOL_CALLS][{\"name\": \"", arguments: "\", \"arguments\":" },
    // Llama 3: bare JSON, as its template asks for.
    Syntax {
        signs: &["{\"name\": function name, \"parameters\""],
        open: "{\"name\": \"",
        arguments: "\", \"parameters\":",
    },
];

/// Signs of calls within the same markers that are no JSON: Qwen 3 Coder's, GLM 4.5's.
const NOT_JSON: [&str; 2] = ["<function=", "<arg_key>"];

/// The beginning of a call: of the tool `name`, or of one that the model chooses. `None` if the template, given as its
/// source, teaches no syntax of calls that this build knows.
pub fn opening(template: &str, name: Option<&str>) -> Option<String> {
    if NOT_JSON.iter().any(|sign| template.contains(sign)) {
        return None;
    }
    let Syntax { open, arguments, .. } =
        SYNTAXES.iter().find(|syntax| syntax.signs.iter().all(|sign| template.contains(sign)))?;
    let Some(name) = name else { return Some(open.to_string()) };
    // Within JSON a name is written as JSON has it, without the quotes that are there already.
    let escaped = json!(name).to_string();
    let name = if open.ends_with('"') { &escaped[1..escaped.len() - 1] } else { name };
    Some(format!("{open}{name}{arguments}"))
}

/// What a prompt still needs that leaves off where the model begins to think, before the answer itself can begin.
pub fn end_of_thought(prompt: &str) -> String {
    let (think, thought) = THOUGHTS[0];
    if prompt.trim_end().ends_with(think) { format!("\n{thought}\n\n") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::super::ToolCallParser;
    use super::*;

    /// Pieces of published templates; what a call of `weather` begins with; how a model goes on from there.
    const FAMILIES: [(&str, &str, &str); 6] = [
        (
            "For each function call, return a json object with function name and arguments within \
             <tool_call></tool_call> XML tags",
            "<tool_call>\n{\"name\": \"weather\", \"arguments\":",
            " {\"city\": \"Ulm\"}}\n</tool_call>",
        ),
        (
            "{{- '<|start_of_role|>assistant<|end_of_role|><|tool_call|>' + message['tool_calls']|tojson }}",
            "<|tool_call|>[{\"name\": \"weather\", \"arguments\":",
            " {\"city\": \"Ulm\"}}]",
        ),
        ("{{- '[TOOL_CALLS]' + name + '[ARGS]' + arguments }}", "[TOOL_CALLS]weather[ARGS]", "{\"city\": \"Ulm\"}"),
        ("{{- \"[TOOL_CALLS] [\" }}", "[TOOL_CALLS] [{\"name\": \"weather\", \"arguments\":", " {\"city\": \"Ulm\"}}]"),
        ("{{- \"[TOOL_CALLS][\" }}", "[TOOL_CALLS][{\"name\": \"weather\", \"arguments\":", " {\"city\": \"Ulm\"}}]"),
        (
            "Respond in the format {\"name\": function name, \"parameters\": dictionary of argument name and its value}.",
            "{\"name\": \"weather\", \"parameters\":",
            " {\"city\": \"Ulm\"}}",
        ),
    ];

    #[test]
    fn each_family_begins_as_its_parser_goes_on() {
        for (template, begun, rest) in FAMILIES {
            assert_eq!(opening(template, Some("weather")).as_deref(), Some(begun), "{template}");
            let any = opening(template, None).expect("a syntax");
            assert!(begun.starts_with(&any) && !any.contains("weather"), "{template}");
            for (opening, rest) in
                [(begun.to_string(), rest.to_string()), (any.clone(), begun[any.len()..].to_string() + rest)]
            {
                let mut parser = ToolCallParser::new(vec!["weather".into()], false);
                assert_eq!(parser.push(&opening).text, "");
                let found = parser.push(&rest);
                assert_eq!((found.text.as_str(), found.calls.len()), ("", 1), "{template}");
                assert_eq!(
                    (found.calls[0].name.as_str(), found.calls[0].arguments.as_str()),
                    ("weather", r#"{"city":"Ulm"}"#)
                );
                assert_eq!(parser.finish(), "");
            }
        }
    }

    #[test]
    fn names_are_written_as_json() {
        let quoted = opening(FAMILIES[0].0, Some("a\"b")).expect("a syntax");
        assert!(quoted.contains(r#"{"name": "a\"b", "#), "{quoted}");
    }

    #[test]
    fn other_syntaxes_are_not_guessed_at() {
        for template in
            ["{{ messages }}", "<tool_call>\n<function=example> arguments", "<tool_call>{name}<arg_key> arguments"]
        {
            assert_eq!(opening(template, None), None, "{template}");
        }
    }

    #[test]
    fn a_thought_that_has_begun_is_ended() {
        assert_eq!(end_of_thought("<|im_start|>assistant\n<think>\n"), "\n</think>\n\n");
        assert_eq!(end_of_thought("<think>\n\n</think>\n\n"), "");
    }
}
