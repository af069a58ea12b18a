//! The pictures of a chat: which of its parts they are, and what a prompt has in their places.

use crate::error::{Error, Result};
use crate::pictures::Tiles;
use serde_json::{Value, json};

/// How a family of models writes a picture in a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureText {
    /// The text that a template writes for a picture; the prompt has it once for each of the picture's tokens.
    pub marker: &'static str,
    /// The text before each tile.
    before: &'static str,
    /// The text before the whole picture.
    whole: &'static str,
}

impl PictureText {
    /// That of Idefics3 and SmolVLM: tiles with their row and column, then the whole.
    pub const IDEFICS3: PictureText =
        PictureText { marker: "<image>", before: "<fake_token_around_image>", whole: "<global-img>" };

    /// A picture's text, where each of its parts is `tokens` tokens.
    fn write(&self, tiles: &Tiles, tokens: usize) -> String {
        let PictureText { marker, before, whole } = self;
        let part = marker.repeat(tokens);
        let mut text = String::new();
        for row in 1..=tiles.rows {
            for column in 1..=tiles.columns {
                text += &format!("{before}<row_{row}_col_{column}>{part}");
            }
            text.push('\n');
        }
        if tiles.rows > 0 {
            text.push('\n');
        }
        text + &format!("{before}{whole}{part}{before}")
    }

    /// The prompt with each picture's text in place of its marker.
    ///
    /// # Errors
    /// `INVALID_REQUEST` where the template shows another number of pictures than there are.
    pub fn written(&self, prompt: &str, pictures: &[Tiles], tokens: usize) -> Result<String> {
        let mut between = prompt.split(self.marker);
        let found = between.clone().count() - 1;
        if found != pictures.len() {
            let reason = format!("have {} pictures, but the model's chat template shows {found}", pictures.len());
            return Err(Error::invalid("messages", reason));
        }
        let mut text = between.next().unwrap_or_default().to_string();
        for (picture, rest) in pictures.iter().zip(between) {
            text += &self.write(picture, tokens);
            text += rest;
        }
        Ok(text)
    }
}

/// The messages with parts `{ type: "image" }`, as templates know them, in place of `image_url`, and which of the pictures that came
/// with the request each of them is, in order: `{ image_url: { picture: n } }`.
///
/// # Errors
/// `INVALID_REQUEST` for a picture that is not there.
pub fn taken(messages: &[Value], given: usize) -> Result<(Vec<Value>, Vec<usize>)> {
    let (mut messages, mut order) = (messages.to_vec(), Vec::new());
    for (i, message) in messages.iter_mut().enumerate() {
        for part in message.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
            if part["type"] != "image_url" {
                continue;
            }
            let at = part["image_url"]["picture"].as_u64().and_then(|at| usize::try_from(at).ok());
            let at = at.filter(|at| *at < given).ok_or_else(|| {
                Error::invalid(format!("messages[{i}]"), "has an image_url without a picture that was read")
            })?;
            *part = json!({ "type": "image" });
            order.push(at);
        }
    }
    Ok((messages, order))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_has_tokens_for_each_tile() {
        let tiles = |rows, columns| Tiles { pictures: vec![], rows, columns };
        let text = PictureText::IDEFICS3.written("A<image>B<image>", &[tiles(0, 0), tiles(1, 2)], 2).expect("as many");
        let (fake, global) = ("<fake_token_around_image>", "<global-img>");
        let single = format!("{fake}{global}<image><image>{fake}");
        let cut = format!("{fake}<row_1_col_1><image><image>{fake}<row_1_col_2><image><image>\n\n{single}");
        assert_eq!(text, format!("A{single}B{cut}"));
        let error = PictureText::IDEFICS3.written("A<image>", &[], 2).expect_err("one too many");
        assert_eq!(error.code(), "INVALID_REQUEST");
    }

    #[test]
    fn pictures_are_counted_in_the_order_of_the_chat() {
        let picture = |n: usize| json!({ "type": "image_url", "image_url": { "picture": n } });
        let messages = [
            json!({ "role": "user", "content": [picture(1), { "type": "text", "text": "and" }, picture(0)] }),
            json!({ "role": "assistant", "content": "two" }),
        ];
        let (messages, order) = taken(&messages, 2).expect("both are there");
        assert_eq!((order, &messages[0]["content"][2]), (vec![1, 0], &json!({ "type": "image" })));
        assert!(taken(&[json!({ "role": "user", "content": [picture(2)] })], 2).is_err());
    }
}
