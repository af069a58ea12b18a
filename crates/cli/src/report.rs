//! The device report printed below an error: facts that help to mend a fault of the graphics driver or of ours.

use crate::verdicts;
use cresset::engine::{DeviceChoice, Engine};
use cresset::error::Error;
use pollster::block_on;
use serde_json::{Value, json};
use std::sync::Mutex;

/// Codes of faults that a person cannot mend.
const FAULTS: [&str; 3] = ["WEBGPU_UNAVAILABLE", "DEVICE_LOST", "INTERNAL"];

/// The device that this run computes on: asked for, then known.
static DEVICE: Mutex<Option<Value>> = Mutex::new(None);

/// A model is about to be loaded, perhaps on a GPU.
pub fn loading(device: &str) {
    *DEVICE.lock().expect("no panic while held") = (device != "cpu").then_some(Value::Null);
}

pub fn loaded(engine: &Engine) {
    let info = engine.info();
    *DEVICE.lock().expect("no panic while held") =
        Some(json!({ "device": info["device"], "variants": info["variants"] }));
}

/// One line: version, adapter with its driver and compiler, how it computes and what is wrong there; nothing for errors that
/// are no faults.
pub fn of(error: &Error) -> Option<String> {
    if !FAULTS.contains(&error.code()) {
        return None;
    }
    let mut report = json!({ "cresset": env!("CARGO_PKG_VERSION"), "system": std::env::consts::OS });
    let mut add = |facts: Value| {
        if let Value::Object(facts) = facts {
            report.as_object_mut().expect("an object").extend(facts);
        }
    };
    match (error.details(), DEVICE.lock().expect("no panic while held").clone()) {
        (Value::Null, Some(Value::Null)) => add(json!({ "device": adapter() })),
        (Value::Null, known) => add(known.unwrap_or_default()),
        (facts, _) => add(facts),
    }
    let description = report["device"]["description"].as_str().unwrap_or_default().to_string();
    let here = |verdict: &Value| {
        !description.is_empty() && verdict["key"].as_str().is_some_and(|key| key.contains(&description))
    };
    report["selfTests"] = verdicts::read().into_iter().filter(here).take(3).collect();
    Some(format!("for a report: {report}"))
}

/// The adapter as it answers now: the fault came before it was known.
fn adapter() -> Value {
    match block_on(DeviceChoice::Gpu.open()) {
        Ok(device) => json!(device.info()),
        Err(error) => json!(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_have_a_report_and_mistakes_have_none() {
        *DEVICE.lock().expect("no panic while held") =
            Some(json!({ "device": { "description": "A card", "driver": "1.2" } }));
        assert_eq!(of(&Error::Aborted), None);
        assert_eq!(of(&Error::invalid("top_p", "is -1")), None);
        let report = of(&Error::Internal("a shader does not compile".into())).expect("a report");
        let facts: Value =
            serde_json::from_str(report.strip_prefix("for a report: ").expect("its name")).expect("JSON");
        assert_eq!((&facts["cresset"], &facts["device"]["driver"]), (&json!(env!("CARGO_PKG_VERSION")), &json!("1.2")));
        // The error's own device facts take precedence.
        let facts = json!({ "device": { "description": "Another" }, "demoted": [{ "variant": "f16, native" }] });
        let error = Error::WebGpuUnavailable { reason: "it computes wrongly".into(), facts };
        let report = of(&error).expect("a report");
        assert!(report.contains("Another") && report.contains("f16, native") && !report.contains("A card"), "{report}");
    }
}
