//! OpenAI's answer objects.

use super::request::Shown;
use crate::chat::tool_calls::ToolCall;
use crate::generate::{Finish, Outcome};
use serde_json::{Map, Value, json};

/// Which family of objects an answer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    /// `text_completion`.
    Completion,
    /// `chat.completion`, in chunks `chat.completion.chunk`.
    Chat,
}

/// The fields that all objects of one answer share.
pub struct Envelope {
    /// Which family its objects belong to.
    pub kind: AnswerKind,
    /// The answer's own, such as `chatcmpl-…`.
    pub id: String,
    /// Seconds since 1970.
    pub created: u64,
    /// The model's name.
    pub model: String,
    /// The details that the request asks for.
    pub shown: Shown,
}

/// A piece of one choice's text with its details.
#[derive(Default)]
pub struct Piece {
    /// The text, without tool calls.
    pub text: String,
    /// Tool calls that are complete.
    pub calls: Vec<Call>,
    /// The tokens it was made from.
    pub ids: Vec<u32>,
    /// One a token, where they are wanted.
    pub logprobs: Vec<TokenLogprob>,
}

impl Piece {
    /// Whether there is text or a call.
    pub fn says_something(&self) -> bool {
        !self.text.is_empty() || !self.calls.is_empty()
    }

    /// Appends the next piece.
    pub fn append(&mut self, mut next: Piece) {
        self.text.push_str(&next.text);
        self.calls.append(&mut next.calls);
        self.ids.append(&mut next.ids);
        self.logprobs.append(&mut next.logprobs);
    }
}

/// A tool call of a choice.
pub struct Call {
    /// Its number within the choice, from 0.
    pub index: usize,
    /// `call_…`, random.
    pub id: String,
    /// The tool's name and arguments.
    pub call: ToolCall,
}

impl Call {
    fn object(&self) -> Value {
        let ToolCall { name, arguments } = &self.call;
        json!({ "id": self.id, "type": "function", "function": { "name": name, "arguments": arguments } })
    }
}

/// A token, its log-probability, and the most probable alternatives.
pub struct TokenLogprob {
    /// Its text, with replacement characters where its bytes are none.
    pub token: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The natural logarithm of its probability.
    pub logprob: f32,
    /// (text, bytes, log-probability) of others, the likeliest first.
    pub top: Vec<(String, Vec<u8>, f32)>,
}

/// Seconds of the phases of an answer.
#[derive(Default, Clone, Copy)]
pub struct Times {
    /// From the request to its first token.
    pub first_token: f64,
    /// From the first token to the last.
    pub decode: f64,
}

impl Envelope {
    fn object(&self, object: &str, choices: Vec<Value>) -> Value {
        json!({ "id": self.id, "object": object, "created": self.created, "model": self.model, "choices": choices })
    }

    /// The object of a stream that carries `choices`.
    fn chunk(&self, choices: Vec<Value>) -> Value {
        match self.kind {
            AnswerKind::Completion => self.object("text_completion", choices),
            AnswerKind::Chat => self.object("chat.completion.chunk", choices),
        }
    }

    /// The first chunk of a chat's choice says who speaks.
    pub fn opening(&self, index: usize) -> Option<Value> {
        let delta = json!({ "role": "assistant", "content": "" });
        let choice = json!({ "index": index, "delta": delta, "logprobs": null, "finish_reason": null });
        (self.kind == AnswerKind::Chat).then(|| self.chunk(vec![choice]))
    }

    /// One piece of a choice's text.
    pub fn piece(&self, index: usize, piece: &Piece) -> Value {
        let content = match self.kind {
            AnswerKind::Completion => ("text", json!(piece.text)),
            AnswerKind::Chat => ("delta", delta(piece)),
        };
        self.chunk(vec![self.choice_object(index, content, None, self.shown, piece)])
    }

    /// The chunk that ends a choice.
    pub fn closing(&self, index: usize, reason: &'static str) -> Value {
        let content = match self.kind {
            AnswerKind::Completion => ("text", json!("")),
            AnswerKind::Chat => ("delta", json!({})),
        };
        self.chunk(vec![self.choice_object(index, content, Some(reason), Shown::default(), &Piece::default())])
    }

    /// The last chunk of a stream whose caller asked for usage.
    pub fn usage_chunk(&self, usage: Value) -> Value {
        let mut chunk = self.chunk(Vec::new());
        chunk["usage"] = usage;
        chunk
    }

    /// A whole choice.
    pub fn choice(&self, index: usize, piece: &Piece, reason: &'static str) -> Value {
        let content = match self.kind {
            AnswerKind::Completion => ("text", json!(piece.text)),
            AnswerKind::Chat => ("message", message(piece)),
        };
        self.choice_object(index, content, Some(reason), self.shown, piece)
    }

