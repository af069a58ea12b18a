//! What the end-to-end tests share: devices, fixtures, comparisons.
#![allow(dead_code, reason = "each test binary uses its part")]

pub mod folder;
pub mod shared;
pub mod skip;
pub mod variant;

use cresset::device::KvFormat;
use cresset::engine::{DeviceChoice, Engine, LoadOptions, never_yield};
use cresset::weights::{Checkpoint, open_path};
use pollster::block_on;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

pub type Case = DeviceChoice;

/// The repository's root: tests of a crate begin in that crate's folder.
static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().find(|folder| folder.join("tests/golden").is_dir()).expect("the repository").to_owned()
});

/// A path of the repository, from wherever a test begins; absolute ones stay what they are.
pub fn at_root(path: impl AsRef<Path>) -> PathBuf {
    ROOT.join(path)
}

pub fn cpu() -> Case {
    DeviceChoice::Cpu
}

/// The GPU; without one the test fails, unless `NO_GPU=1` says that this is known.
pub fn gpu() -> Option<Case> {
    if std::env::var("NO_GPU").is_ok_and(|v| v == "1") {
        skip::skipped("models on the GPU (NO_GPU=1)");
        return None;
    }
    Some(DeviceChoice::Gpu)
}

pub fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(at_root(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).expect("JSON")
}

/// `tests/golden/{name}/expected.json`.
pub fn golden(name: &str) -> Value {
    json(&Path::new("tests/golden").join(name).join("expected.json"))
}

pub fn ids(value: &Value) -> Vec<u32> {
    value.as_array().expect("ids").iter().map(|id| id.as_u64().expect("an id") as u32).collect()
}

pub fn floats(value: &Value) -> Vec<f32> {
    value.as_array().expect("numbers").iter().map(|x| x.as_f64().expect("a number") as f32).collect()
}

/// Names of the folders that `tests/golden/make.py` wrote: those with a config.json.
pub fn golden_models() -> BTreeSet<String> {
    let entries = std::fs::read_dir(at_root("tests/golden")).expect("the folder of fixtures");
    let folders =
        entries.map(|entry| entry.expect("an entry")).filter(|entry| entry.path().join("config.json").exists());
    folders.map(|folder| folder.file_name().into_string().expect("a name")).collect()
}

pub fn open(path: &Path, device: Case, kv: KvFormat) -> Engine {
    open_with(path, &LoadOptions { device, kv, ..LoadOptions::default() })
}

pub fn open_with(path: &Path, options: &LoadOptions) -> Engine {
    let files = open_path(at_root(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let load = async { Engine::load(Checkpoint::open(files).await?, options, &mut |_| ()).await };
    block_on(load).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Greedy continuation by ids, end of text ignored.
pub fn greedy(engine: &mut Engine, prompt: &[u32], n: usize) -> Vec<u32> {
    let request = json!({
        "prompt": prompt, "temperature": 0, "max_tokens": n, "ignore_eos": true, "return_token_ids": true,
    });
    let answer = block_on(engine.complete(&request, &mut |_| (), &never_yield)).expect("an answer");
    ids(&answer["choices"][0]["token_ids"])
}

/// Every difference is within `tolerance`; → the largest.
pub fn close(got: &[f32], want: &[f32], tolerance: f32, what: &str) -> f32 {
    assert_eq!(got.len(), want.len(), "{what}: length");
    let mut largest = 0f32;
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let error = (got - want).abs();
        assert!(error <= tolerance, "{what}, logit {i}: got {got}, want {want}");
        largest = largest.max(error);
    }
    largest
}
