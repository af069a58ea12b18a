//! `cresset chat`: a conversation in the terminal.

use crate::args::{Adapter, Model, Sampling};
use crate::output::print;
use clap::Args;
use cresset::engine::never_yield;
use cresset::error::{Error, Result};
use pollster::block_on;
use serde_json::{Value, json};
use std::io::{BufRead, IsTerminal, stdin};

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
}

pub fn chat(args: Chat) -> Result<()> {
    let mut engine = args.adapter.load_on(&args.model)?;
    let mut messages: Vec<Value> = Vec::new();
    messages.extend(args.system.map(|content| json!({ "role": "system", "content": content })));
    // A model that cannot chat says so before the first question.
    engine.apply_chat_template(&[json!({ "role": "user", "content": "" })], &Value::Null)?;
    let interactive = stdin().is_terminal();
    if interactive {
        eprintln!("{}. An empty line ends the conversation.", engine.model().name);
    }
    loop {
        if interactive {
            print("> ");
        }
        let mut line = String::new();
        let read = stdin().lock().read_line(&mut line).map_err(|e| Error::Storage { reason: e.to_string() })?;
        let text = line.trim();
        if read == 0 || text.is_empty() {
            return Ok(());
        }
        messages.push(json!({ "role": "user", "content": text }));
        let mut request = args.sampling.fields();
        request.insert("messages".into(), json!(messages));
        request.insert("stream".into(), json!(true));
        let mut answer = String::new();
        let mut on_chunk = |chunk: Value| {
            let piece = chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default();
            print(piece);
            answer.push_str(piece);
        };
        block_on(engine.chat(&Value::Object(request), &mut on_chunk, &never_yield))?;
        print("\n");
        messages.push(json!({ "role": "assistant", "content": answer }));
    }
}
