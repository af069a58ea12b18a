//! `cresset chat`: a conversation in the terminal, or line by line from a pipe.

mod commands;
mod conversation;

use crate::args::{Adapter, Model, Sampling};
use crate::output::{PROMPT, ask, end_answer, print_answer, print_json, say, told};
use crate::{input, interrupt, picture};
use clap::Args;
use commands::{Command, Line};
use conversation::Conversation;
use cresset::engine::Engine;
use cresset::error::{Error, Result};
use cresset::pictures::Picture;
use pollster::block_on;
use serde_json::{Map, Value, json};
use std::io::{IsTerminal, stdin};
use std::path::PathBuf;

#[derive(Args)]
pub struct Chat {
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    adapter: Adapter,
    #[command(flatten)]
    sampling: Sampling,
    /// The system prompt, before the conversation.
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// A conversation to go on with: one that /save wrote or the page exported, or a list of messages.
    #[arg(long, value_name = "FILE")]
    load: Option<PathBuf>,
    /// A picture to show with the first question; may be given several times.
    #[arg(long, value_name = "PATH")]
    image: Vec<PathBuf>,
    /// Print OpenAI's chat.completion objects, one a line, instead of the answers.
    #[arg(long)]
    json: bool,
}

pub fn chat(args: Chat) -> Result<()> {
    let mut conversation = args.load.as_deref().map_or_else(|| Ok(Conversation::default()), Conversation::read)?;
    if args.system.is_some() {
        conversation.set_system(args.system);
    }
    let pictures = picture::read(&args.image)?;
    let mut engine = args.adapter.load_on(&args.model)?;
    // A model that cannot chat says so before the first question.
    engine.apply_chat_template(&[json!({ "role": "user", "content": "" })], &Value::Null)?;
    interrupt::listen()?;
    let interactive = stdin().is_terminal();
    if interactive {
        say(&format!("{}. /help lists commands.", engine.model().name));
    }
    let sampling = args.sampling.fields();
    let mut shown = Shown { pictures, at: None };
    while let Some(line) = next_line(interactive)? {
        // A text that is piped in does nothing but be answered.
        let question = match if interactive { commands::parse(&line) } else { Line::Message(&line) } {
            Line::Message(text) => text.to_string(),
            Line::Command(Command::Exit) => break,
            Line::Command(command) => {
                say(&command.run(&mut conversation, &engine.model().name));
                continue;
            }
            Line::Unknown(word) => {
                say(&format!(
                    "There is no command {word}; /help lists them. A message that begins with a slash is written with two."
                ));
                continue;
            }
        };
        conversation.ask(question);
        match answer(&mut engine, &mut conversation, &mut shown, &sampling, args.json) {
            Err(error @ Error::ContextOverflow { .. }) if interactive => {
                say(&format!("{}. /clear begins anew.", told(&error)));
            }
            answered => answered?,
        }
    }
    Ok(())
}

/// The next line that is not empty, trimmed; `None` at the end.
fn next_line(interactive: bool) -> Result<Option<String>> {
    loop {
        if interactive {
            ask(PROMPT);
        }
        let line = input::line(&mut stdin().lock())?;
        interrupt::forget();
        match line.as_deref().map(str::trim) {
            Some("") => {}
            Some(text) => return Ok(Some(text.to_string())),
            None => {
                if interactive {
                    say("");
                }
                return Ok(None);
            }
        }
    }
}

/// The pictures that go with the first question.
struct Shown {
    pictures: Vec<Picture>,
    /// Where that stands among the messages, once it is asked.
    at: Option<usize>,
}

impl Shown {
    /// The messages with the pictures in the one that they belong to. A conversation that begins anew has none.
    fn among(&mut self, mut messages: Vec<Value>) -> Vec<Value> {
        let at = *self.at.get_or_insert(messages.len() - 1);
        if at >= messages.len() {
            self.pictures.clear();
        }
        if let Some(message) = messages.get_mut(at).filter(|_| !self.pictures.is_empty()) {
            let picture = |i: usize| json!({ "type": "image_url", "image_url": { "picture": i } });
            let mut parts: Vec<Value> = (0..self.pictures.len()).map(picture).collect();
            parts.push(json!({ "type": "text", "text": message["content"].take() }));
            message["content"] = json!(parts);
        }
        messages
    }
}

/// Answers the question that was asked last. Where that fails, or is stopped before a word, it is as if it had not been asked.
fn answer(
    engine: &mut Engine,
    conversation: &mut Conversation,
    shown: &mut Shown,
    sampling: &Map<String, Value>,
    json: bool,
) -> Result<()> {
    let mut request = sampling.clone();
    request.insert("messages".into(), json!(shown.among(conversation.messages())));
    request.insert("stream".into(), json!(!json));
    let mut text = String::new();
    let mut on_chunk = |chunk: Value| {
        let piece = chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default();
        print_answer(piece);
        text.push_str(piece);
    };
    let answered = interrupt::while_answering(engine, |engine, pause| {
        block_on(engine.chat_with(&Value::Object(request), &shown.pictures, &mut on_chunk, pause))
    });
    let whole = match answered {
        Ok(whole) => whole,
        Err(error) => {
            conversation.take_back();
            return Err(error);
        }
    };
    if json {
        print_json(&whole);
        text = whole["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_string();
    } else {
        end_answer(&whole);
    }
    match text.is_empty() && interrupt::pressed() {
        true => conversation.take_back(),
        false => conversation.answer(text),
    }
    Ok(())
}
