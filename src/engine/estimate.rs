//! Estimates for a catalogue's models before a byte of them is read: whether each fits this device, the memory it takes
//! and about how fast it runs, by its shape, its format and the size of its file.

use super::load::{context, device_facts};
use super::probe::{speed, state_problems};
use super::size::{bytes_on_device, check_size};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::load::Shape;
use crate::quant::Format;
use crate::select::LoadOptions;
use crate::select::estimate::{Pace, pace};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The largest number in a shape that is looked at: what is larger is no model's.
const SHAPE_MOST: usize = 1 << 28;

/// A model as a catalogue knows it: a part of what `probe` says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    shape: Shape,
    /// The format that most of its weights are in.
    quantization: String,
    download_bytes: u64,
}

/// Seconds of this device by weight format.
type Paces = BTreeMap<String, Pace>;

/// Paces that an earlier estimate measured, and the device they belong to.
#[derive(Deserialize)]
struct Measured {
    device: Value,
    paces: Paces,
}

/// Answers `Cresset.estimate`: `{ device, paces, models }`, for each model the answer that `probe` would give for a
/// file of its shape. Measures the device once for each weight format, unless `measured`, an earlier answer, comes from
/// the same device.
///
/// # Errors
/// `INVALID_REQUEST` for models that are described wrongly; those of opening and measuring a device.
pub async fn estimate(request: &Value, options: &LoadOptions) -> Result<Value> {
    let rows: Vec<Row> =
        serde_json::from_value(request["models"].clone()).map_err(|e| Error::invalid("models", format!("{e}")))?;
    if rows.iter().any(|row| row.shape.sizes().into_iter().any(|size| size > SHAPE_MOST)) {
        return Err(Error::invalid("models", format!("a size of a shape is at most {SHAPE_MOST}")));
    }
    let mut device = options.device.open().await?;
    let facts = device_facts(&device);
    // A measure that cannot be read has been written by another build.
    let measured = serde_json::from_value(request["measured"].clone()).ok();
    let mut paces = measured.filter(|m: &Measured| m.device == facts).map(|m| m.paces).unwrap_or_default();
    let mut models = Vec::with_capacity(rows.len());
    for row in &rows {
        models.push(row.estimate(&mut device, &mut paces, options).await?);
    }
    Ok(json!({ "device": facts, "paces": paces, "models": models }))
}

impl Row {
    async fn estimate(&self, device: &mut Device, paces: &mut Paces, options: &LoadOptions) -> Result<Value> {
        let mut problems = Vec::new();
        let format = Format::from_name(&self.quantization);
        if format.is_none() {
            problems.push(Error::unsupported(format!("the weight format {}", self.quantization)));
        }
        let context = context(options, &self.shape).map_err(|error| problems.push(error)).ok();
        let mut answer = json!({ "fits": false, "estimatedTokensPerSecond": null });
        if let Some((format, context)) = format.zip(context) {
            let on_cpu = device.is_cpu();
            let bytes = bytes_on_device(
                &self.shape,
                context,
                options,
                file_on_device(format, self.shape.d_model, self.download_bytes, on_cpu),
            );
            answer["contextLength"] = json!(context);
            answer["deviceBytes"] = json!(bytes);
            if let Err(error) = check_size(&self.shape, bytes, device.info()) {
                problems.push(error);
            }
        }
        state_problems(&mut answer, &problems);
        if let Some(format) = format.filter(|_| problems.is_empty()) {
            let pace = match paces.get(format.name()) {
                Some(pace) => *pace,
                None => pace(device, format).await?,
            };
            paces.insert(format.name().to_string(), pace);
            answer["estimatedTokensPerSecond"] = speed(pace, &self.shape);
        }
        Ok(answer)
    }
}

/// Bytes of a file's weights in the device's layout, by what becomes of a row of `columns` weights or a few more.
fn file_on_device(format: Format, columns: usize, file_bytes: u64, cpu: bool) -> u64 {
    const BLOCK: usize = 256; // whole blocks of every format
    let columns = columns.next_multiple_of(BLOCK);
    let from = format.row_bytes(columns).expect("whole blocks") as u64;
    let to = if cpu { from } else { 4 * format.device_row_words(columns) as u64 };
    (file_bytes as u128 * to as u128 / from.max(1) as u128).try_into().unwrap_or(u64::MAX)
}
