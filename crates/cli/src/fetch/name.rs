//! The ways of naming a model: a path, a name of the catalogue, `hf:owner/repo/file@revision`, an address.

use super::catalogue;
use super::place::{Place, of_page, parse_place};
use cresset::error::{Error, Result};
use std::path::{Path, PathBuf};

/// A parsed name.
#[derive(Debug, PartialEq)]
pub enum Name {
    Path(PathBuf),
    /// A model that comes with the page.
    Bundled(&'static str),
    Hub(Place),
    /// Without its fragment.
    Url(String),
}

impl Name {
    /// # Errors
    /// `INVALID_REQUEST` for a name of the hub, or an address, that cannot be one.
    pub fn parse(given: &Path) -> Result<Name> {
        let Some(text) = given.to_str() else { return Ok(Name::Path(given.to_owned())) };
        if let Some(row) = catalogue::bundled(text) {
            return Ok(Name::Bundled(&row.id));
        }
        if let Some(hub) = catalogue::on_hub(text) {
            return Name::parse(Path::new(&hub.model));
        }
        if let Some(place) = text.strip_prefix("hf:") {
            return parse_place(place).map(Name::Hub).ok_or_else(|| {
                Error::invalid("model", format!("{text} should look like hf:owner/repo/file.gguf or hf:owner/repo"))
            });
        }
        let address = text.split('#').next().unwrap_or_default();
        match address.split_once("://") {
            Some(("http" | "https", rest)) if !rest.trim_start_matches('/').is_empty() => {
                Ok(of_page(address).map_or_else(|| Name::Url(address.to_string()), Name::Hub))
            }
            Some((scheme, _)) if scheme.chars().all(|c| c.is_ascii_alphanumeric()) && !given.exists() => {
                Err(Error::invalid("model", format!("{scheme}: addresses cannot be read; http: and https: can")))
            }
            _ => Ok(Name::Path(given.to_owned())),
        }
    }

    /// The name that files are kept under: the same for each way of naming them.
    pub fn canonical(&self) -> String {
        match self {
            Name::Path(path) => path.display().to_string(),
            Name::Bundled(id) => match catalogue::bundled(id).and_then(|row| row.hub.as_ref()) {
                Some(hub) => hub.model.clone(),
                None => (*id).to_string(),
            },
            Name::Hub(place) => place.to_string(),
            Name::Url(url) => url.clone(),
        }
    }

    /// The file of a bundled model that is here without a download.
    pub fn beside(&self) -> Option<PathBuf> {
        match self {
            Name::Bundled(id) => catalogue::bundled(id)?.beside(),
            _ => None,
        }
    }
}

/// Whether a path is one word, as names are, so that a person may have meant a name.
pub fn is_bare(path: &Path) -> bool {
    path.components().count() == 1
        && !["gguf", "safetensors", "json"].iter().any(|end| path.extension() == Some(end.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(repo: &str, file: Option<&str>, revision: &str) -> Name {
        Name::Hub(Place { repo: repo.into(), file: file.map(str::to_string), revision: revision.into() })
    }

    #[test]
    fn a_model_is_named_in_four_ways() {
        for (given, expected) in [
            ("model.gguf", Name::Path("model.gguf".into())),
            ("a folder/", Name::Path("a folder/".into())),
            ("default", Name::Bundled("default")),
            ("hf:a/b", place("a/b", None, "main")),
            ("hf:a/b/c/d.gguf@v1", place("a/b", Some("c/d.gguf"), "v1")),
            ("hf:a/b@refs/pr/1", place("a/b", None, "refs/pr/1")),
            ("https://huggingface.co/a/b", place("a/b", None, "main")),
            ("https://huggingface.co/a/b/blob/main/c.gguf?download=true", place("a/b", Some("c.gguf"), "main")),
            ("https://huggingface.co/a/b/resolve/v1/d/c.gguf", place("a/b", Some("d/c.gguf"), "v1")),
            ("https://example.org/m.gguf#top", Name::Url("https://example.org/m.gguf".into())),
        ] {
            assert_eq!(Name::parse(Path::new(given)), Ok(expected), "{given}");
        }
        for given in ["hf:", "hf:a", "hf:a/..", "hf:a/b/../c", "hf:a/b@", "hf:a/b/c\\d", "hf:a b/c", "ftp://a/b"] {
            assert_eq!(Name::parse(Path::new(given)).map_err(|e| e.code()), Err("INVALID_REQUEST"), "{given}");
        }
    }

    #[test]
    fn names_of_one_file_are_one() {
        let canonical = |given: &str| Name::parse(Path::new(given)).expect("a name").canonical();
        assert_eq!(canonical("https://huggingface.co/a/b/blob/main/c.gguf"), "hf:a/b/c.gguf");
        assert_eq!(canonical("hf:a/b/c.gguf@main"), "hf:a/b/c.gguf");
        assert_eq!(canonical("smollm2-360m"), catalogue::on_hub("smollm2-360m").expect("a row").model);
    }
}
