//! The pictures of a chat: which of its parts they are, and what a prompt has in their places.

use crate::error::{Error, Result};
use crate::pictures::Tiles;
use serde_json::{Value, json};

/// How a family of models writes a picture in a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureText {
    /// The family's name.
    architecture: &'static str,
    /// The text that a template writes for a picture.
    pub marker: &'static str,
    /// The text that the prompt has for each of the picture's tokens.
    pub token: &'static str,
    /// The text before each tile.
    tile: &'static str,
    /// The texts before and behind the whole picture.
    around: [&'static str; 2],
}

/// Idefics3 and SmolVLM have tiles with their row and column, then the whole.
const TEXTS: [PictureText; 3] = [
    PictureText {
        architecture: "idefics3",
        marker: "<image>",
        token: "<image>",
        tile: "<fake_token_around_image>",
        around: ["<fake_token_around_image><global-img>", "<fake_token_around_image>"],
    },
    PictureText {
        architecture: "gemma3",
        marker: "<start_of_image>",
        token: "<image_soft_token>",
        tile: "",
        around: ["\n\n<start_of_image>", "<end_of_image>\n\n"],
    },
    PictureText { architecture: "llava", marker: "<image>", token: "<image>", tile: "", around: ["", ""] },
];

impl PictureText {
    /// That of the family whose name is `architecture`; the first of all for others.
    pub fn of(architecture: &str) -> &'static PictureText {
        TEXTS.iter().find(|text| text.architecture == architecture).unwrap_or(&TEXTS[0])
    }

    /// A picture's text, where each of its parts is `tokens` tokens.
    fn write(&self, tiles: &Tiles, tokens: usize) -> String {
        let PictureText { token, tile, around: [before, behind], .. } = self;
        let part = token.repeat(tokens);
        let mut text = String::new();
        for row in 1..=tiles.rows {
            for column in 1..=tiles.columns {
                text += &format!("{tile}<row_{row}_col_{column}>{part}");
            }
            text.push('\n');
        }
        if tiles.rows > 0 {
            text.push('\n');
        }
        text + &format!("{before}{part}{behind}")
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
        let text =
            PictureText::of("idefics3").written("A<image>B<image>", &[tiles(0, 0), tiles(1, 2)], 2).expect("as many");
        let (fake, global) = ("<fake_token_around_image>", "<global-img>");
        let single = format!("{fake}{global}<image><image>{fake}");
        let cut = format!("{fake}<row_1_col_1><image><image>{fake}<row_1_col_2><image><image>\n\n{single}");
        assert_eq!(text, format!("A{single}B{cut}"));
        let error = PictureText::of("idefics3").written("A<image>", &[], 2).expect_err("one too many");
        assert_eq!(error.code(), "INVALID_REQUEST");
    }

    #[test]
    fn prompts_of_other_families() {
        let whole = || [Tiles { pictures: vec![], rows: 0, columns: 0 }];
        let gemma = PictureText::of("gemma3").written("A<start_of_image>B", &whole(), 2).expect("as many");
        assert_eq!(gemma, "A\n\n<start_of_image><image_soft_token><image_soft_token><end_of_image>\n\nB");
        assert_eq!(PictureText::of("llava").written("A<image>\nB", &whole(), 2), Ok("A<image><image>\nB".into()));
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
