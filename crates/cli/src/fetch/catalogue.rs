//! Models that are known by name: the rows that the page offers, from its own files.

use serde::Deserialize;
use serde_json::Value;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// A model that comes with the page, and its file on the hub where a site may leave it out.
#[derive(Deserialize)]
pub struct Bundled {
    pub id: String,
    pub file: String,
    bytes: u64,
    pub hub: Option<OnHub>,
    #[serde(default)]
    sampling: Value,
}

/// A file on the hub and what it must be.
#[derive(Deserialize, Clone, Debug, PartialEq)]
pub struct OnHub {
    /// `hf:owner/repo/file@revision`
    pub model: String,
    #[serde(alias = "downloadBytes")]
    pub bytes: u64,
    pub sha256: String,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    #[serde(default)]
    sampling: Value,
    #[serde(flatten)]
    hub: OnHub,
}

static BUNDLED: LazyLock<Vec<Bundled>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../../www/models/catalogue.json")).expect("the tests read it as well")
});
static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../../www/models/hub.json")).expect("the tests read it as well")
});

/// `Qwen3 0.6B` is called `qwen3-0.6b`.
fn id(name: &str) -> String {
    name.to_ascii_lowercase().replace(' ', "-")
}

/// Every name that is known, those that come with the page first.
pub fn names() -> Vec<String> {
    BUNDLED.iter().map(|row| row.id.clone()).chain(ROWS.iter().map(|row| id(&row.name))).collect()
}

/// The bundled model of this name.
pub fn bundled(name: &str) -> Option<&'static Bundled> {
    BUNDLED.iter().find(|row| row.id == name)
}

/// The hub's file of the row of this name.
pub fn on_hub(name: &str) -> Option<&'static OnHub> {
    ROWS.iter().find(|row| id(&row.name) == name.to_ascii_lowercase()).map(|row| &row.hub)
}

/// The length and the hash of a file on the hub, if it is in the catalogue.
pub fn facts(model: &str) -> Option<&'static OnHub> {
    let bundled = BUNDLED.iter().filter_map(|row| row.hub.as_ref());
    bundled.chain(ROWS.iter().map(|row| &row.hub)).find(|hub| hub.model == model)
}

/// The sampling parameters that the row of a file on the hub recommends, whatever its revision; null where there are none.
pub fn sampling(model: &str) -> Value {
    let file = |model: &str| model.split('@').next().map(str::to_owned);
    let bundled = BUNDLED.iter().filter_map(|row| Some((row.hub.as_ref()?, &row.sampling)));
    let mut rows = bundled.chain(ROWS.iter().map(|row| (&row.hub, &row.sampling)));
    rows.find(|(hub, _)| file(&hub.model) == file(model)).map_or(Value::Null, |(_, sampling)| sampling.clone())
}

impl Bundled {
    /// Its file in a page that was built or is kept where this program or its caller is: told by its length.
    pub fn beside(&self) -> Option<PathBuf> {
        let program = env::current_exe().ok().and_then(|path| path.canonicalize().ok());
        // From target/release of a checkout up, then the folder that it is called in.
        let folders = program.iter().flat_map(|path| path.ancestors().skip(1).take(4)).chain([Path::new("")]);
        let files =
            folders.flat_map(|folder| ["dist/models", "www/models"].map(|page| folder.join(page).join(&self.file)));
        files.into_iter().find(|file| file.metadata().is_ok_and(|facts| facts.len() == self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_name_of_its_own() {
        let mut names = names();
        assert!(names.iter().any(|name| name == "default") && names.iter().any(|name| name == "qwen3-0.6b"));
        assert!(names.iter().all(|name| !name.contains(['/', ':', ' '])), "{names:?}");
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn rows_are_found_by_name_and_by_model() {
        let row = on_hub("SmolLM2-135M").expect("a row");
        assert!(row.model.starts_with("hf:") && row.bytes > 100_000_000 && row.sha256.len() == 64);
        assert_eq!(facts(&row.model), Some(row));
        assert_eq!(facts("hf:owner/repo/file.gguf"), None);
        let own = serde_json::json!({ "temperature": 0.2, "top_p": 0.9 });
        let file = row.model.split('@').next().expect("a name");
        assert_eq!([sampling(&row.model), sampling(&format!("{file}@other"))], [own.clone(), own]);
        assert_eq!(sampling("hf:owner/repo/file.gguf"), Value::Null);
    }

    #[test]
    fn a_bundled_file_is_found_beside_the_program() {
        // Tests run below target/ of the checkout.
        let stories = BUNDLED.iter().find(|row| row.file.contains("stories")).expect("a row");
        assert!(stories.beside().is_some_and(|path| path.is_file()));
    }
}
