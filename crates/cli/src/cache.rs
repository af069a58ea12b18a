//! The folder in which this program keeps what it can have again.

use std::env;
use std::path::PathBuf;

/// `$XDG_CACHE_HOME/cresset`, or in the platform's folder for caches; `None` where there is neither.
pub fn folder() -> Option<PathBuf> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let caches = variable("XDG_CACHE_HOME").or_else(|| variable("LOCALAPPDATA"));
    let caches = caches.or_else(|| Some(variable("HOME")?.join(".cache")));
    Some(caches?.join("cresset"))
}
