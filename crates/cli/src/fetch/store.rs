//! What was downloaded, in the user's folder for caches: files by where they come from, and an entry for each model.

use super::address::{encoded, host};
use super::download::{hexadecimal, storage};
use super::files::{Remote, is_projector};
use super::place::parse_place;
use crate::cache;
use cresset::error::{Error, Result};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A model that was asked for.
#[derive(Serialize, Deserialize)]
pub struct Entry {
    /// Its name; see [`super::Name::canonical`].
    pub model: String,
    /// The path that opens it, in the store.
    pub open: String,
    pub files: Vec<Kept>,
}

#[derive(Serialize, Deserialize)]
pub struct Kept {
    /// In the store, with `/`.
    pub path: String,
    pub bytes: Option<u64>,
    pub sha256: Option<String>,
    /// It was optional, and there is none.
    #[serde(default)]
    pub absent: bool,
}

pub struct Store {
    root: PathBuf,
}

impl Store {
    /// # Errors
    /// `STORAGE` if the system has no folder for caches.
    pub fn open() -> Result<Store> {
        let folder = cache::folder().ok_or_else(|| Error::Storage {
            reason: "there is no folder for what is downloaded; set HOME or XDG_CACHE_HOME".to_string(),
        })?;
        Ok(Store { root: folder.join("models") })
    }

    /// Where a file of an entry is.
    pub fn path(&self, relative: &str) -> PathBuf {
        relative.split('/').fold(self.root.clone(), |path, part| path.join(part))
    }

    fn entry_path(&self, model: &str) -> PathBuf {
        self.root.join(format!("{}.json", short_hash(model)))
    }

    /// The path that opens a model of which all is here.
    pub fn find(&self, model: &str) -> Option<PathBuf> {
        let entry = self.entry(&self.entry_path(model))?;
        (entry.model == model && self.bytes(&entry).1).then(|| self.path(&entry.open))
    }

    /// Says that these files are coming.
    ///
    /// # Errors
    /// `STORAGE`.
    pub fn begin(&self, model: &str, remote: &[Remote]) -> Result<Entry> {
        // A model and its projector have a folder to themselves: there the one is found beside the other.
        let has_projector = remote.iter().any(|file| is_projector(&file.name));
        let folder = match remote.first().filter(|_| has_projector) {
            Some(first) => format!("{}/{}", folder_of(model), first.name.trim_end_matches(".gguf")),
            None => folder_of(model),
        };
        let kept = |file: &Remote| Kept {
            path: format!("{folder}/{}", file.name),
            bytes: file.bytes,
            sha256: file.sha256.clone(),
            absent: false,
        };
        let files: Vec<Kept> = remote.iter().map(kept).collect();
        let open = match has_projector {
            true => folder,
            false => files.first().map(|file| file.path.clone()).unwrap_or_default(),
        };
        let entry = Entry { model: model.to_string(), open, files };
        self.keep(&entry)?;
        Ok(entry)
    }

    /// Writes an entry down.
    ///
    /// # Errors
    /// `STORAGE`.
    pub fn keep(&self, entry: &Entry) -> Result<()> {
        let path = self.entry_path(&entry.model);
        let refused = |error: io::Error| storage(&path, &error);
        fs::create_dir_all(&self.root).map_err(refused)?;
        let text = serde_json::to_string_pretty(entry).map_err(|error| refused(error.into()))?;
        fs::write(&path, text).map_err(refused)
    }

    /// All entries, by name.
    pub fn entries(&self) -> Vec<Entry> {
        let files = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let mut entries: Vec<Entry> = files.filter_map(|file| self.entry(&file.path())).collect();
        entries.sort_by(|a, b| a.model.cmp(&b.model));
        entries
    }

