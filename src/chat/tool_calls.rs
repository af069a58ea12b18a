//! Tool calls in a model's answer. In: text as it is written, piece by piece. Out: the text to show, and the calls.
//!
//! Models write calls as JSON behind a marker, each family behind its own ([`FORMATS`]); some write the bare JSON, or put it
//! into a code block. A call comes out as soon as its JSON is complete. What begins like a call and is none stays text: nothing
//! is lost.

mod opening;

pub use opening::{end_of_thought, opening};

use opening::THOUGHTS;
use serde_json::Value;

/// A call of a tool, as OpenAI's `function`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// The name of the function.
    pub name: String,
    /// The text of a JSON object.
    pub arguments: String,
}

/// How a family of models writes calls: `{open}{JSON}{close}`, the JSON one call or a list of calls.
#[derive(Debug)]
struct Format {
    open: &'static str,
    /// What may end a block of calls.
    close: Option<&'static str>,
    /// Also `name[ARGS]{JSON of the arguments}`.
    named: bool,
    /// Nothing else is written that way. Otherwise only JSON that calls a tool of the request is a call.
    sure: bool,
}

static FORMATS: &[Format] = &[
    // Hermes, Qwen 2.5 and 3, SmolLM 3, Granite 4.
    Format { open: "<tool_call>", close: Some("</tool_call>"), named: false, sure: true },
    // Granite 3, which does not close them, and Phi-4-mini.
    Format { open: "<|tool_call|>", close: Some("<|/tool_call|>"), named: false, sure: true },
    // Mistral; the name before the arguments since version 11.
    Format { open: "[TOOL_CALLS]", close: None, named: true, sure: true },
    // Llama 3.
    Format { open: "<|python_tag|>", close: None, named: false, sure: true },
    // Small models that know Markdown better than their marker, as Qwen 2.5 Coder: a code block.
    Format { open: FENCE, close: Some(FENCE), named: false, sure: false },
];
const FENCE: &str = "```";
/// What may stand behind the fence.
const LANGUAGES: [&str; 2] = ["json", "tool_call"];

/// Llama 3 without its marker, and others: JSON at the beginning of a line.
static BARE: Format = Format { open: "", close: None, named: false, sure: false };
/// The keys that the JSON of a call may begin with.
const FIRST_KEYS: [&str; 6] = ["name", "function", "type", "id", "arguments", "parameters"];

/// Between the name and the arguments of Mistral's named calls: an id, which is dropped, and the marker of arguments.
const CALL_ID: &str = "[CALL_ID]";
const ARGS: &str = "[ARGS]";

/// Bytes of a tool's name; OpenAI allows 64.
const MAX_NAME: usize = 256;
/// Bytes that are held back for what may follow, outside of JSON.
const MAX_HELD: usize = 1024;

/// Texts that are single control tokens in some vocabularies and must be seen here all the same.
pub fn markers() -> impl Iterator<Item = &'static str> {
    let formats = FORMATS.iter().flat_map(|format| [Some(format.open), format.close]).flatten();
    formats.chain([CALL_ID, ARGS]).chain(THOUGHTS.iter().flat_map(|(open, close)| [*open, *close]))
}

/// What a piece of an answer amounts to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Text to show.
    pub text: String,
    /// Calls that are complete.
    pub calls: Vec<ToolCall>,
}

/// Finds calls in an answer that comes in pieces.
pub struct ToolCallParser {
    /// Names of the request's tools, which JSON without a marker may call.
    tools: Vec<String>,
    held: String,
    state: State,
    /// Nothing but white space stands on the line that is being written, or since the reasoning.
    at_line_start: bool,
    any_calls: bool,
}

#[derive(Debug)]
enum State {
    Text,
    /// Until this text.
    Thought(&'static str),
    /// `held` starts with white space and a marker, or where the last call of the block ended.
    Block {
        format: &'static Format,
        /// Where in `held` the marker ends.
        opening: usize,
        calls: usize,
        /// Where in `held` the next value is looked for.
        at: usize,
        value: Option<JsonValue>,
    },
}

/// What to do next.
enum Next {
    Again,
    /// The text so far does not tell.
    Wait,
}

impl ToolCallParser {
    /// `tools` are the names of the tools that the model was told about; `in_thought` says that the prompt ends in the
    /// beginning of its reasoning.
    pub fn new(tools: Vec<String>, in_thought: bool) -> Self {
        let state = if in_thought { State::Thought(THOUGHTS[0].1) } else { State::Text };
        ToolCallParser { tools, held: String::new(), state, at_line_start: true, any_calls: false }
    }

