//! Addresses, taken apart and put together.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Characters that stay as they are in a part of a path.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A part of a path, as addresses write it.
pub fn encoded(part: &str) -> String {
    utf8_percent_encode(part, PART).to_string()
}

/// The last part of an address's path, as a file's name.
pub fn file_name(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let last = path.trim_end_matches('/').split_once('/').and_then(|(_, path)| path.rsplit('/').next());
    let name = percent_decode_str(last.unwrap_or_default()).decode_utf8_lossy().into_owned();
    // Nothing of an address leads to another folder.
    let name = name.replace(|c: char| c.is_control() || "/\\:<>|?*\"".contains(c), "_");
    if matches!(name.as_str(), "" | "." | "..") { "model".to_string() } else { name }
}

/// `https://host`
pub fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    url[start..].find(['/', '?']).map_or(url, |end| &url[..start + end])
}

pub fn host(url: &str) -> &str {
    origin(url).split("://").last().unwrap_or_default()
}

/// Where a redirect leads from `url`.
pub fn joined(url: &str, to: &str) -> String {
    let origin = origin(url);
    let path = url[origin.len()..].split('?').next().unwrap_or_default();
    match to {
        _ if to.starts_with("http://") || to.starts_with("https://") => to.to_string(),
        _ if to.starts_with("//") => format!("{}:{to}", url.split(':').next().unwrap_or("https")),
        _ if to.starts_with('/') => format!("{origin}{to}"),
        _ => format!("{origin}{}/{to}", path.rsplit_once('/').map_or("", |(folder, _)| folder)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart_and_joined() {
        for (url, name) in [
            ("https://a.b/c/d%20e.gguf?x=1/2#f", "d e.gguf"),
            ("https://a.b", "model"),
            ("https://a.b/c/", "c"),
            ("https://a.b/..%2f..%2fx", ".._.._x"),
        ] {
            assert_eq!(file_name(url), name);
        }
        let url = "https://a.b:8/c/d?e=f/g";
        assert_eq!(host(url), "a.b:8");
        for (to, result) in [
            ("http://x/y", "http://x/y"),
            ("//x/y", "https://x/y"),
            ("/y?z", "https://a.b:8/y?z"),
            ("y", "https://a.b:8/c/y"),
        ] {
            assert_eq!(joined(url, to), result);
        }
        assert_eq!(encoded("refs/pr/1 ü.gguf"), "refs%2Fpr%2F1%20%C3%BC.gguf");
    }
}
