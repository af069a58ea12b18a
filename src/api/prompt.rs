//! A chat request → its prompt: messages, tools, documents and the template's switches.

use super::fields::Fields;
use crate::chat::{ChatTemplate, RenderOptions, no_template, tool_calls};
use crate::error::{Error, Result};
use crate::tokenizer::Tokenizer;
use serde_json::{Map, Value, json};

/// How hard a model may think, in OpenAI's words.
const EFFORTS: [&str; 6] = ["none", "minimal", "low", "medium", "high", "xhigh"];

/// A chat's prompt.
pub struct ChatPrompt {
    /// The text that the model reads; control tokens in the words of others are quoted ([`Tokenizer::quoted`]).
    pub text: String,
    /// The names of the tools that the model was told about.
    pub tools: Vec<String>,
    /// The prompt ends within the last message, or within a call.
    pub continues: bool,
    /// The end of the prompt that is the beginning of a call, where the answer must be one.
    pub opening: String,
}

/// Whether the answer may, must or must not call a tool.
#[derive(Debug, PartialEq)]
enum ToolChoice<'a> {
    Auto,
    None,
    Required,
    Named(&'a str),
}

/// Messages, which were checked, and a request's other fields → the prompt.
///
/// Control tokens in the words of a user, a tool or a document are text, so that nobody speaks in another's name, unless the
/// request has `allow_special`.
///
/// `own`: the model's template, none, or why it cannot be used. `tokenizer`: for the special tokens that a request's own
/// template names. `now`: seconds since 1970 by the clock on the wall, for templates that tell the date. `picture`: its text in
/// the model's prompts.
///
/// # Errors
/// `INVALID_REQUEST` for fields that are wrong, or that the template has no place for; `MODEL_UNSUPPORTED` without a
/// template; `TEMPLATE` where the template itself fails.
pub fn chat_prompt(
    messages: &[Value],
    fields: &Fields,
    own: &Result<Option<ChatTemplate>>,
    tokenizer: Option<&Tokenizer>,
    now: Option<i64>,
    picture: &'static str,
) -> Result<ChatPrompt> {
    let mut options = RenderOptions { now, picture, ..render_options(fields)? };
    let allow_special = fields.flag("allow_special")?;
    let quotes = tokenizer.filter(|_| !allow_special);
    let quoted = quotes.and_then(|tokenizer| with_quotes(messages, tokenizer));
    let messages = quoted.as_deref().unwrap_or(messages);
    if let (Some(tokenizer), Some(documents)) = (quotes, &mut options.documents) {
        quote(documents, tokenizer);
    }
    let mut brought = None;
    let template = template(fields, own, tokenizer, &mut brought, &mut options.template)?;
    for (field, given) in [("tools", &options.tools), ("documents", &options.documents)] {
        if given.is_some() && !template.uses(field, &options)? {
            return Err(Error::invalid(field, "the model's chat template has no place for them"));
        }
    }
    let tools = options.tools.as_ref().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let names = tools.iter().filter_map(|tool| tool["function"]["name"].as_str());
    let tools: Vec<String> = names.map(str::to_string).collect();
    let mut text = template.render_request(messages, &options)?;
    let mut opening = String::new();
    let wanted = match tool_choice(fields)? {
        ToolChoice::Auto | ToolChoice::None => None,
        ToolChoice::Required => Some(Some(tools[0].as_str()).filter(|_| tools.len() == 1)),
        ToolChoice::Named(name) => Some(Some(name)),
    };
    if let Some(name) = wanted {
        opening = template.call_opening(name, &options)?.ok_or_else(|| {
            let reason = "the model's chat template teaches no way of calling tools that this version knows, so \
                          that it cannot be made to call one; leave it to the model with \"auto\"";
            Error::invalid("tool_choice", reason)
        })?;
        text.push_str(&tool_calls::end_of_thought(&text));
        text.push_str(&opening);
    }
    let continues = options.continue_final_message || !opening.is_empty();
    Ok(ChatPrompt { text, tools, continues, opening })
}

/// The messages with control tokens quoted in the words of others than the owner and the model; `None` if there are none.
fn with_quotes(messages: &[Value], tokenizer: &Tokenizer) -> Option<Vec<Value>> {
    let mut quoted = messages.to_vec();
    let mut any = false;
    for message in &mut quoted {
        if message["role"] == "user" || message["role"] == "tool" {
            any |= message.get_mut("content").is_some_and(|content| quote(content, tokenizer));
        }
    }
    any.then_some(quoted)
}

