//! Which files a repository of the hub has.

use super::address::encoded;
use super::environment::endpoint;
use super::http::Http;
use super::place::Place;
use cresset::error::{Error, Result};
use serde_json::Value;

/// A file of a repository.
pub struct Listed {
    pub name: String,
    pub bytes: Option<u64>,
    /// The hub states it for large files.
    pub sha256: Option<String>,
}

/// The files of a repository.
///
/// # Errors
/// `MODEL_NOT_FOUND`, `DOWNLOAD`.
pub fn list(http: &Http, place: &Place) -> Result<Vec<Listed>> {
    let Place { repo, revision, .. } = place;
    let url = format!("{}/api/models/{repo}/revision/{}?blobs=true", endpoint(), encoded(revision));
    let text = http.text(&url).map_err(|error| match error {
        Error::ModelNotFound { .. } => Error::ModelNotFound {
            what: format!("a repository {repo} with a revision {revision}"),
            hint: format!(" on {}", endpoint()).into(),
        },
        error => error,
    })?;
    let listing: Value = serde_json::from_str(&text).unwrap_or_default();
    let Some(siblings) = listing["siblings"].as_array() else {
        return Err(Error::Download {
            what: repo.clone(),
            reason: format!("{} answered without a list of files", endpoint()),
        });
    };
    let text = |value: &Value| value.as_str().map(str::to_string);
    let listed = siblings.iter().filter_map(|file| {
        let (name, lfs) = (text(&file["rfilename"])?, &file["lfs"]);
        Some(Listed {
            name,
            bytes: file["size"].as_u64().or_else(|| lfs["size"].as_u64()),
            sha256: text(&lfs["sha256"]),
        })
    });
    Ok(listed.collect())
}
