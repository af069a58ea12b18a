//! Places on Hugging Face's hub: `owner/repo/file@revision`.

use super::address::encoded;
use super::environment::{HUB, endpoint};
use std::fmt;

/// The revision that is meant where none is named.
pub const MAIN: &str = "main";

/// A repository of the hub, or a file or folder in it.
#[derive(Debug, PartialEq)]
pub struct Place {
    pub repo: String,
    pub file: Option<String>,
    pub revision: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let file = self.file.as_ref().map(|file| format!("/{file}")).unwrap_or_default();
        let revision = if self.revision == MAIN { String::new() } else { format!("@{}", self.revision) };
        write!(f, "hf:{}{file}{revision}", self.repo)
    }
}

/// `owner/repo[/file][@revision]`
pub fn parse_place(text: &str) -> Option<Place> {
    let (path, revision) = text.split_once('@').unwrap_or((text, MAIN));
    let mut parts = path.trim_end_matches('/').splitn(3, '/');
    let (owner, repo, file) = (parts.next()?, parts.next()?, parts.next());
    let word = |text: &str| text.chars().all(|c| c.is_alphanumeric() || "._-".contains(c));
    let sound = |text: &str| {
        !matches!(text, "" | "." | "..") && !text.contains(['\\', ':']) && !text.contains(char::is_control)
    };
    let all = [owner, repo].into_iter().chain(revision.split('/')).chain(file.into_iter().flat_map(|f| f.split('/')));
    let fits = word(owner) && word(repo) && all.into_iter().all(sound);
    fits.then(|| Place {
        repo: format!("{owner}/{repo}"),
        file: file.map(str::to_string),
        revision: revision.to_string(),
    })
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
