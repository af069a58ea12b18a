//! The messages of a chat, checked.

use super::fields::Fields;
use crate::error::{Error, Result};
use serde_json::Value;

/// Who may speak. Templates have no place for others, or fall silent about them.
const ROLES: [&str; 5] = ["system", "developer", "user", "assistant", "tool"];

/// The `messages` of a chat's request.
///
/// # Errors
/// `INVALID_REQUEST` if there are none, or one that this build cannot read.
pub fn messages<'a>(fields: &Fields<'a>) -> Result<&'a [Value]> {
    let messages = fields.get("messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if messages.is_empty() {
        return Err(Error::invalid("messages", "must be a list of at least one message"));
    }
    check(messages)?;
    Ok(messages)
}

/// Every message has a role and a content that this build can read.
///
/// # Errors
/// `INVALID_REQUEST`, naming the first message of which that is not so.
pub fn check(messages: &[Value]) -> Result<()> {
    for (i, message) in messages.iter().enumerate() {
        let wrong = |reason: &str| Err(Error::invalid(format!("messages[{i}]"), reason));
        let within = |field: &str, reason: &str| Err(Error::invalid(format!("messages[{i}].{field}"), reason));
        match message["role"].as_str() {
            None => return wrong("must have a role, such as \"user\""),
            Some("tool") if message["tool_call_id"].as_str().is_none_or(str::is_empty) => {
                return within("tool_call_id", "must be the id of the call that the message answers");
            }
            Some(role) if !ROLES.contains(&role) => {
                return within("role", &format!("must be one of {}, not {role}", ROLES.join(", ")));
            }
            Some(_) => {}
        }
        let calls = &message["tool_calls"];
        if !calls.is_null() && calls.as_array().is_none_or(|list| !list.iter().all(|call| call["function"].is_object()))
        {
            return wrong("tool_calls must be a list of {\"type\": \"function\", \"function\": …}");
        }
        let may_be_empty = message["role"] == "assistant" && calls.as_array().is_some_and(|list| !list.is_empty());
        match &message["content"] {
            Value::String(_) => {}
            Value::Null if may_be_empty => {}
            Value::Array(parts) => {
                for part in parts {
                    match part["type"].as_str() {
                        Some("text") if part["text"].is_string() => {}
                        Some("image_url") if part["image_url"].is_object() => {}
                        Some("input_audio") => {
                            return wrong(
                                "has input_audio among its parts; make text of it with audio.transcriptions, and send that",
                            );
                        }
                        kind => {
                            let kind = kind.unwrap_or("something else");
                            return wrong(&format!("has {kind} among its parts; they may be text and image_url"));
                        }
                    }
                }
            }
            _ => return wrong("must have a content: text, or a list of parts"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn messages_have_a_role_and_a_content() {
        let call = json!([{ "id": "1", "type": "function", "function": { "name": "now", "arguments": "{}" } }]);
        let good = [
            json!({ "role": "user", "content": "x" }),
            json!({ "role": "user", "content": [{ "type": "text", "text": "x" }] }),
            json!({ "role": "assistant", "content": null, "tool_calls": call }),
            json!({ "role": "assistant", "tool_calls": call }),
            json!({ "role": "tool", "tool_call_id": "1", "content": "noon" }),
        ];
        assert_eq!(check(&good), Ok(()));
        for wrong in [
            json!("x"),
            json!({ "content": "x" }),
            json!({ "role": "user" }),
            json!({ "role": "user", "content": null, "tool_calls": call }),
            json!({ "role": "assistant", "content": null, "tool_calls": [] }),
            json!({ "role": "assistant", "content": "x", "tool_calls": [1] }),
            json!({ "role": "user", "content": [{ "type": "image_url", "image_url": "x" }] }),
            json!({ "role": "user", "content": [{ "type": "input_audio", "input_audio": {} }] }),
            json!({ "role": "user", "content": 7 }),
        ] {
            let error = check(&[good[0].clone(), wrong]).unwrap_err();
            assert_eq!(error.details()["field"], "messages[1]", "{error}");
        }
    }

    #[test]
    fn roles_are_openais_and_results_say_of_which_call() {
        for role in ["system", "developer"] {
            assert_eq!(check(&[json!({ "role": role, "content": "x" })]), Ok(()));
        }
        for (field, message) in [
            ("messages[0].role", json!({ "role": "bot", "content": "x" })),
            ("messages[0].role", json!({ "role": "function", "name": "now", "content": "x" })),
            ("messages[0].tool_call_id", json!({ "role": "tool", "content": "x" })),
            ("messages[0].tool_call_id", json!({ "role": "tool", "tool_call_id": "", "content": "x" })),
        ] {
            let error = check(&[message]).unwrap_err();
            assert_eq!((error.code(), &error.details()["field"]), ("INVALID_REQUEST", &json!(field)));
        }
    }
}
