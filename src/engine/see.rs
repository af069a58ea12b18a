//! Pictures → vectors, as OpenAI answers.

use super::model::Model;
use crate::api::embeddings::EmbeddingsRequest;
use crate::api::fields::Fields;
use crate::device::YieldNow;
use crate::error::{Error, Result};
use crate::ops::Pooling;
use crate::pictures::Picture;
use serde_json::Value;

/// The answer to a request whose inputs are `{ image: n }`: the n-th of `pictures`. `name`: the model's.
///
/// # Errors
/// `INVALID_REQUEST` for inputs that are no pictures and for fields that pictures have no use for; `ABORTED`, `MODEL_FORMAT`,
/// `DEVICE_LOST`.
pub(super) async fn see(
    model: &mut Model,
    name: &str,
    fields: &Fields<'_>,
    pictures: &[Picture],
    yield_now: &YieldNow,
) -> Result<Value> {
    let shape = model.task.see()?.viewer.model().shape.clone();
    for field in ["pooling", "truncate_prompt_tokens"] {
        if fields.get(field).is_some() {
            return Err(Error::invalid(field, "is for texts; an encoder of pictures has its own way to one vector"));
        }
    }
    let wanted = EmbeddingsRequest::parse(fields, shape.context, shape.d_model, Pooling::Cls)?;
    let preprocessing = &model.task.see()?.viewer.model().preprocessing;
    // An encoder by itself sees each picture once.
    let prepared = wanted.pictures(fields, pictures)?.into_iter().flat_map(|it| preprocessing.tiles(it).pictures);
    let prepared: Vec<Picture> = prepared.collect();
    model.task.interrupted().set(false);
    let mut rebuilt = false;
    let vectors = loop {
        let see = model.task.see()?;
        match see.viewer.see(&see.device, &prepared, yield_now).await {
            Err(Error::DeviceLost { reason }) if !rebuilt => model.rebuild(reason).await?,
            vectors => break vectors?,
        }
        rebuilt = true;
    };
    Ok(wanted.answer(
        wanted.normalized(vectors.iter().map(|seen| seen.rows.to_vec()).collect()),
        name,
        prepared.len() * shape.context,
    ))
}