/// Quotes control tokens in a value's texts; whether there were any.
fn quote(value: &mut Value, tokenizer: &Tokenizer) -> bool {
    match value {
        Value::String(text) => match tokenizer.quoted(text) {
            Some(quoted) => {
                *text = quoted;
                true
            }
            None => false,
        },
        Value::Array(list) => list.iter_mut().fold(false, |any, item| quote(item, tokenizer) | any),
        Value::Object(fields) => fields.values_mut().fold(false, |any, item| quote(item, tokenizer) | any),
        _ => false,
    }
}

/// The template that a request wants: the model's own, `which` of several by name, or one that it brought.
fn template<'a>(
    fields: &Fields,
    own: &'a Result<Option<ChatTemplate>>,
    tokenizer: Option<&Tokenizer>,
    brought: &'a mut Option<ChatTemplate>,
    which: &mut Option<String>,
) -> Result<&'a ChatTemplate> {
    let usable = own.as_ref().ok().and_then(Option::as_ref);
    match (fields.text("chat_template")?, usable, own) {
        (None, Some(template), _) => Ok(template),
        (None, None, Err(broken)) => Err(broken.clone()),
        (None, None, Ok(_)) => Err(no_template()),
        (Some(name), Some(template), _) if template.names().iter().any(|known| known == name) => {
            *which = Some(name.to_string());
            Ok(template)
        }
        (Some(source), ..) => Ok(brought.insert(ChatTemplate::from_request(source, usable, tokenizer)?)),
    }
}

/// The template's options as a request has them.
fn render_options(fields: &Fields) -> Result<RenderOptions> {
    let continue_final_message = fields.flag("continue_final_message")?;
    let add_generation_prompt = match fields.get("add_generation_prompt") {
        None => !continue_final_message,
        Some(_) => fields.flag("add_generation_prompt")?,
    };
    if continue_final_message && add_generation_prompt {
        let reason = "the last message cannot go on when the assistant's next one begins; set only one";
        return Err(Error::invalid("continue_final_message", reason));
    }
    let mut extra = match fields.get("chat_template_kwargs") {
        None => Map::new(),
        Some(Value::Object(extra)) => extra.clone(),
        Some(_) => return Err(Error::invalid("chat_template_kwargs", "must be an object")),
    };
    if fields.get("enable_thinking").is_some() {
        extra.insert("enable_thinking".into(), json!(fields.flag("enable_thinking")?));
    }
    if let Some(effort) = fields.text("reasoning_effort")? {
        if !EFFORTS.contains(&effort) {
            let reason = format!("must be one of {}, not {effort}", EFFORTS.join(", "));
            return Err(Error::invalid("reasoning_effort", reason));
        }
        extra.entry("reasoning_effort").or_insert_with(|| json!(effort));
        // Templates that know only on and off.
        extra.entry("enable_thinking").or_insert_with(|| json!(effort != "none"));
    }
    let tools = tools(fields)?;
    let documents = documents(fields)?;
    Ok(RenderOptions {
        add_generation_prompt,
        continue_final_message,
        tools,
        documents,
        extra,
        ..RenderOptions::default()
    })
}

/// Which tool the answer calls, if the request says.
fn tool_choice<'a>(fields: &Fields<'a>) -> Result<ToolChoice<'a>> {
    let wrong = || {
        let reason =
            "must be \"auto\", \"none\", \"required\" or {\"type\": \"function\", \"function\": {\"name\": …}}";
        Error::invalid("tool_choice", reason)
    };
    let choice = match fields.get("tool_choice") {
        None => ToolChoice::Auto,
        Some(Value::String(choice)) => match choice.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" => ToolChoice::Required,
            _ => return Err(wrong()),
        },
        Some(choice) if choice["type"] == "function" => {
            ToolChoice::Named(choice["function"]["name"].as_str().ok_or_else(wrong)?)
        }
        Some(_) => return Err(wrong()),
    };
    if matches!(choice, ToolChoice::Required | ToolChoice::Named(_)) {
        let names = fields.get("tools").and_then(Value::as_array).into_iter().flatten();
        let mut names = names.filter_map(|tool| tool["function"]["name"].as_str());
        let known = match choice {
            ToolChoice::Named(wanted) => names.any(|name| name == wanted),
            _ => names.next().is_some(),
        };
        if !known {
            return Err(Error::invalid("tool_choice", "calls for a tool that is not among the request's tools"));
        }
        if fields.flag("continue_final_message")? || fields.get("add_generation_prompt") == Some(&Value::Bool(false)) {
            let reason = "begins the assistant's answer, so that the prompt must leave off where one begins";
            return Err(Error::invalid("tool_choice", reason));
        }
    }
    Ok(choice)
}

