//! Where the tests find data that does not travel with the repository.

use super::at_root;
use super::skip::skipped;
use std::path::PathBuf;

/// A path in the shared data folder (`../shared/data`, or `$CRESSET_SHARED/data`); `None`, said aloud, where it is
/// not present.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("CRESSET_SHARED").map_or_else(|| at_root("../shared"), PathBuf::from);
    let file = root.join("data").join(path);
    if !file.exists() {
        skipped(&format!("shared data: there is no {path} (CRESSET_SHARED names the folder)"));
        return None;
    }
    Some(file)
}

/// The real weights that the environment variable names; `None`, said aloud, where it names none.
pub fn weights(variable: &str, what: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    if path.is_none() {
        skipped(&format!("{what} ({variable} does not say where it is)"));
    }
    path
}

/// The text of a file in the shared data folder.
pub fn read(path: &str) -> Option<String> {
    Some(std::fs::read_to_string(shared(path)?).expect("a readable text file"))
}
