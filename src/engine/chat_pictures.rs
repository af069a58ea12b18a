//! The pictures of a chat: they are looked at before its prompt is read.

use super::model::Model;
use super::task::Task;
use crate::api::pictures::{PictureText, taken};
use crate::device::YieldNow;
use crate::error::{Error, Result};
use crate::generate::Media;
use crate::pictures::{Picture, Tiles};
use crate::tokenizer::Tokenizer;
use crate::viewer::{Seen, Viewer};
use serde_json::Value;

/// A chat's pictures, prepared.
pub(super) struct ChatPictures {
    /// The messages as templates know them.
    pub messages: Vec<Value>,
    /// The tiles of each picture, in order.
    pub tiles: Vec<Tiles>,
    text: &'static PictureText,
}

/// How a model's prompts write pictures.
pub(super) fn text_of(eyes: Option<&Viewer>) -> &'static PictureText {
    PictureText::of(eyes.map_or("", |eyes| eyes.model().shape.architecture))
}

impl ChatPictures {
    /// Takes the pictures out of messages.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for pictures that were not read, or for a model that sees none.
    pub fn take(messages: &[Value], given: &[Picture], eyes: Option<&Viewer>) -> Result<ChatPictures> {
        let (messages, order) = taken(messages, given.len())?;
        let tiles = tiles(order.iter().map(|&at| &given[at]), eyes)?;
        Ok(ChatPictures { messages, tiles, text: text_of(eyes) })
    }

    /// Pictures without messages.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for a model that sees none.
    pub fn all(given: &[Picture], eyes: Option<&Viewer>) -> Result<ChatPictures> {
        Ok(ChatPictures { messages: Vec::new(), tiles: tiles(given.iter(), eyes)?, text: text_of(eyes) })
    }

    /// The prompt with the pictures' tokens.
    ///
    /// # Errors
    /// `INVALID_REQUEST` where the template shows another number of pictures.
    pub fn write(&self, prompt: String, eyes: Option<&Viewer>) -> Result<String> {
        let grids: Vec<[usize; 2]> = self.tiles.iter().map(|tiles| [tiles.rows, tiles.columns]).collect();
        written(prompt, &grids, eyes)
    }

    /// The prompt's ids, and which of them stand for the pictures' tokens. A vocabulary may have no such token (LLaVA's in GGUF): any id
    /// stands in its place then.
    ///
    /// # Errors
    /// Those of [`Tokenizer::encode`].
    pub fn encode(&self, tokenizer: &Tokenizer, prompt: &str, add_special: bool) -> Result<(Vec<u32>, Vec<usize>)> {
        let token = self.text.token;
        if let Some(id) = tokenizer.id(token).or(self.tiles.is_empty().then_some(u32::MAX)) {
            let ids = tokenizer.encode(prompt, add_special, true)?;
            let places = (0..ids.len()).filter(|&at| ids[at] == id).collect();
            return Ok((ids, places));
        }
        let (mut ids, mut places) = (Vec::new(), Vec::new());
        for (i, piece) in prompt.split(token).enumerate() {
            if i > 0 {
                places.push(ids.len());
                ids.push(0);
            }
            if i == 0 || !piece.is_empty() {
                ids.extend(tokenizer.encode(piece, add_special && i == 0, true)?);
            }
        }
        Ok((ids, places))
    }

    /// The pictures' embeddings, with their places in the prompt of `prompt` ids: `placeholders`, as [`Self::encode`] gives them. Those of
    /// pictures that were seen lately are not computed again.
    ///
    /// # Errors
    /// `CONTEXT_OVERFLOW` for a prompt that is too long, and those of [`Viewer::see`].
    pub async fn see(
        self,
        model: &mut Model,
        prompt: usize,
        placeholders: &[usize],
        yield_now: &YieldNow,
    ) -> Result<Vec<Media>> {
        if self.tiles.is_empty() {
            return Ok(Vec::new());
        }
        let context = model.most_context()?;
        if prompt > context {
            return Err(Error::ContextOverflow { prompt, context });
        }
        model.task.interrupted().set(false);
        model.revive().await?;
        let prepared: Vec<Picture> = self.tiles.into_iter().flat_map(|tiles| tiles.pictures).collect();
        let mut rebuilt = false;
        let seen = loop {
            let Model { task: Task::Generate(generator), eyes: Some(eyes), .. } = &mut *model else {
                return Ok(Vec::new());
            };
            eyes.interrupted = generator.interrupted.clone();
            match eyes.see(&generator.device, &prepared, yield_now).await {
                Err(Error::DeviceLost { reason }) if !rebuilt => model.rebuild(reason).await?,
                seen => break seen?,
            }
            rebuilt = true;
        };
        let tokens = model.eyes.as_ref().map_or(1, |eyes| eyes.model().output()[0]);
        let places = placeholders.chunks_exact(tokens);
        if tokens * seen.len() != placeholders.len() || !places.clone().all(|it| it[tokens - 1] - it[0] == tokens - 1) {
            let reason = format!(
                "have {} in other places than those of the pictures; leave it out, or send no allow_special",
                self.text.token
            );
            return Err(Error::invalid("messages", reason));
        }
        let media = |(place, Seen { hash, rows }): (&[usize], Seen)| Media {
            positions: place[0]..place[0] + tokens,
            hash,
            rows,
        };
        Ok(places.zip(seen).map(media).collect())
    }
}

/// A prompt with a marker for each picture: before it, where it has none.
pub(super) fn with_markers(prompt: String, pictures: usize, text: &PictureText) -> String {
    if prompt.contains(text.marker) { prompt } else { text.marker.repeat(pictures) + &prompt }
}

/// [rows, columns] of the tiles of pictures of these sizes, [height, width].
///
/// # Errors
/// `INVALID_REQUEST` for a model that sees none.
pub(super) fn grids(sizes: &[[usize; 2]], eyes: Option<&Viewer>) -> Result<Vec<[usize; 2]>> {
    match eyes {
        Some(eyes) => Ok(sizes.iter().map(|&size| eyes.model().preprocessing.grid(size)).collect()),
        None if sizes.is_empty() => Ok(Vec::new()),
        None => Err(sightless()),
    }
}

/// The prompt with the tokens of pictures of these tiles.
///
/// # Errors
/// `INVALID_REQUEST` where the template shows another number of pictures.
pub(super) fn written(prompt: String, grids: &[[usize; 2]], eyes: Option<&Viewer>) -> Result<String> {
    match eyes {
        Some(eyes) => text_of(Some(eyes)).written(&prompt, grids, eyes.model().output()[0]),
        None => Ok(prompt),
    }
}

fn tiles<'p>(pictures: impl ExactSizeIterator<Item = &'p Picture>, eyes: Option<&Viewer>) -> Result<Vec<Tiles>> {
    match eyes {
        Some(eyes) => Ok(pictures.map(|picture| eyes.model().preprocessing.tiles(picture)).collect()),
        None if pictures.len() == 0 => Ok(Vec::new()),
        None => Err(sightless()),
    }
}

fn sightless() -> Error {
    let reason =
        "sees no pictures; load one that does, such as SmolVLM, with its projector where that is a file of its own";
    Error::invalid("model", reason)
}
