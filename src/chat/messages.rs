//! Messages as templates expect them.

use serde_json::{Map, Value, json};

use crate::{Error, Result};

/// Names that a message's reasoning is passed under; templates read the first, gpt-oss's the second.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// A message as the template of this source reads it.
pub(super) fn as_read(message: &Value, source: &str) -> Value {
    let mut message = with_reasoning(message);
    let Some(fields) = message.as_object_mut() else { return message };
    // Most templates know the system's instructions alone.
    let names_developer = ["'developer'", "\"developer\""].iter().any(|name| source.contains(name));
    if fields.get("role").is_some_and(|role| role == "developer") && !names_developer {
        fields.insert("role".into(), "system".into());
    }
    // An answer that calls tools need not say anything. Most templates add up texts, some ask whether there is one.
    let answers = fields.get("role").is_some_and(|role| role == "assistant");
    if answers && fields.get("content").is_none_or(Value::is_null) {
        fields.insert("content".into(), if asks_for_none(source) { Value::Null } else { "".into() });
    }
    message
}

/// Whether a template tells `content: null` from a text: `message['content'] is none`, `message.content is not none`.
fn asks_for_none(source: &str) -> bool {
    source.match_indices("content").any(|(at, name)| {
        let is_whole = !source[..at].ends_with(|c: char| c == '_' || c.is_alphanumeric());
        let after = source[at + name.len()..].trim_start_matches(['\'', '"', ']', ')']).trim_start();
        let asked = ["is not ", "is ", "== ", "!= "].iter().find_map(|test| after.strip_prefix(test));
        is_whole && asked.is_some_and(|what| what.starts_with("none") || what.starts_with("None"))
    })
}

/// The message, its reasoning under the names that templates read.
fn with_reasoning(message: &Value) -> Value {
    let Some(fields) = message.as_object() else { return message.clone() };
    let Some(reasoning) = REASONING.iter().find_map(|name| fields.get(*name).filter(|value| !value.is_null())) else {
        return message.clone();
    };
    let mut all = Map::new();
    all.insert("thinking".into(), reasoning.clone());
    all.extend(fields.clone());
    all.insert("reasoning_content".into(), reasoning.clone());
    Value::Object(all)
}

/// Stands at the end of the message to be continued while the template runs. The space tells whether the template trims.
const MARK: &str = "CRESSET-CONTINUES-HERE ";

/// Puts the mark at the end of the last message's text, which is given back.
pub(super) fn mark_end(messages: &mut [Value]) -> Result<String> {
    let wrong = || Error::invalid("continue_final_message", "the last message has no text to go on with");
    let content = messages.last_mut().and_then(|message| message.get_mut("content")).ok_or_else(wrong)?;
    let text = match content {
        Value::Array(parts) => parts.iter_mut().rev().find_map(|part| part.get_mut("text")).ok_or_else(wrong)?,
        whole => whole,
    };
    let Value::String(text) = text else { return Err(wrong()) };
    let before = text.clone();
    text.push_str(MARK);
    Ok(before)
}

/// The prompt up to the mark behind `text`.
pub(super) fn cut_at_mark(mut prompt: String, text: &str) -> Result<String> {
    let at = prompt.rfind(MARK.trim_end()).filter(|_| prompt.contains(text.trim()));
    let Some(at) = at else {
        let reason = "the chat template leaves out or changes the last message, so it cannot be continued";
        return Err(Error::invalid("continue_final_message", reason));
    };
    let trimmed = !prompt[at..].starts_with(MARK);
    prompt.truncate(at);
    if trimmed {
        prompt.truncate(prompt.trim_end().len());
    }
    Ok(prompt)
}

/// The messages with the arguments of tool calls as objects, the ids of our own calls short and, unless the template goes over
/// parts, with texts in parts joined, `picture` in the place of pictures; `None` if they are so already.
pub(super) fn plain(messages: &[Value], in_parts: bool, picture: &str) -> Option<Vec<Value>> {
    let mut changed = false;
    let mut messages = messages.to_vec();
    for message in &mut messages {
        if let Some(text) = message.get("content").filter(|_| !in_parts).and_then(|content| joined(content, picture)) {
            message["content"] = text.into();
            changed = true;
        }
        changed |= shorten(message.get_mut("tool_call_id"));
        for call in message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
            changed |= shorten(call.get_mut("id"));
            let Some(arguments) = call.get_mut("function").and_then(|function| function.get_mut("arguments")) else {
                continue;
            };
            if let Some(text) = arguments.as_str()
                && let Ok(object @ Value::Object(_)) = serde_json::from_str(text)
            {
                *arguments = object;
                changed = true;
            }
        }
    }
    changed.then_some(messages)
}

/// `call_` and nine letters and digits without the `call_`: Mistral's templates refuse other ids than nine of those. Whether it
/// was such an id.
fn shorten(id: Option<&mut Value>) -> bool {
    let Some(Value::String(id)) = id else { return false };
    let Some(short) = id.strip_prefix("call_").filter(|short| short.len() == 9) else { return false };
    let is_ours = short.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_ours {
        *id = short.to_string();
    }
    is_ours
}

/// The texts of contents as parts of their own; `None` if there are none.
pub(super) fn in_parts(messages: &[Value]) -> Option<Vec<Value>> {
    let mut messages = messages.to_vec();
    let texts = messages.iter_mut().filter(|message| message["content"].is_string());
    let changed =
        texts.map(|message| message["content"] = json!([{ "type": "text", "text": message["content"].take() }]));
    (changed.count() > 0).then_some(messages)
}

/// The text of a content in parts, if all of them are texts and pictures.
fn joined(content: &Value, picture: &str) -> Option<String> {
    let text = |part: &Value| match part["type"] == "image" {
        true => Some(picture.to_string()),
        false => part.get("text").and_then(Value::as_str).map(str::to_string),
    };
    let parts = content.as_array()?.iter().map(text);
    parts.collect::<Option<Vec<_>>>().map(|texts| texts.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_our_calls_lose_their_prefix_and_others_stay() {
        let messages = |id: &str| [json!({ "tool_calls": [{ "id": id }] }), json!({ "tool_call_id": id })];
        assert_eq!(plain(&messages("call_abc123xyz"), true, ""), Some(messages("abc123xyz").to_vec()));
        for id in ["abc123xyz", "call_1", "call_abc123xyz0", "call_abc-23xyz", "", "call_"] {
            assert_eq!(plain(&messages(id), true, ""), None, "{id}");
        }
    }
}
