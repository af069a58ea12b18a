//! A conversation, and the file it is kept in: the page's format (`www/page/chat/transfer.js`), so that each reads the other's.

use cresset::error::{Error, Result};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The page's name for its files.
const FORMAT: &str = "cresset-conversations";
/// The file that /save writes where none is named.
const FILE: &str = "conversation.json";
/// Characters of the first question that make the title.
const TITLE: usize = 60;

#[derive(Debug, Default, PartialEq)]
pub struct Conversation {
    system: Option<String>,
    /// (role, content), `user` and `assistant` in turns.
    turns: Vec<(String, String)>,
    /// Where it was saved.
    saved: Option<PathBuf>,
}

impl Conversation {
    pub fn ask(&mut self, question: String) {
        self.turns.push(("user".into(), question));
    }

    pub fn answer(&mut self, answer: String) {
        self.turns.push(("assistant".into(), answer));
    }

    /// The last question was not asked.
    pub fn take_back(&mut self) {
        self.turns.pop();
    }

    /// Forgets all that was said.
    pub fn clear(&mut self) {
        self.turns.clear();
    }

    pub fn system(&self) -> Option<&str> {
        self.system.as_deref()
    }

    pub fn set_system(&mut self, text: Option<String>) {
        self.system = text;
    }

    /// A request's messages.
    pub fn messages(&self) -> Vec<Value> {
        let message = |role: &str, content: &str| json!({ "role": role, "content": content });
        let system = self.system.iter().map(|text| message("system", text));
        system.chain(self.turns.iter().map(|(role, content)| message(role, content))).collect()
    }

    /// Writes it as the page exports one. A file that is there is replaced only if it was written here before.
    ///
    /// # Errors
    /// `STORAGE`.
    pub fn save(&mut self, path: Option<PathBuf>, model: &str) -> Result<PathBuf> {
        let path = path.or_else(|| self.saved.clone()).unwrap_or_else(|| FILE.into());
        let text = format!("{:#}\n", self.to_json(model));
        let written = if self.saved.as_ref() == Some(&path) {
            fs::write(&path, text)
        } else {
            File::create_new(&path).and_then(|mut file| file.write_all(text.as_bytes()))
        };
        written.map_err(|error| Error::Storage {
            reason: match error.kind() {
                ErrorKind::AlreadyExists => {
                    format!("there is a file {} already; name another: /save FILE", path.display())
                }
                _ => format!("{}: {error}", path.display()),
            },
        })?;
        self.saved = Some(path.clone());
        Ok(path)
    }

    fn to_json(&self, model: &str) -> Value {
        let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis() as u64);
        let turns: Vec<Value> = (self.turns.iter().enumerate())
            .map(|(i, (role, content))| {
                let parent = i.checked_sub(1).map(|before| before.to_string());
                let mut turn = json!({
                    "id": i.to_string(), "parent": parent, "role": role, "content": content, "created": now + i as u64,
                });
                if role == "assistant" {
                    (turn["model"], turn["finish"]) = (json!(model), json!("stop"));
                }
                turn
            })
            .collect();
        let title: String = self.turns.first().map_or("", |(_, question)| question).chars().take(TITLE).collect();
        let conversation = json!({
            "title": title, "created": now, "updated": now, "system": self.system.as_deref().unwrap_or_default(),
            "turns": turns,
        });
        json!({ "format": FORMAT, "version": 1, "conversations": [conversation] })
    }

    /// Reads a file of [`Self::save`] or of the page, of which the first conversation counts and in it what leads to the last
    /// turn; or OpenAI's messages, by themselves or in a request.
    ///
    /// # Errors
    /// `STORAGE` if it cannot be read, `INVALID_REQUEST` if it is none of these.
    pub fn read(path: &Path) -> Result<Conversation> {
        let shown = path.display();
        let text = fs::read_to_string(path).map_err(|error| Error::Storage { reason: format!("{shown}: {error}") })?;
        let file: Option<Value> = serde_json::from_str(&text).ok();
        file.as_ref().and_then(Conversation::of).ok_or_else(|| {
            Error::invalid(
                "--load",
                format!("{shown} is no conversation: neither the page's export nor a list of messages"),
            )
        })
    }

    fn of(file: &Value) -> Option<Conversation> {
        let mut conversation = Conversation::default();
        if file["format"] == FORMAT {
            let first = &file["conversations"][0];
            conversation.system = first["system"].as_str().filter(|text| !text.is_empty()).map(str::to_string);
            let turns = first["turns"].as_array()?;
            let mut way = vec![turns.last()?];
            let before =
                |turn: &Value| turns.iter().find(|other| !other["id"].is_null() && other["id"] == turn["parent"]);
            // A circle would be longer than the list.
            while let Some(parent) = before(way[way.len() - 1]).filter(|_| way.len() < turns.len()) {
                way.push(parent);
            }
            way.reverse();
            conversation.turns = way.into_iter().map(said).collect::<Option<_>>()?;
            return Some(conversation);
        }
        let messages = file.as_array().or_else(|| file["messages"].as_array())?;
        for (role, content) in messages.iter().map(said).collect::<Option<Vec<_>>>()? {
            match role.as_str() {
                "system" => conversation.system = Some(content),
                _ => conversation.turns.push((role, content)),
            }
        }
        Some(conversation)
    }
}

