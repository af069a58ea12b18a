//! What helps to mend a fault of a graphics device or our own: behind the error's line, for whoever reports it.

use super::verdicts;
use cresset::engine::{DeviceChoice, open_device};
use cresset::error::Error;
use pollster::block_on;
use serde_json::{Value, json};

/// Codes of faults that a person cannot mend.
const FAULTS: [&str; 3] = ["WEBGPU_UNAVAILABLE", "DEVICE_LOST", "INTERNAL"];

/// One line: version, adapter with its driver and compiler, how it computes and what is wrong there; nothing for other errors.
pub fn of(error: &Error) -> Option<String> {
    if !FAULTS.contains(&error.code()) {
        return None;
    }
    let mut report = json!({ "cresset": env!("CARGO_PKG_VERSION"), "system": std::env::consts::OS });
    if let Value::Object(facts) = error.details() {
        report.as_object_mut().expect("an object").extend(facts);
    }
    if report["device"].is_null() {
        // As it is now: the one that failed may be gone.
        report["device"] = match block_on(open_device(DeviceChoice::Gpu)) {
            Ok(device) => json!(device.info()),
            Err(error) => json!(error.to_string()),
        };
    }
    let description = report["device"]["description"].as_str().unwrap_or_default().to_string();
    let here = |verdict: &Value| {
        !description.is_empty() && verdict["key"].as_str().is_some_and(|key| key.contains(&description))
    };
    report["selfTests"] = verdicts::read().into_iter().filter(here).take(3).collect();
    Some(format!("for a report: {report}"))
}
