//! `cresset tokenize`: text ⇄ token ids.

use crate::fetch::{Kind, locate};
use crate::files::tokenizer;
use crate::input;
use crate::output::print_json;
use clap::Args;
use cresset::error::Result;
use serde_json::json;
use std::path::PathBuf;

#[derive(Args)]
pub struct Tokenize {
    /// A .gguf file, or a folder with tokenizer.json; names and addresses as for other commands.
    #[arg(long, value_name = "MODEL")]
    model: PathBuf,
    /// Text to turn into ids; without it standard input.
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// Ids to turn into text.
    #[arg(long, value_name = "1,2,3", value_delimiter = ',', conflicts_with = "text")]
    decode: Option<Vec<u32>>,
}

pub fn tokenize(args: Tokenize) -> Result<()> {
    let tokenizer = tokenizer(&locate(&args.model, Kind::Model)?)?;
    match (args.text, args.decode) {
        (_, Some(ids)) => print_json(&json!(tokenizer.decode(&ids, false)?)),
        (text, None) => print_json(&json!(tokenizer.encode(&input::given("--text", text)?, true, true)?)),
    }
    Ok(())
}
