//! Hugging Face's hub, or the mirror that `HF_ENDPOINT` names.

use super::http::{Http, encoded};
use super::name::{Place, parse_place};
use cresset::error::{Error, Result};
use serde_json::Value;
use std::path::PathBuf;
use std::{env, fs};

/// The revision that is meant where none is named.
pub const MAIN: &str = "main";
const HUB: &str = "https://huggingface.co";

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().map(|value| value.trim().to_string()).filter(|value| !value.is_empty())
}

/// Where the hub is, without a slash at the end.
pub fn endpoint() -> String {
    variable("HF_ENDPOINT").map_or_else(|| HUB.to_string(), |mirror| mirror.trim_end_matches('/').to_string())
}

/// The person's token, as the hub's own programs find it: a variable, or the file that a login has written.
pub fn token() -> Option<String> {
    let home = || variable("HF_HOME").map(PathBuf::from);
    let usual =
        || Some(PathBuf::from(variable("HOME").or_else(|| variable("USERPROFILE"))?).join(".cache/huggingface"));
    let file = variable("HF_TOKEN_PATH").map(PathBuf::from).or_else(|| Some(home().or_else(usual)?.join("token")));
    let kept =
        || fs::read_to_string(file?).ok().map(|token| token.trim().to_string()).filter(|token| !token.is_empty());
    variable("HF_TOKEN").or_else(|| variable("HUGGING_FACE_HUB_TOKEN")).or_else(kept)
}

/// Whether the person wants nothing of the network.
pub fn is_offline() -> bool {
    variable("HF_HUB_OFFLINE").is_some_and(|value| ["1", "on", "yes", "true"].contains(&value.to_lowercase().as_str()))
}

/// The place that an address of the hub's pages means: a repository's, or a file's.
pub fn of_page(address: &str) -> Option<Place> {
    let path = [HUB.to_string(), endpoint()].iter().find_map(|hub| address.strip_prefix(hub)?.strip_prefix('/'))?;
    let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
    let mut parts = path.splitn(5, '/');
    let (owner, repo) = (parts.next()?, parts.next()?);
    match (parts.next(), parts.next(), parts.next()) {
        (None, ..) | (Some("tree"), Some(MAIN), None) => parse_place(&format!("{owner}/{repo}")),
        (Some("tree"), Some(revision), None) => parse_place(&format!("{owner}/{repo}@{revision}")),
        (Some("blob" | "resolve"), Some(revision), Some(file)) => {
            parse_place(&format!("{owner}/{repo}/{file}@{revision}"))
        }
        _ => None,
    }
}

/// The address of a file.
pub fn file_url(place: &Place, file: &str) -> String {
    let path: Vec<String> = file.split('/').map(encoded).collect();
    format!("{}/{}/resolve/{}/{}", endpoint(), place.repo, encoded(&place.revision), path.join("/"))
}

/// A file of a repository.
pub struct Listed {
    pub name: String,
    pub bytes: Option<u64>,
    /// Of large files.
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