    /// Whether a prompt leaves off where the model's reasoning begins.
    pub fn begins_thought(prompt: &str) -> bool {
        prompt.trim_end().ends_with(THOUGHTS[0].0)
    }

    /// Takes the next piece of the answer.
    pub fn push(&mut self, text: &str) -> Found {
        self.held.push_str(text);
        let mut found = Found::default();
        while let Next::Again = self.step(&mut found) {}
        self.any_calls |= !found.calls.is_empty();
        found
    }

    /// The answer has ended: what was held back is text after all, unless it is the rest of a call.
    pub fn finish(&mut self) -> String {
        let rest = std::mem::take(&mut self.held);
        let state = std::mem::replace(&mut self.state, State::Text);
        let over = match state {
            State::Block { format, calls, .. } if calls > 0 => {
                let rest = rest.trim_start();
                rest.is_empty() || format.close.is_some_and(|close| close.starts_with(rest))
            }
            State::Text => self.any_calls && rest.trim().is_empty(),
            _ => false,
        };
        if over { String::new() } else { rest }
    }

    fn step(&mut self, found: &mut Found) -> Next {
        match self.state {
            State::Text => self.text(found),
            State::Thought(end) => match self.held.find(end) {
                Some(at) => {
                    self.show(at + end.len(), found);
                    (self.state, self.at_line_start) = (State::Text, true);
                    Next::Again
                }
                None => {
                    let keep = prefix_at_end(&self.held, end);
                    self.show(self.held.len() - keep, found);
                    Next::Wait
                }
            },
            State::Block { .. } => self.block(found),
        }
    }

    /// Moves the first `n` held bytes to the text.
    fn show(&mut self, n: usize, found: &mut Found) {
        let shown = &self.held[..n];
        let (new_line, line) = shown.rsplit_once('\n').map_or((false, shown), |(_, line)| (true, line));
        self.at_line_start = (self.at_line_start || new_line) && line.trim().is_empty();
        found.text.extend(self.held.drain(..n));
    }

    fn text(&mut self, found: &mut Found) -> Next {
        let bare_json = self.bare_json();
        let bare = bare_json.filter(|(_, tells)| *tells).map(|(at, _)| (at, &BARE));
        let call = self.formats().filter_map(|format| Some((self.held.find(format.open)?, format)));
        let call = call.chain(bare).min_by_key(|(at, _)| *at);
        let thoughts = THOUGHTS.iter().filter_map(|(open, close)| Some((self.held.find(open)? + open.len(), *close)));
        match (call, thoughts.min_by_key(|(end, _)| *end)) {
            (Some((at, _)), Some((end, close))) if end <= at => self.think(end, close, found),
            (None, Some((end, close))) => self.think(end, close, found),
            (Some((at, format)), _) => {
                // White space between words and calls belongs to neither.
                let words = self.held[..at].trim_end().len();
                self.show(words, found);
                let opening = at - words + format.open.len();
                self.state = State::Block { format, opening, calls: 0, at: opening, value: None };
                Next::Again
            }
            (None, None) => {
                let openings = self.formats().map(|f| f.open).chain(THOUGHTS.iter().map(|(open, _)| *open));
                let list = bare_json.map_or(0, |(at, _)| self.held.len() - at); // a list that has only begun
                let keep = openings.map(|open| prefix_at_end(&self.held, open)).max().unwrap_or(0).max(list);
                let words = self.held[..self.held.len() - keep].trim_end().len();
                let most = self.held.floor_char_boundary((self.held.len() - keep).saturating_sub(MAX_HELD));
                self.show(words.max(most), found);
                Next::Wait
            }
        }
    }

    /// The formats that count: those that are not sure, only where there are tools to call.
    fn formats(&self) -> impl Iterator<Item = &'static Format> {
        let any_tools = !self.tools.is_empty();
        FORMATS.iter().filter(move |format| format.sure || any_tools)
    }

