//! Commands in a chat: lines that begin with a slash are for the program, not for the model.

use super::conversation::Conversation;
use crate::output::told;
use std::path::PathBuf;

/// A line that was typed.
#[derive(Debug, PartialEq)]
pub enum Line<'a> {
    Message(&'a str),
    Command(Command),
    /// A word with a slash that is no command.
    Unknown(&'a str),
}

#[derive(Debug, PartialEq)]
pub enum Command {
    Help,
    Clear,
    System(Option<String>),
    Save(Option<PathBuf>),
    Exit,
}

const HELP: &str = "\
/clear          forget the conversation; the system prompt stays
/system TEXT    set the system prompt; without TEXT, show it; /system - takes it away
/save FILE      write the conversation as JSON, which --load and the page's import read
/exit           end; so does Ctrl-D
Ctrl-C          stop the answer; pressed again, end
A message that begins with a slash is written with two.";

/// Tells commands from messages; the line is trimmed.
pub fn parse(line: &str) -> Line<'_> {
    if let Some(message) = line.strip_prefix('/')
        && message.starts_with('/')
    {
        return Line::Message(message);
    }
    if !line.starts_with('/') {
        return Line::Message(line);
    }
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = Some(rest.trim()).filter(|rest| !rest.is_empty());
    Line::Command(match (word, rest) {
        ("/help" | "/?", None) => Command::Help,
        ("/clear", None) => Command::Clear,
        ("/system", text) => Command::System(text.map(str::to_string)),
        ("/save", file) => Command::Save(file.map(PathBuf::from)),
        ("/exit" | "/quit" | "/bye", None) => Command::Exit,
        _ => return Line::Unknown(word),
    })
}

impl Command {
    /// Does it, and gives the words that say so. `model` is the name of the one that answers.
    pub fn run(self, conversation: &mut Conversation, model: &str) -> String {
        match self {
            Command::Help | Command::Exit => HELP.to_string(),
            Command::Clear => {
                conversation.clear();
                "The conversation is forgotten.".to_string()
            }
            Command::System(None) => match conversation.system() {
                Some(text) => text.to_string(),
                None => "There is no system prompt; /system TEXT sets one.".to_string(),
            },
            Command::System(Some(text)) if text == "-" => {
                conversation.set_system(None);
                "There is no system prompt any more.".to_string()
            }
            Command::System(text) => {
                conversation.set_system(text);
                "The system prompt is set, from the next answer on.".to_string()
            }
            Command::Save(file) => match conversation.save(file, model) {
                Ok(path) => format!("Saved as {}.", path.display()),
                Err(error) => told(&error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_message_or_a_command() {
        let text = |text: &str| Some(text.to_string());
        for (line, expected) in [
            ("and/or", Line::Message("and/or")),
            ("//etc is a folder", Line::Message("/etc is a folder")),
            ("/help", Line::Command(Command::Help)),
            ("/clear", Line::Command(Command::Clear)),
            ("/system", Line::Command(Command::System(None))),
            ("/system  be brief ", Line::Command(Command::System(text("be brief")))),
            ("/save a b.json", Line::Command(Command::Save(Some("a b.json".into())))),
            ("/exit", Line::Command(Command::Exit)),
            ("/etc/passwd holds what?", Line::Unknown("/etc/passwd")),
            ("/clear all", Line::Unknown("/clear")),
        ] {
            assert_eq!(parse(line), expected);
        }
    }

    #[test]
    fn help_names_every_command() {
        for word in ["/clear", "/system", "/save", "/exit", "Ctrl-C"] {
            assert!(HELP.contains(word), "{word}");
        }
    }
}
