//! A small HTTP server: one answer a connection, by a function.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

/// What is answered.
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// Bytes of the body after which the connection breaks.
    sent: Option<usize>,
}

impl Answer {
    pub fn status(status: u16) -> Answer {
        Answer { status, headers: Vec::new(), body: Vec::new(), sent: None }
    }

    /// A file, or the part that a request with this head asks for.
    pub fn file(body: Vec<u8>, head: &str) -> Answer {
        let range = head.lines().find_map(|line| line.strip_prefix("range: bytes=")?.split_once('-'));
        let range = range.map(|(start, end)| (start.parse().unwrap_or(0), end.parse().unwrap_or(body.len() - 1)));
        match range {
            Some((start, end)) if start < body.len() => {
                let range = format!("bytes {start}-{end}/{}", body.len());
                Answer { body: body[start..=end].to_vec(), ..Answer::status(206) }.header("content-range", &range)
            }
            Some(_) => Answer::status(416).header("content-range", &format!("bytes */{}", body.len())),
            None => Answer { body, ..Answer::status(200) },
        }
    }

    /// As [`Self::file`], whole where another ETag is asked for.
    pub fn file_if(body: Vec<u8>, head: &str, etag: &str) -> Answer {
        let other = head.lines().any(|line| line.strip_prefix("if-range: ").is_some_and(|asked| asked != etag));
        Answer::file(body, if other { "" } else { head }).header("etag", etag)
    }

    pub fn header(mut self, name: &str, value: &str) -> Answer {
        self.headers.push((name.to_string(), value.to_string()));
        self
    }

    pub fn broken_at(mut self, bytes: usize) -> Answer {
        self.sent = Some(bytes);
        self
    }
}

pub struct Server {
    /// `http://127.0.0.1:port`
    pub url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers as long as the test runs. The function gets the path, and the request's lines with names in lower case.
    pub fn start(mut answer: impl FnMut(&str, &str) -> Answer + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = heads.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut head = String::new();
                for line in BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
                    let (name, value) = line.split_once(": ").unwrap_or(("", &line));
                    let name = name.to_lowercase();
                    head += &if name.is_empty() { format!("{value}\n") } else { format!("{name}: {value}\n") };
                }
                let path = head.split(' ').nth(1).unwrap_or_default().to_string();
                kept.lock().expect("no panic while held").push(head.clone());
                let Answer { status, headers, body, sent } = answer(&path, &head);
                let mut reply =
                    format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
                headers.iter().for_each(|(name, value)| reply += &format!("{name}: {value}\r\n"));
                let body = &body[..sent.unwrap_or(body.len()).min(body.len())];
                let _ = (&stream).write_all(&[(reply + "\r\n").as_bytes(), body].concat());
            }
        });
        Server { url, heads }
    }

    /// The requests' lines.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("no panic while held").clone()
    }
}