    /// Where in `held` a line begins with an object or a list of objects, and whether what is there already tells.
    fn bare_json(&self) -> Option<(usize, bool)> {
        let mut start = 0;
        self.held.split_inclusive('\n').find_map(|line| {
            let at = start + line.len() - line.trim_start().len();
            let whole = start > 0 || self.at_line_start;
            start += line.len();
            let text = &self.held[at..];
            let inside = text.strip_prefix('[').map_or(text, str::trim_start);
            let tells = inside.starts_with('{') || (inside.is_empty() && !text.is_empty());
            (whole && !self.tools.is_empty() && tells).then_some((at, !inside.is_empty()))
        })
    }

    fn think(&mut self, end: usize, close: &'static str, found: &mut Found) -> Next {
        self.show(end, found);
        self.state = State::Thought(close);
        Next::Again
    }

    fn block(&mut self, found: &mut Found) -> Next {
        let State::Block { format, opening, calls, at, value } = &mut self.state else {
            unreachable!("asked for in a block")
        };
        let opening = *opening;
        if value.is_none() {
            let between = |c: char| c.is_whitespace() || (*calls > 0 && matches!(c, ',' | ';'));
            *at = self.held.len() - self.held[*at..].trim_start_matches(between).len();
            *value = match begin(&self.held[*at..], format, *calls) {
                Begin::Value(name, start) => Some(JsonValue::at(*at + start, name)),
                Begin::Wait => return Next::Wait,
                Begin::Close(n) => {
                    self.held.drain(..*at + n);
                    self.state = State::Text;
                    return Next::Again;
                }
                Begin::Nothing if *calls > 0 => {
                    self.state = State::Text;
                    return Next::Again;
                }
                Begin::Nothing => return self.no_call(opening, found),
            };
        }
        let Some(json) = value else { unreachable!("it has just been set") };
        if !format.sure && *calls == 0 && json.is_other(&self.held) {
            let shown = json.start.max(1); // more than nothing, so that the same place is not looked at again
            return self.no_call(shown, found);
        }
        let Some(end) = json.end(&self.held) else { return Next::Wait };
        match json.calls(&self.held[json.start..end]) {
            Some(new) if format.sure || new.iter().all(|call| self.tools.contains(&call.name)) => {
                *calls += 1;
                (*at, *value) = (0, None);
                found.calls.extend(new);
                self.held.drain(..end);
                Next::Again
            }
            _ => self.no_call(end, found),
        }
    }

    /// The first `n` held bytes are text, though they looked like a call.
    fn no_call(&mut self, n: usize, found: &mut Found) -> Next {
        self.state = State::Text;
        self.show(n, found);
        self.at_line_start = false;
        Next::Again
    }
}

/// Bytes at the end of `text` that begin `marker`.
fn prefix_at_end(text: &str, marker: &str) -> usize {
    let most = text.len().min(marker.len() - 1);
    (1..=most).rev().find(|&n| marker.is_char_boundary(n) && text.ends_with(&marker[..n])).unwrap_or(0)
}

/// How a block goes on.
enum Begin {
    /// A JSON value starts so many bytes on; the name that stood before it.
    Value(Option<String>, usize),
    /// So many bytes end the block.
    Close(usize),
    Wait,
    Nothing,
}

fn begin(text: &str, format: &Format, calls: usize) -> Begin {
    if text.is_empty() {
        return Begin::Wait;
    }
    if calls > 0 {
        let begins = |marker: &str| marker.len() > text.len() && marker.starts_with(text);
        if let Some(close) = format.close {
            match text.starts_with(close) {
                true => return Begin::Close(close.len()),
                false if begins(close) => return Begin::Wait,
                false => {}
            }
        }
        if FORMATS.iter().any(|format| text.starts_with(format.open)) {
            return Begin::Nothing;
        }
        if FORMATS.iter().any(|format| begins(format.open)) {
            return Begin::Wait;
        }
    }
    match text.as_bytes()[0] {
        b'{' | b'[' => Begin::Value(None, 0),
        _ if format.named => begin_named(text),
        _ if format.open == FENCE && calls == 0 => begin_in_fence(text),
        _ => Begin::Nothing,
    }
}

