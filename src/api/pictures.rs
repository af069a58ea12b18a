//! The pictures of a chat: which of its parts they are, and what a prompt has in their places.

use crate::error::{Error, Result};
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

    /// The text of a picture with these rows and columns of tiles, where each of its parts is `tokens` tokens.
    fn write(&self, [rows, columns]: [usize; 2], tokens: usize) -> String {
        let PictureText { token, tile, around: [before, behind], .. } = self;
        let part = token.repeat(tokens);
        let mut text = String::new();
        for row in 1..=rows {
            for column in 1..=columns {
                text += &format!("{tile}<row_{row}_col_{column}>{part}");
            }
            text.push('\n');
        }
        if rows > 0 {
            text.push('\n');
        }
        text + &format!("{before}{part}{behind}")
    }

    /// The prompt with each picture's text in place of its marker. `pictures`: [rows, columns] of the tiles of each.
    ///
    /// # Errors
    /// `INVALID_REQUEST` where the template shows another number of pictures than there are.
    pub fn written(&self, prompt: &str, pictures: &[[usize; 2]], tokens: usize) -> Result<String> {
        let mut between = prompt.split(self.marker);
        let found = between.clone().count() - 1;
        if found != pictures.len() {
            let reason = format!("have {} pictures, but the model's chat template shows {found}", pictures.len());
            return Err(Error::invalid("messages", reason));
        }
        let mut text = between.next().unwrap_or_default().to_string();
        for (&picture, rest) in pictures.iter().zip(between) {
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
    replaced(messages, "a picture that was read", |picture| {
        let at = picture["picture"].as_u64().and_then(|at| usize::try_from(at).ok());
        at.filter(|at| *at < given)
    })
}

/// The same messages, and the size of each picture, [height, width], in order: `{ image_url: { width, height } }`.
///
/// # Errors
/// `INVALID_REQUEST` for a picture without a size.
pub fn measured(messages: &[Value]) -> Result<(Vec<Value>, Vec<[usize; 2]>)> {
    replaced(messages, "the width and height of its picture", |picture| {
        let edge = |name: &str| picture[name].as_u64().filter(|edge| (1..=MOST_EDGE).contains(edge));
        Some([edge("height")? as usize, edge("width")? as usize])
    })
}

/// Pixels of an edge: no picture has more.
const MOST_EDGE: u64 = 100_000_000;

/// The messages with parts `{ type: "image" }` in place of `image_url`, and what `read` makes of each of those, in order.
fn replaced<T>(messages: &[Value], wanted: &str, read: impl Fn(&Value) -> Option<T>) -> Result<(Vec<Value>, Vec<T>)> {
    let (mut messages, mut pictures) = (messages.to_vec(), Vec::new());
    for (i, message) in messages.iter_mut().enumerate() {
        for part in message.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
            if part["type"] != "image_url" {
                continue;
            }
            let reason = || Error::invalid(format!("messages[{i}]"), format!("has an image_url without {wanted}"));
            pictures.push(read(&part["image_url"]).ok_or_else(reason)?);
            *part = json!({ "type": "image" });
        }
    }
    Ok((messages, pictures))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_has_tokens_for_each_tile() {
        let text = PictureText::of("idefics3").written("A<image>B<image>", &[[0, 0], [1, 2]], 2).expect("as many");
        let (fake, global) = ("<fake_token_around_image>", "<global-img>");
        let single = format!("{fake}{global}<image><image>{fake}");
        let cut = format!("{fake}<row_1_col_1><image><image>{fake}<row_1_col_2><image><image>\n\n{single}");
        assert_eq!(text, format!("A{single}B{cut}"));
        let error = PictureText::of("idefics3").written("A<image>", &[], 2).expect_err("one too many");
        assert_eq!(error.code(), "INVALID_REQUEST");
    }

    #[test]
    fn prompts_of_other_families() {
        let whole = [[0, 0]];
        let gemma = PictureText::of("gemma3").written("A<start_of_image>B", &whole, 2).expect("as many");
        assert_eq!(gemma, "A\n\n<start_of_image><image_soft_token><image_soft_token><end_of_image>\n\nB");
        assert_eq!(PictureText::of("llava").written("A<image>\nB", &whole, 2), Ok("A<image><image>\nB".into()));
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

    #[test]
    fn a_size_is_enough_to_count_a_picture() {
        let of = |image_url: Value| {
            [json!({ "role": "user", "content": [{ "type": "image_url", "image_url": image_url }] })]
        };
        let (messages, sizes) = measured(&of(json!({ "width": 40, "height": 30 }))).expect("a size");
        assert_eq!((sizes, &messages[0]["content"][0]), (vec![[30, 40]], &json!({ "type": "image" })));
        for odd in [json!({ "picture": 0 }), json!({ "width": 0, "height": 3 }), json!({ "width": 3, "height": 1e300 })]
        {
            assert_eq!(measured(&of(odd)).expect_err("no size").code(), "INVALID_REQUEST");
        }
    }
}