/// The tools to show; `None` if there are none, or none is to be called.
fn tools(fields: &Fields) -> Result<Option<Value>> {
    let shown = tool_choice(fields)? != ToolChoice::None;
    let Some(tools) = fields.get("tools") else { return Ok(None) };
    let list = tools.as_array().ok_or_else(|| Error::invalid("tools", "must be a list"))?;
    for (i, tool) in list.iter().enumerate() {
        if tool["type"] != "function" || tool["function"]["name"].as_str().is_none_or(str::is_empty) {
            let reason = "must be {\"type\": \"function\", \"function\": {\"name\": …}}";
            return Err(Error::invalid(format!("tools[{i}]"), reason));
        }
    }
    Ok((shown && !list.is_empty()).then(|| tools.clone()))
}

fn documents(fields: &Fields) -> Result<Option<Value>> {
    match fields.get("documents") {
        None => Ok(None),
        Some(Value::Array(list)) if list.iter().all(Value::is_object) => {
            Ok((!list.is_empty()).then(|| Value::Array(list.clone())))
        }
        Some(_) => Err(Error::invalid("documents", "must be a list of objects, such as {\"title\": …, \"text\": …}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(request: Value) -> Result<RenderOptions> {
        render_options(&Fields::of(&request)?)
    }

    #[test]
    fn switches() {
        let plain = options(json!({})).unwrap();
        assert!(plain.add_generation_prompt && !plain.continue_final_message && plain.extra.is_empty());
        let continued = options(json!({ "continue_final_message": true })).unwrap();
        assert!(!continued.add_generation_prompt && continued.continue_final_message);
        let extra = |request: Value| Value::Object(options(request).unwrap().extra);
        assert_eq!(extra(json!({ "enable_thinking": false })), json!({ "enable_thinking": false }));
        let none = json!({ "reasoning_effort": "none", "enable_thinking": false });
        assert_eq!(extra(json!({ "reasoning_effort": "none" })), none);
        let kwargs =
            json!({ "reasoning_effort": "low", "chat_template_kwargs": { "enable_thinking": false, "x": [1] } });
        assert_eq!(extra(kwargs), json!({ "enable_thinking": false, "x": [1], "reasoning_effort": "low" }));
    }

    #[test]
    fn tools_are_shown_unless_none_is_wanted() {
        let tool = json!({ "type": "function", "function": { "name": "now" } });
        let shown = |request: Value| options(request).unwrap().tools;
        assert_eq!(shown(json!({ "tools": [tool] })), Some(json!([tool])));
        assert_eq!(shown(json!({ "tools": [tool], "tool_choice": "auto" })), Some(json!([tool])));
        assert_eq!(shown(json!({ "tools": [tool], "tool_choice": "none" })), None);
        for choice in [json!("required"), tool.clone()] {
            assert_eq!(shown(json!({ "tools": [tool], "tool_choice": choice })), Some(json!([tool])));
        }
        assert_eq!(shown(json!({ "tools": [], "documents": [] })), None);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let named = json!({ "type": "function", "function": { "name": "now" } });
        for (field, request) in [
            ("tools", json!({ "tools": {} })),
            ("tools[1]", json!({ "tools": [named, { "type": "function", "function": {} }] })),
            ("tool_choice", json!({ "tools": [named], "tool_choice": "always" })),
            ("tool_choice", json!({ "tools": [named], "tool_choice": { "type": "function" } })),
            ("tool_choice", json!({ "tools": [], "tool_choice": "required" })),
            ("tool_choice", json!({ "tool_choice": named })),
            (
                "tool_choice",
                json!({ "tools": [named], "tool_choice": { "type": "function", "function": { "name": "x" } } }),
            ),
            ("tool_choice", json!({ "tools": [named], "tool_choice": named, "continue_final_message": true })),
            ("documents", json!({ "documents": ["text"] })),
            ("chat_template_kwargs", json!({ "chat_template_kwargs": [] })),
            ("enable_thinking", json!({ "enable_thinking": "no" })),
            ("reasoning_effort", json!({ "reasoning_effort": "much" })),
            ("continue_final_message", json!({ "continue_final_message": true, "add_generation_prompt": true })),
        ] {
            let error = options(request).unwrap_err();
            assert_eq!((error.code(), &error.details()["field"]), ("INVALID_REQUEST", &json!(field)));
        }
    }
}