    fn entry(&self, path: &Path) -> Option<Entry> {
        let entry: Entry = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        // Nothing in an entry leads out of the store.
        let inside =
            |path: &str| path.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains(['\\', ':']));
        entry.files.iter().all(|file| inside(&file.path)).then_some(entry)
    }

    /// Bytes of a model that are here, and whether they are all.
    pub fn bytes(&self, entry: &Entry) -> (u64, bool) {
        let (mut bytes, mut whole) = (0, true);
        for file in entry.files.iter().filter(|file| !file.absent) {
            let here = |path: PathBuf| path.metadata().ok().map(|facts| facts.len());
            match here(self.path(&file.path)) {
                Some(length) => {
                    bytes += length;
                    whole &= file.bytes == Some(length);
                }
                None => {
                    bytes += here(self.path(&format!("{}.part", file.path))).unwrap_or(0);
                    whole = false;
                }
            }
        }
        (bytes, whole)
    }

    /// Removes a model, but for files that belong to another one as well; gives the bytes that were freed.
    ///
    /// # Errors
    /// `STORAGE`.
    pub fn delete(&self, entry: &Entry) -> Result<u64> {
        let others: Vec<Entry> = self.entries().into_iter().filter(|other| other.model != entry.model).collect();
        let shared = |path: &str| others.iter().flat_map(|other| &other.files).any(|file| file.path == path);
        let mut freed = 0;
        for file in entry.files.iter().filter(|file| !shared(&file.path)) {
            for path in ["", ".part", ".part.json"].map(|end| self.path(&format!("{}{end}", file.path))) {
                let bytes = path.metadata().map_or(0, |facts| facts.len());
                remove(&path)?;
                freed += bytes;
            }
            // Folders that have become empty.
            let mut folder = self.path(&file.path);
            while folder.pop() && folder != self.root && fs::remove_dir(&folder).is_ok() {}
        }
        remove(&self.entry_path(&entry.model))?;
        Ok(freed)
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(storage(path, &error)),
        _ => Ok(()),
    }
}

fn short_hash(text: &str) -> String {
    hexadecimal(&digest(&SHA256, text.as_bytes()).as_ref()[..8])
}

/// The folder of a model's files: those of a repository's folder and revision share one, so do those of an address's folder.
fn folder_of(model: &str) -> String {
    if let Some(place) = model.strip_prefix("hf:").and_then(parse_place) {
        let inner = place.file.as_deref().unwrap_or_default();
        let inner = match inner.rsplit_once('/') {
            _ if !inner.ends_with(".gguf") && !inner.ends_with(".safetensors") && !inner.ends_with(".json") => inner,
            Some((folder, _)) => folder,
            None => "",
        };
        let folder = format!("hub/{}@{}", place.repo, encoded(&place.revision));
        return if inner.is_empty() { folder } else { format!("{folder}/{inner}") };
    }
    let (path, query) = model.split_once('?').unwrap_or((model, ""));
    let folder = path.rsplit_once('/').map_or(path, |(folder, _)| folder);
    format!("web/{}/{}", host(model).replace(':', "_"), short_hash(&format!("{folder}?{query}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("models");
        (folder, Store { root })
    }

    fn remote(name: &str) -> Remote {
        Remote { name: name.into(), url: String::new(), bytes: None, sha256: None, optional: false }
    }

    #[test]
    fn models_of_one_folder_share_its_files() {
        let (_folder, store) = store();
        for model in ["hf:a/b/one.safetensors", "hf:a/b/two.safetensors"] {
            let weights = model.rsplit('/').next().expect("a name");
            let mut entry = store.begin(model, &[remote(weights), remote("config.json")]).expect("written");
            assert!(store.find(model).is_none());
            for file in &mut entry.files {
                let path = store.path(&file.path);
                fs::create_dir_all(path.parent().expect("a folder")).expect("made");
                fs::write(path, "12345").expect("written");
                file.bytes = Some(5);
            }
            store.keep(&entry).expect("written");
            assert_eq!(store.find(model), Some(store.path(&entry.open)));
        }
        let entries = store.entries();
        assert_eq!(entries.iter().map(|entry| store.bytes(entry)).collect::<Vec<_>>(), [(10, true), (10, true)]);
        assert_eq!(store.delete(&entries[0]), Ok(5));
        assert!(store.find("hf:a/b/one.safetensors").is_none() && store.find("hf:a/b/two.safetensors").is_some());
        assert_eq!(store.delete(&entries[1]), Ok(10));
        assert_eq!(fs::read_dir(&store.root).expect("a folder").count(), 0);
    }

    #[test]
    fn an_entry_leads_nowhere_else() {
        let (_folder, store) = store();
        let mut entry = store.begin("hf:a/b/c.gguf", &[remote("c.gguf")]).expect("written");
        assert_eq!(store.entries().len(), 1);
        entry.files[0].path = "../../outside".into();
        store.keep(&entry).expect("written");
        assert_eq!(store.entries().len(), 0);
    }

    #[test]
    fn folders_tell_sources_apart() {
        for (model, folder) in [
            ("hf:a/b/c.gguf", "hub/a/b@main"),
            ("hf:a/b", "hub/a/b@main"),
            ("hf:a/b/d/c.gguf@refs/pr/1", "hub/a/b@refs%2Fpr%2F1/d"),
            ("hf:a/b/d", "hub/a/b@main/d"),
        ] {
            assert_eq!(folder_of(model), folder);
        }
        let [one, same, other] = ["https://h:8/a/b?x=1", "https://h:8/a/c?x=1", "https://h:8/a/b?x=2"].map(folder_of);
        assert!(one.starts_with("web/h_8/") && one == same && one != other, "{one} {same} {other}");
    }
}
