//! `cresset chat`: a conversation in the terminal, or line by line from a pipe.

mod commands;
mod conversation;

use crate::args::{Adapter, Model, Sampling};
use crate::output::{PROMPT, ask, end_answer, print_answer, print_json, say, told};
use crate::{input, interrupt};
use clap::Args;
use commands::{Command, Line};
use conversation::Conversation;
use cresset::engine::Engine;
use cresset::error::{Error, Result};
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
    /// Print OpenAI's chat.completion objects, one a line, instead of the answers.
    #[arg(long)]
    json: bool,
}

pub fn chat(args: Chat) -> Result<()> {
    let mut conversation = args.load.as_deref().map_or_else(|| Ok(Conversation::default()), Conversation::read)?;
    if args.system.is_some() {
        conversation.set_system(args.system);
    }
    let mut engine = args.adapter.load_on(&args.model)?;
    // A model that cannot chat says so before the first question.
    engine.apply_chat_template(&[json!({ "role": "user", "content": "" })], &Value::Null)?;
    interrupt::listen()?;
    let interactive = stdin().is_terminal();
    if interactive {
        say(&format!("{}. /help lists commands.", engine.model().name));
    }
    let sampling = args.sampling.fields();
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
        match answer(&mut engine, &mut conversation, &sampling, args.json) {
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

/// Answers the question that was asked last. Where that fails, or is stopped before a word, it is as if it had not been asked.
fn answer(
    engine: &mut Engine,
    conversation: &mut Conversation,
    sampling: &Map<String, Value>,
    json: bool,
) -> Result<()> {
    let mut request = sampling.clone();
    request.insert("messages".into(), json!(conversation.messages()));
    request.insert("stream".into(), json!(!json));
    let mut text = String::new();
    let mut on_chunk = |chunk: Value| {
        let piece = chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default();
        print_answer(piece);
        text.push_str(piece);
    };
    let answered = interrupt::while_answering(engine, |engine, pause| {
        block_on(engine.chat(&Value::Object(request), &mut on_chunk, pause))
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