    fn choice_object(
        &self,
        index: usize,
        (name, content): (&str, Value),
        finish_reason: Option<&'static str>,
        shown: Shown,
        piece: &Piece,
    ) -> Value {
        let mut choice = Map::new();
        choice.insert("index".into(), json!(index));
        choice.insert(name.into(), content);
        let logprobs = if shown.logprobs.is_some() { self.logprobs(&piece.logprobs) } else { Value::Null };
        choice.insert("logprobs".into(), logprobs);
        choice.insert("finish_reason".into(), json!(finish_reason));
        if shown.token_ids {
            choice.insert("token_ids".into(), json!(piece.ids));
        }
        Value::Object(choice)
    }

    fn logprobs(&self, tokens: &[TokenLogprob]) -> Value {
        match self.kind {
            AnswerKind::Chat => {
                let entry = |token: &str, bytes: &[u8], logprob: f32| json!({ "token": token, "logprob": logprob, "bytes": bytes });
                let content = tokens.iter().map(|t| {
                    let mut value = entry(&t.token, &t.bytes, t.logprob);
                    value["top_logprobs"] = t.top.iter().map(|(text, bytes, l)| entry(text, bytes, *l)).collect();
                    value
                });
                json!({ "content": content.collect::<Vec<_>>() })
            }
            AnswerKind::Completion => {
                let top =
                    |t: &TokenLogprob| t.top.iter().map(|(text, _, l)| (text.clone(), json!(l))).collect::<Map<_, _>>();
                json!({
                    "tokens": tokens.iter().map(|t| &t.token).collect::<Vec<_>>(),
                    "token_logprobs": tokens.iter().map(|t| t.logprob).collect::<Vec<_>>(),
                    "top_logprobs": tokens.iter().map(top).collect::<Vec<_>>(),
                })
            }
        }
    }

    /// The whole answer, when it was not streamed.
    pub fn whole(&self, choices: Vec<Value>, usage: Value) -> Value {
        let name = if self.kind == AnswerKind::Chat { "chat.completion" } else { "text_completion" };
        let mut object = self.object(name, choices);
        object["usage"] = usage;
        object
    }
}

/// The `delta` of a chat's chunk. A tool call comes in one piece.
fn delta(piece: &Piece) -> Value {
    if piece.calls.is_empty() {
        return json!({ "content": piece.text });
    }
    let calls = piece.calls.iter().map(|call| {
        let mut object = call.object();
        object["index"] = json!(call.index);
        object
    });
    let calls: Vec<Value> = calls.collect();
    match piece.text.is_empty() {
        true => json!({ "tool_calls": calls }),
        false => json!({ "content": piece.text, "tool_calls": calls }),
    }
}

/// A chat's whole answer. One of calls alone has no content.
fn message(piece: &Piece) -> Value {
    if piece.calls.is_empty() {
        return json!({ "role": "assistant", "content": piece.text });
    }
    let content = if piece.text.is_empty() { Value::Null } else { json!(piece.text) };
    let calls: Vec<Value> = piece.calls.iter().map(Call::object).collect();
    json!({ "role": "assistant", "content": content, "tool_calls": calls })
}

/// How a choice ended; `called` if it has tool calls.
pub fn finish_reason(finish: Finish, called: bool) -> &'static str {
    match finish {
        Finish::Stop if called => "tool_calls",
        Finish::Stop => "stop",
        // What is there is not the whole answer.
        Finish::Length | Finish::Repetition => "length",
        Finish::Abort => "abort",
    }
}

/// OpenAI's `usage`, with our `extra`. `outcomes` are those of the choices; times those of the first.
pub fn usage(outcomes: &[Outcome], times: Times) -> Value {
    let Some(first) = outcomes.first() else { return Value::Null };
    let completion: usize = outcomes.iter().map(|o| o.tokens).sum();
    let rate = |tokens: usize, seconds: f64| if seconds > 0.0 { json!(tokens as f64 / seconds) } else { Value::Null };
    let mut usage = json!({
        "prompt_tokens": first.prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": first.prompt_tokens + completion,
        "prompt_tokens_details": { "cached_tokens": first.cached_tokens },
        "extra": {
            "prefill_tokens_per_s": rate(first.prompt_tokens - first.cached_tokens, times.first_token),
            "decode_tokens_per_s": rate(first.tokens.saturating_sub(1), times.decode),
            "time_to_first_token_s": times.first_token,
            "cached_tokens": first.cached_tokens,
        },
    });
    if outcomes.iter().any(|outcome| outcome.finish == Finish::Repetition) {
        usage["extra"]["stopped_by"] = json!("repetition");
    }
    usage
}