/// `json {`
fn begin_in_fence(text: &str) -> Begin {
    let Some(rest) = LANGUAGES.iter().find_map(|language| text.strip_prefix(language)) else {
        return if LANGUAGES.iter().any(|language| language.starts_with(text)) { Begin::Wait } else { Begin::Nothing };
    };
    let json = rest.trim_start();
    match json.as_bytes().first() {
        Some(b'{' | b'[') => Begin::Value(None, text.len() - json.len()),
        None if rest.len() < MAX_HELD => Begin::Wait,
        _ => Begin::Nothing,
    }
}

/// `name{`, `name[ARGS]{`, `name[CALL_ID]id[ARGS]{`.
fn begin_named(text: &str) -> Begin {
    let word = |text: &str| text.find(|c: char| !c.is_ascii_alphanumeric() && !"_-.".contains(c)).unwrap_or(text.len());
    let n = word(text);
    if n == 0 || n > MAX_NAME {
        return Begin::Nothing;
    }
    let mut rest = &text[n..];
    if let Some(id) = rest.strip_prefix(CALL_ID) {
        rest = &id[word(id)..];
    }
    rest = rest.strip_prefix(ARGS).unwrap_or(rest).trim_start();
    match rest {
        _ if rest.starts_with('{') => Begin::Value(Some(text[..n].to_owned()), text.len() - rest.len()),
        _ if text.len() > MAX_HELD => Begin::Nothing,
        _ if CALL_ID.starts_with(rest) || ARGS.starts_with(rest) => Begin::Wait,
        _ => Begin::Nothing,
    }
}

/// A JSON object or list that is being written.
#[derive(Debug)]
struct JsonValue {
    start: usize,
    /// The name of the tool, where the value is its arguments.
    name: Option<String>,
    /// How far it was looked at.
    seen: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl JsonValue {
    fn at(start: usize, name: Option<String>) -> Self {
        JsonValue { start, name, seen: start, depth: 0, in_string: false, escaped: false }
    }

    /// One past its last byte, once that is there.
    fn end(&mut self, text: &str) -> Option<usize> {
        for (i, byte) in text.bytes().enumerate().skip(self.seen) {
            self.seen = i + 1;
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Some(self.seen);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// What is there cannot become a call or a list of calls.
    fn is_other(&self, text: &str) -> bool {
        let text = &text[self.start..];
        let text = text.strip_prefix('[').map_or(text, str::trim_start);
        let Some(text) = text.strip_prefix('{') else { return !text.is_empty() };
        let text = text.trim_start();
        let Some(text) = text.strip_prefix('"') else { return !text.is_empty() };
        let key = text.split_once('"').map(|(key, _)| key);
        !FIRST_KEYS.iter().any(|first| key.map_or(first.starts_with(text), |key| key == *first))
    }

    /// The calls that the complete value holds; `None` if it is anything else.
    fn calls(&self, json: &str) -> Option<Vec<ToolCall>> {
        let value: Value = serde_json::from_str(json).ok()?;
        match (&self.name, value) {
            (Some(name), value @ Value::Object(_)) => {
                Some(vec![ToolCall { name: name.clone(), arguments: value.to_string() }])
            }
            (None, Value::Array(list)) if !list.is_empty() => list.iter().map(call).collect(),
            (None, value) => call(&value).map(|call| vec![call]),
            _ => None,
        }
    }
}

/// `{"name", "arguments" or "parameters"}`, also inside of `{"type": "function", "function": …}`.
fn call(value: &Value) -> Option<ToolCall> {
    let value = value.get("function").filter(|function| function.is_object()).unwrap_or(value);
    let name = value.get("name").or_else(|| value.get("function"))?.as_str()?;
    if name.is_empty() || name.len() > MAX_NAME {
        return None;
    }
    let arguments = match value.get("arguments").or_else(|| value.get("parameters")) {
        None | Some(Value::Null) => "{}".to_owned(),
        Some(object @ Value::Object(_)) => object.to_string(),
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(Value::Object(_)) => text.clone(),
            _ => return None,
        },
        Some(_) => return None,
    };
    Some(ToolCall { name: name.to_owned(), arguments })
}

#[cfg(test)]
mod tests;
