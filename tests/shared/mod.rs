//! Where the tests find data that does not travel with the repository.
#![allow(dead_code)] // each test file uses some of it

use std::path::PathBuf;

/// A path in the shared data folder (`../shared/data`, or `$CRESSET_SHARED/data`); `None`, said aloud, where it is
/// not present.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("CRESSET_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let path = root.join("data").join(path);
    if !path.exists() {
        eprintln!("SKIPPED: {} is not present", path.display());
        return None;
    }
    Some(path)
}

/// The text of a file in the shared data folder.
pub fn read(path: &str) -> Option<String> {
    Some(std::fs::read_to_string(shared(path)?).expect("a readable text file"))
}
