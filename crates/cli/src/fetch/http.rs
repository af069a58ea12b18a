//! An address to bytes, over one connection. Every failure is an [`Error`] that says what to do.

use super::address::{file_name, host, joined, origin};
use super::environment::{endpoint, is_offline, token};
use super::failure::{Failure, broke_off};
use super::http_date::http_date;
use super::patience::patiently;
use cresset::error::{Error, Result};
use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, fs};
use ureq::http::HeaderMap;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

/// A connection that brings nothing for so long is taken for broken.
const STALL: Duration = Duration::from_secs(30);
/// Answers that lead elsewhere, in a row.
const REDIRECTS: usize = 10;
/// Bytes of a list of files, or of an index of tensors.
const TEXT: u64 = 128 << 20;
/// Statuses that a later try may not meet.
const TRANSIENT: [u16; 7] = [408, 425, 429, 500, 502, 503, 504];

/// Which bytes are wanted.
#[derive(Default)]
pub struct Wanted<'a> {
    pub start: u64,
    /// The last byte; without one, all the rest.
    pub end: Option<u64>,
    /// The whole file instead, unless it still has this ETag.
    pub etag: Option<&'a str>,
}

/// A response: its status and headers, and a body that is still to be read.
pub struct Answer {
    /// 200, 206 or 416.
    pub status: u16,
    /// The SHA-256 that the hub says of the file.
    pub sha256: Option<String>,
    headers: HeaderMap,
    body: Body,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The ETag of this very content; a weak one, of an equivalent content, is left out.
    pub fn etag(&self) -> Option<&str> {
        self.header("etag").filter(|etag| etag.starts_with('"'))
    }

    /// The first byte and the file's length from a part; of a 416, only the length.
    pub fn range(&self) -> Option<(u64, u64)> {
        let (range, total) = self.header("content-range")?.trim().strip_prefix("bytes ")?.split_once('/')?;
        let start = if range == "*" { 0 } else { range.split_once('-')?.0.parse().ok()? };
        Some((start, total.parse().ok()?))
    }

    /// Bytes of the whole file, where the server says so.
    pub fn total(&self) -> Option<u64> {
        match self.status {
            200 => self.header("content-length")?.parse().ok(),
            _ => Some(self.range()?.1),
        }
    }

    pub fn is_web_page(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html"))
    }

    pub fn into_reader(self) -> impl Read {
        self.body.into_with_config().limit(u64::MAX).reader()
    }
}

/// Connections, by way of the proxy that the environment names.
pub struct Http {
    agent: Agent,
    token: Option<String>,
}

