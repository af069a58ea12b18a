//! Verdicts of the self-test on this machine's adapters, cached between runs. Without a cache directory each run tests
//! again.

use crate::cache;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// An adapter has a verdict for each format; those of older builds go.
const MOST: usize = 24;

fn path() -> Option<PathBuf> {
    Some(cache::folder()?.join("self-test.json"))
}

/// Newest first.
pub fn read() -> Vec<Value> {
    let text = path().and_then(|path| fs::read(path).ok());
    text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

pub fn keep(verdict: &Value) {
    let others = read().into_iter().filter(|other| other["key"] != verdict["key"]);
    let all: Vec<Value> = std::iter::once(verdict.clone()).chain(others).take(MOST).collect();
    let Some(path) = path() else { return };
    // Whatever refuses: the next run asks again.
    let _ = path.parent().map(fs::create_dir_all);
    let _ = fs::write(path, Value::from(all).to_string());
}
