//! Environment variables of Hugging Face's hub: its address, the user's token, whether to stay offline.

use std::path::PathBuf;
use std::{env, fs};

/// The hub itself.
pub const HUB: &str = "https://huggingface.co";

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