impl Http {
    /// # Errors
    /// `STORAGE` if `SSL_CERT_FILE` names what is no list of certificates.
    pub fn new() -> Result<Http> {
        let certificates = match env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
            None => RootCerts::WebPki,
            Some(path) => {
                let refused = |reason: String| Error::Storage { reason: format!("SSL_CERT_FILE: {reason}") };
                let pem = fs::read(path).map_err(|error| refused(error.to_string()))?;
                let items =
                    parse_pem(&pem).collect::<Result<Vec<_>, _>>().map_err(|error| refused(error.to_string()))?;
                let certificates = items.into_iter().filter_map(|item| match item {
                    PemItem::Certificate(certificate) => Some(certificate),
                    _ => None,
                });
                RootCerts::Specific(Arc::new(certificates.collect()))
            }
        };
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // The hub says a file's hash in the answer that leads to the file.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(Some(STALL))
            .timeout_connect(Some(STALL))
            .timeout_recv_response(Some(STALL))
            .timeout_per_read(Some(STALL))
            .user_agent(concat!("cresset/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(certificates).build())
            .build();
        Ok(Http { agent: agent.into(), token: token() })
    }

    /// The file at an address, or some of it, after all redirects.
    ///
    /// # Errors
    /// `MODEL_NOT_FOUND`, `DOWNLOAD`, `MODEL_FORMAT` for a web page.
    pub fn get(&self, url: &str, wanted: &Wanted) -> Result<Answer, Failure> {
        let hub = endpoint();
        let is_hub = |url: &str| origin(url) == origin(&hub);
        if is_hub(url) && is_offline() {
            let reason = "HF_HUB_OFFLINE is set, and the file is not kept here".to_string();
            return Err(Failure::lasting(Error::Download { what: file_name(url), reason }));
        }
        let (mut at, mut sha256) = (url.to_string(), None);
        for _ in 0..REDIRECTS {
            let mut request = self.agent.get(&at);
            if wanted.start > 0 || wanted.end.is_some() {
                let end = wanted.end.map_or_else(String::new, |end| end.to_string());
                request = request.header("range", format!("bytes={}-{end}", wanted.start));
                if let Some(etag) = wanted.etag {
                    request = request.header("if-range", etag);
                }
            }
            // Nobody else is told.
            if let (Some(token), true) = (&self.token, is_hub(&at)) {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            let (head, body) = request.call().map_err(|error| unreachable(&at, error))?.into_parts();
            let mut answer = Answer { status: head.status.as_u16(), sha256: None, headers: head.headers, body };
            // Small files have git's hash there, which is shorter.
            let said = answer.header("x-linked-etag").map(|etag| etag.trim_matches('"').to_string());
            sha256 = sha256.or_else(|| said.filter(|hash| is_hub(&at) && is_sha256(hash)));
            match (answer.status, answer.header("location")) {
                (301 | 302 | 303 | 307 | 308, Some(to)) => at = joined(&at, to),
                (200 | 206 | 416, _) if answer.is_web_page() => {
                    let reason = "this is a web page, not a model file; use the address of the file itself";
                    return Err(Failure::lasting(Error::format(url, reason)));
                }
                (200 | 206 | 416, _) => {
                    answer.sha256 = sha256;
                    return Ok(answer);
                }
                _ => return Err(refused(url, &answer, is_hub(url), self.token.is_some())),
            }
        }
        let reason = format!("{} leads from one address to another without end", host(url));
        Err(Failure::lasting(Error::Download { what: file_name(url), reason }))
    }

    /// A small text.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn text(&self, url: &str) -> Result<String> {
        let mut text = String::new();
        patiently(|_| {
            text.clear();
            let answer = self.get(url, &Wanted::default())?;
            let read = answer.into_reader().take(TEXT).read_to_string(&mut text);
            read.map(|_| ()).map_err(|error| Failure::passing(url, broke_off(url, &error.to_string())))
        })?;
        Ok(text)
    }
}

pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// No answer at all.
fn unreachable(url: &str, error: ureq::Error) -> Failure {
    let host = host(url);
    let untrusted = |how: String| {
        let reason = format!(
            "the connection to {host} is not safe ({how}); where a proxy has certificates of its own, SSL_CERT_FILE names them"
        );
        Failure::lasting(Error::Download { what: file_name(url), reason })
    };
    match error {
        ureq::Error::HostNotFound => Failure::passing(
            url,
            format!("the address of {host} is not known here; check the name, and whether this computer is online"),
        ),
        // Reading and writing wrap what TLS says.
        ureq::Error::Io(cause) if cause.kind() == ErrorKind::InvalidData => untrusted(cause.to_string()),
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) | ureq::Error::Pem(_) => untrusted(error.to_string()),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            Failure::lasting(Error::invalid("model", format!("{url} is not an address ({error})")))
        }
        ureq::Error::InvalidProxyUrl => Failure::lasting(Error::Download {
            what: file_name(url),
            reason: "the proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names is not an address".to_string(),
        }),
        error => {
            let how = match &error {
                ureq::Error::Io(cause) => cause.to_string(),
                error => error.to_string(),
            };
            Failure::passing(url, format!("{host} could not be reached ({how}); check whether this computer is online"))
        }
    }
}

/// An answer without the file.
fn refused(url: &str, answer: &Answer, is_hub: bool, has_token: bool) -> Failure {
    let (host, what) = (host(url), file_name(url));
    let reason = match (answer.status, answer.header("x-error-code")) {
        (404 | 410, _) | (_, Some("EntryNotFound" | "RevisionNotFound")) => {
            return Failure::lasting(Error::ModelNotFound { what: url.to_string(), hint: "".into() });
        }
        (401 | 403, Some("GatedRepo")) => {
            let page = url.split("/resolve/").next().unwrap_or(url).replace("/api/models/", "/");
            format!("its makers give it only to those who agree to their terms at {page}; then HF_TOKEN must be theirs")
        }
        (401 | 403, _) if is_hub && !has_token => {
            "there is no such public repository; for a private one, HF_TOKEN must hold your token".to_string()
        }
        (401 | 403, _) => {
            format!("{host} refuses access (HTTP {}): the account may lack it, or the name be wrong", answer.status)
        }
        (429, _) => format!("{host} asks to slow down (HTTP 429); try again in a while"),
        (status, _) => format!("{host} answered with HTTP {status}; try again in a while"),
    };
    Failure {
        error: Error::Download { what, reason },
        transient: TRANSIENT.contains(&answer.status),
        retry_after: answer.header("retry-after").and_then(wait),
    }
}

/// The time that a Retry-After names: so many seconds, or until a date.
fn wait(said: &str) -> Option<Duration> {
    let said = said.trim();
    if let Ok(seconds) = said.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = UNIX_EPOCH + Duration::from_secs(http_date(said)?.try_into().ok()?);
    Some(then.duration_since(SystemTime::now()).unwrap_or_default())
}
