//! Models by name and address, from a server of this test's own: what is kept, what is gone on with, what is refused.

use crate::cresset;
use crate::server::{Answer, Server};
use crate::support::at_root;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Output;

const GGUF: &str = "tests/golden/llama-gqa/f32.gguf";
/// SHA-256 of [`GGUF`], computed by another program.
const HASH: &str = "06b972b285075bc62dea2929052440bc08e7bc8600bdba47c5a0606eb12b1bb6";

fn gguf() -> Vec<u8> {
    std::fs::read(at_root(GGUF)).expect("a golden file")
}

/// A hub, and somebody's cache.
struct World {
    hub: Server,
    caches: tempfile::TempDir,
}

impl World {
    fn new(answer: impl FnMut(&str, &str) -> Answer + Send + 'static) -> World {
        World { hub: Server::start(answer), caches: tempfile::tempdir().expect("a folder") }
    }

    /// Runs the program with the variables that people set.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = cresset();
        command.args(arguments).env("XDG_CACHE_HOME", self.caches.path()).env("HF_ENDPOINT", &self.hub.url);
        command.env("HF_HOME", self.caches.path()).env("HF_TOKEN", "hf_secret").env_remove("HF_HUB_OFFLINE");
        for proxy in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(proxy);
        }
        command.output().expect("the binary runs")
    }

    /// The ids of a text, by the tokenizer of a model: the shortest proof that it is there.
    #[track_caller]
    fn ids(&self, model: &str) -> Value {
        let out = self.run(&["tokenize", "--model", model, "--text", "the hen"]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        serde_json::from_slice(&out.stdout).expect("ids")
    }

    /// The last line of stderr, which holds the code and the piece.
    #[track_caller]
    fn refused(&self, model: &str, code: &str, piece: &str) {
        let out = self.run(&["tokenize", "--model", model, "--text", "a"]);
        let stderr = String::from_utf8_lossy(&out.stderr);
        let line = stderr.lines().last().unwrap_or_default();
        assert!(line.starts_with(&format!("error[{code}]: ")) && line.contains(piece), "{stderr}");
        assert_eq!((out.status.code(), out.stdout.len()), (Some(1), 0));
    }

    fn list(&self) -> Value {
        let out = self.run(&["models", "list", "--json"]);
        serde_json::from_slice(&out.stdout).expect("JSON")
    }

    /// Files that were begun and not finished.
    fn parts(&self) -> Vec<PathBuf> {
        let (mut folders, mut parts) = (vec![self.caches.path().to_owned()], vec![]);
        while let Some(folder) = folders.pop() {
            for file in std::fs::read_dir(folder).expect("a folder").flatten() {
                match file.path() {
                    path if path.is_dir() => folders.push(path),
                    path if path.to_string_lossy().contains(".part") => parts.push(path),
                    _ => {}
                }
            }
        }
        parts
    }
}

fn expected() -> Value {
    let out = cresset().args(["tokenize", "--model", GGUF, "--text", "the hen"]).output().expect("the binary runs");
    serde_json::from_slice(&out.stdout).expect("ids")
}