/// (role, content) of a turn or message of text.
fn said(turn: &Value) -> Option<(String, String)> {
    let role = turn["role"].as_str().filter(|role| ["system", "user", "assistant"].contains(role))?;
    Some((role.to_string(), turn["content"].as_str()?.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation() -> Conversation {
        let mut conversation = Conversation::default();
        conversation.set_system(Some("be brief".into()));
        conversation.ask("who?".into());
        conversation.answer("me".into());
        conversation
    }

    #[test]
    fn a_saved_conversation_is_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("talk.json");
        let mut saved = conversation();
        saved.save(Some(path.clone()), "little").expect("a new file");
        // Again, by the same name, with more.
        saved.ask("why?".into());
        saved.save(None, "little").expect("its own file");
        let read = Conversation::read(&path).expect("a conversation");
        assert_eq!((read.messages(), read.messages().len()), (saved.messages(), 4));
        // Another one does not take its place.
        let error = conversation().save(Some(path), "little").expect_err("a file is there");
        assert!(error.code() == "STORAGE" && error.to_string().contains("already"), "{error}");
    }

    #[test]
    fn the_page_s_tree_is_read_to_its_last_turn() {
        let turn =
            |id: &str, parent: Value, role: &str| json!({ "id": id, "parent": parent, "role": role, "content": id });
        let turns = [
            turn("a", Value::Null, "user"),
            turn("b", json!("a"), "assistant"),
            turn("c", json!("a"), "assistant"),
            turn("d", json!("c"), "user"),
        ];
        let file = json!({ "format": FORMAT, "version": 1, "conversations": [{ "system": "", "turns": turns }] });
        let read = Conversation::of(&file).expect("a conversation");
        let said: Vec<&str> = read.turns.iter().map(|(_, content)| content.as_str()).collect();
        assert_eq!((said, read.system), (vec!["a", "c", "d"], None));
        // A circle ends.
        let turns = [turn("a", json!("b"), "user"), turn("b", json!("a"), "assistant")];
        let file = json!({ "format": FORMAT, "conversations": [{ "turns": turns }] });
        assert_eq!(Conversation::of(&file).expect("a conversation").turns.len(), 2);
    }

    #[test]
    fn lists_of_messages_are_conversations() {
        let messages = json!(conversation().messages());
        for file in [messages.clone(), json!({ "model": "default", "messages": messages })] {
            assert_eq!(Conversation::of(&file), Some(conversation()));
        }
        for file in [json!({}), json!([{ "role": "tool", "content": "4" }]), json!([{ "role": "user" }]), json!(1)] {
            assert_eq!(Conversation::of(&file), None);
        }
    }
}
