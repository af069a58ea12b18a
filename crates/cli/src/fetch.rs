//! Downloads: a model's name as a person writes it → its files on this machine, fetched once.

mod address;
mod catalogue;
mod download;
mod environment;
mod failure;
mod files;
mod http;
mod http_date;
mod hub;
mod name;
mod patience;
mod place;
mod ranges;
mod store;

pub use catalogue::names as catalogue_names;
pub use files::Kind;
pub use name::Name;
pub use store::{Entry, Store};

use cresset::error::{Error, Result};
use cresset::weights::{Files, Source, open_path};
use download::{Bar, download};
use http::Http;
use ranges::Ranges;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The file or folder of a model or adapter: the path itself, or where what the name means is kept. What is not there yet is
/// downloaded, with a progress bar on stderr.
///
/// # Errors
/// `MODEL_NOT_FOUND`, `INVALID_REQUEST` for a malformed name, `DOWNLOAD`, `INTEGRITY`, `STORAGE`.
pub fn locate(given: &Path, kind: Kind) -> Result<PathBuf> {
    let name = Name::parse(given)?;
    match here(&name)? {
        Some(path) => Ok(path),
        None => fetch(&name, kind),
    }
}

/// The files of a model or adapter for a look at them: what is not on this machine is read where it is, by ranges.
///
/// # Errors
/// As [`locate`].
pub fn look(given: &Path, kind: Kind) -> Result<Files> {
    let name = Name::parse(given)?;
    if let Some(path) = here(&name)? {
        return open_path(path);
    }
    let http = Rc::new(Http::new()?);
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    for file in files::list(&http, &name, kind)? {
        if let Some(source) = Ranges::open(http.clone(), file)? {
            sources.push(Box::new(source));
        }
    }
    Ok(Files::new(sources))
}

/// The sampling parameters that the page's catalogue recommends for a model; null where it has none.
///
/// # Errors
/// `INVALID_REQUEST` for a malformed name.
pub fn recommended(given: &Path) -> Result<serde_json::Value> {
    Ok(catalogue::sampling(&Name::parse(given)?.canonical()))
}

/// Where a model is on this machine.
fn here(name: &Name) -> Result<Option<PathBuf>> {
    if let Name::Path(path) = &name {
        return match path.exists() || !name::is_bare(path) {
            true => Ok(Some(path.clone())),
            false => Err(Error::ModelNotFound {
                what: path.display().to_string(),
                hint: format!(
                    "; it is neither a file here nor one of {}. hf:owner/repo/file and addresses (https://…) work too",
                    catalogue::names().join(", ")
                )
                .into(),
            }),
        };
    }
    Ok(match name.beside() {
        Some(path) => Some(path),
        None => Store::open()?.find(&name.canonical()),
    })
}

/// Downloads what is not here yet.
fn fetch(name: &Name, kind: Kind) -> Result<PathBuf> {
    let (store, http) = (Store::open()?, Http::new()?);
    let remote = files::list(&http, name, kind)?;
    let mut entry = store.begin(&name.canonical(), &remote)?;
    let bar = Bar::new(&name.canonical(), remote.iter().map(|file| file.bytes).sum::<Option<u64>>());
    for (i, file) in remote.iter().enumerate() {
        let path = store.path(&entry.files[i].path);
        match download(&http, file, &path, &bar) {
            Ok(got) => (entry.files[i].bytes, entry.files[i].sha256) = (Some(got.bytes), Some(got.sha256)),
            Err(Error::ModelNotFound { .. }) if file.optional => entry.files[i].absent = true,
            Err(error) => {
                // A name under which nothing came is not kept.
                if store.bytes(&entry).0 == 0 {
                    store.delete(&entry)?;
                }
                return Err(error);
            }
        }
    }
    bar.finish();
    store.keep(&entry)?;
    Ok(store.path(&entry.open))
}