/// The hub leads to another host, and says the file's hash on the way; the connection breaks once in the middle.
#[test]
fn a_file_of_the_hub_comes_once() {
    let storage = Server::start({
        let mut broken = false;
        move |path, head| {
            assert!(path.starts_with("/stored") && !head.contains("hf_secret"), "{head}");
            let answer = Answer::file(gguf(), head).header("etag", "\"of the storage\"");
            if std::mem::replace(&mut broken, true) { answer } else { answer.broken_at(5000) }
        }
    });
    let to = format!("{}/stored?signature=x", storage.url);
    let world = World::new(move |path, head| {
        assert!(head.contains("authorization: Bearer hf_secret"), "{head}");
        assert_eq!(path, "/some/repo/resolve/v1/some%20model.gguf");
        Answer::status(302).header("location", &to).header("x-linked-etag", &format!("\"{HASH}\""))
    });
    let model = "hf:some/repo/some model.gguf@v1";
    assert_eq!(world.ids(model), expected());
    // From where it broke off, only if it is still the same.
    let heads = storage.heads();
    assert_eq!(heads.len(), 2);
    assert!(
        heads[1].contains("range: bytes=5000-") && heads[1].contains("if-range: \"of the storage\""),
        "{}",
        heads[1]
    );
    // It is there now: nobody is asked again.
    assert_eq!(world.ids(model), expected());
    assert_eq!((world.hub.heads().len(), storage.heads().len(), world.parts().len()), (2, 2, 0));

    let list = world.list();
    let (bytes, first) = (gguf().len(), &list["models"][0]);
    assert_eq!((&first["model"], &first["bytes"], &first["complete"]), (&json!(model), &json!(bytes), &json!(true)));
    let shown = String::from_utf8(world.run(&["models"]).stdout).expect("UTF-8");
    assert!(shown.contains(model) && shown.contains("default, "), "{shown}");
    let out = world.run(&["models", "delete", model]);
    assert!(String::from_utf8_lossy(&out.stdout).contains("deleted"), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(world.list()["models"], json!([]));
    assert_eq!(world.run(&["models", "delete", model]).status.code(), Some(1));
}

/// What was begun by one program is gone on with by the next.
#[test]
fn a_download_goes_on_later() {
    let mut asked = 0;
    let world = World::new(move |_, head| {
        asked += 1;
        let answer = Answer::file(gguf(), head).header("etag", "\"one\"");
        // Then the server wants to be left alone for longer than anybody waits.
        match asked {
            1 => answer.broken_at(3000),
            2 => Answer::status(503).header("retry-after", "Fri, 31 Dec 2100 23:59:59 GMT"),
            _ => answer,
        }
    });
    let url = format!("{}/m.gguf", world.hub.url);
    world.refused(&url, "DOWNLOAD", "answered with HTTP 503");
    assert_eq!(world.list()["models"][0]["complete"], json!(false));
    assert_eq!(world.ids(&url), expected());
    assert!(world.hub.heads()[2].contains("range: bytes=3000-"));
}

#[test]
fn another_file_or_no_ranges_begin_anew() {
    for ranges in [true, false] {
        let mut asked = 0;
        let world = World::new(move |_, head| {
            asked += 1;
            match asked {
                1 => Answer::file(vec![7; 9000], head).header("etag", "\"old\"").broken_at(4000),
                _ if ranges => Answer::file_if(gguf(), head, "\"new\""),
                _ => Answer::file(gguf(), ""),
            }
        });
        assert_eq!(world.ids(&format!("{}/m.gguf", world.hub.url)), expected());
    }
}

#[test]
fn bytes_that_were_not_promised_are_refused() {
    let world = World::new(|_, head| Answer::file(gguf(), head).header("x-linked-etag", &"0".repeat(64)));
    world.refused("hf:some/repo/m.gguf", "INTEGRITY", HASH);
    assert_eq!(world.parts(), Vec::<PathBuf>::new());
    // A row of the catalogue says what its file is, whatever the server does.
    world.refused("qwen3-0.6b", "INTEGRITY", "expected 9465e63a22add535");
}

#[test]
fn refusals_say_what_to_do() {
    let mut busy = 0;
    let world = World::new(move |path, head| match path.rsplit('/').next().unwrap_or_default() {
        "busy.gguf" => {
            busy += 1;
            if busy == 1 { Answer::status(429).header("retry-after", "1") } else { Answer::file(gguf(), head) }
        }
        "gated.gguf" => Answer::status(403).header("x-error-code", "GatedRepo"),
        "private.gguf" => Answer::status(401),
        "page.gguf" => Answer::file(b"<html>".to_vec(), "").header("content-type", "text/html; charset=utf-8"),
        "round.gguf" => Answer::status(302).header("location", "round.gguf"),
        "photo.gguf" => Answer::file(b"\x89PNG\r\n\x1a\n".to_vec(), ""),
        _ => Answer::status(404),
    });
    assert_eq!(world.ids("hf:some/repo/busy.gguf"), expected());
    world.refused("hf:some/repo/none.gguf", "MODEL_NOT_FOUND", "/some/repo/resolve/main/none.gguf was not found");
    world.refused("hf:some/repo", "MODEL_NOT_FOUND", "a repository some/repo with a revision main was not found");
    world.refused("hf:some/repo/gated.gguf", "DOWNLOAD", "/some/repo; then HF_TOKEN must be theirs");
    world.refused("hf:some/repo/private.gguf", "DOWNLOAD", "refuses access (HTTP 401)");
    world.refused("hf:some/repo/page.gguf", "MODEL_FORMAT", "this is a web page");
    world.refused("hf:some/repo/round.gguf", "DOWNLOAD", "without end");
    world.refused("hf:some/repo/photo.gguf", "MODEL_FORMAT", "photo.gguf: this is an image");
    world.refused("hf:some", "INVALID_REQUEST", "should look like hf:owner/repo");
    world.refused("smolm", "MODEL_NOT_FOUND", "nor one of default, ");
    // Names under which nothing came are not kept.
    let kept: Vec<Value> =
        world.list()["models"].as_array().expect("a list").iter().map(|m| m["model"].clone()).collect();
    assert_eq!(kept, ["hf:some/repo/busy.gguf", "hf:some/repo/photo.gguf"]);
    let out = cresset()
        .args(["tokenize", "--model", "hf:some/repo/m.gguf", "--text", "a"])
        .env("XDG_CACHE_HOME", world.caches.path())
        .env("HF_ENDPOINT", &world.hub.url)
        .env("HF_HUB_OFFLINE", "1")
        .output()
        .expect("the binary runs");
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert!(stderr.contains("error[DOWNLOAD]") && stderr.contains("HF_HUB_OFFLINE is set"), "{stderr}");
}

/// A repository of safetensors: its weights, and what belongs to them.
#[test]
fn a_folder_of_the_hub_comes_whole() {
    let folder = "tests/golden/llama-tied";
    let names = ["config.json", "model.safetensors", "tokenizer.json", "README.md"];
    let read = move |name: &str| std::fs::read(at_root(format!("{folder}/{name}"))).unwrap_or_default();
    let world = World::new(move |path, head| match path.strip_prefix("/some/repo/resolve/main/") {
        Some(name) if names.contains(&name) => Answer::file(read(name), head),
        Some(_) => Answer::status(404),
        None => {
            assert_eq!(path, "/api/models/some/repo/revision/main?blobs=true");
            let siblings: Vec<Value> =
                names.iter().map(|name| json!({ "rfilename": name, "size": read(name).len() })).collect();
            Answer::file(json!({ "siblings": siblings }).to_string().into_bytes(), "")
        }
    });
    let out = world.run(&["inspect", "hf:some/repo", "--device", "cpu"]);
    let shown = String::from_utf8_lossy(&out.stdout);
    assert!(shown.contains("runs here     yes"), "{shown}{}", String::from_utf8_lossy(&out.stderr));
    // A look downloads no weights.
    assert_eq!(world.list()["models"], json!([]));
    assert_eq!(world.ids("hf:some/repo"), world.ids("hf:some/repo"));
    assert_eq!(world.list()["models"][0]["complete"], json!(true));
    assert!(world.hub.heads().iter().all(|head| !head.contains("README")));
    // The same files by address, where nobody lists them; some are not there.
    let url = format!("{}/some/repo/resolve/main/", world.hub.url);
    assert_eq!(world.ids(&url), world.ids("hf:some/repo"));
}

/// Nobody is there at all.
#[test]
fn without_a_network_it_says_so() {
    let world = World::new(|_, _| Answer::status(404));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    world.refused(&format!("http://{closed}/m.gguf"), "DOWNLOAD", "could not be reached");
}
