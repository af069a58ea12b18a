//! One file: resumed after a break, held to its SHA-256, and there under its name only when it is whole.

use super::failure::{Failure, broke_off};
use super::files::Remote;
use super::http::{Answer, Http, Wanted, is_sha256};
use super::patience::patiently;
use crate::output::say;
use cresset::error::{Error, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ring::digest::{Context, SHA256};
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Read, Seek, Write, stderr};
use std::path::{Path, PathBuf};

/// Downloads that begin anew because the server cannot go on where one broke off.
const RESTARTS: usize = 2;
const READ_BYTES: usize = 256 << 10;

/// How far all files of a model are, on stderr; in a log one line says what comes.
pub struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// `total`: bytes of all files, where they are known.
    pub fn new(name: &str, total: Option<u64>) -> Bar {
        if !stderr().is_terminal() {
            let size = total.map(|bytes| format!(" ({:.1} MB)", bytes as f64 / 1e6)).unwrap_or_default();
            say(&format!("downloading {name}{size}"));
        }
        let style = "{msg} {bar:32} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}";
        // Shown once there is a length to fill.
        let target = if total.is_some() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total.unwrap_or(0)), target);
        bar.set_style(ProgressStyle::with_template(style).expect("a valid template"));
        Bar { bar }
    }

    /// A file's length has become known.
    fn lengthen(&self, bytes: u64) {
        self.bar.inc_length(bytes);
        self.bar.set_draw_target(ProgressDrawTarget::stderr());
    }

    /// Bytes were here already: they say nothing of the speed.
    fn skip(&self, bytes: u64) {
        self.bar.inc(bytes);
        self.bar.reset_eta();
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// The length and the hash of a downloaded file.
pub struct Got {
    pub bytes: u64,
    pub sha256: String,
}

/// Downloads a file, unless it is there.
///
/// # Errors
/// Errors of [`Http::get`], `INTEGRITY` if the bytes are not those that were promised, `STORAGE`.
pub fn download(http: &Http, file: &Remote, path: &Path, bar: &Bar) -> Result<Got> {
    let refused = |error: io::Error| storage(path, &error);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(refused)?;
    }
    bar.bar.set_message(file.name.clone());
    let part = Part::open(path)?;
    // It belongs to another model as well, or another program has finished it while this one waited.
    if path.exists() {
        let (bytes, context) = hash(&mut File::open(path).map_err(refused)?).map_err(refused)?;
        let got = Got { bytes, sha256: hexadecimal(context.finish().as_ref()) };
        if file.sha256.as_ref().is_none_or(|sha256| *sha256 == got.sha256) {
            part.remove();
            bar.skip(bytes);
            return Ok(got);
        }
    }
    part.fill(http, file, path, bar)
}

/// How far a download is.
struct State {
    length: u64,
    /// The running hash of the bytes that are here.
    context: Context,
    /// The ETag of the file that they belong to.
    etag: Option<String>,
    /// The hash that the whole must have.
    sha256: Option<String>,
    restarts: usize,
    /// The bar knows of this file's length.
    is_sized: bool,
}

/// The beginning of a file, beside the place where it will be, and a note of which file it is.
struct Part {
    file: File,
    path: PathBuf,
    note: PathBuf,
}

impl Part {
    /// Opens or makes it, for this program alone.
    fn open(whole: &Path) -> Result<Part> {
        let beside = |end: &str| {
            let mut name = whole.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        };
        let (path, note) = (beside(".part"), beside(".part.json"));
        let refused = |error: io::Error| storage(&path, &error);
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(refused)?;
        if file.try_lock().is_err() {
            say("another program is downloading this; waiting for it");
            file.lock().map_err(refused)?;
        }
        Ok(Part { file, path, note })
    }

    fn remove(self) {
        drop(self.file);
        let _ = (fs::remove_file(&self.path), fs::remove_file(&self.note));
    }

    /// Downloads what is still to come, and gives the file its name.
    fn fill(mut self, http: &Http, wanted: &Remote, whole: &Path, bar: &Bar) -> Result<Got> {
        match self.complete(http, wanted, bar) {
            Ok(got) => {
                let Part { file, path, note } = self;
                file.sync_all().map_err(|error| storage(&path, &error))?;
                drop(file);
                fs::rename(&path, whole).map_err(|error| storage(whole, &error))?;
                let _ = fs::remove_file(note);
                Ok(got)
            }
            Err(error) => {
                // A later download goes on with the part, unless its bytes are wrong or there are none.
                if matches!(error, Error::Integrity { .. }) || self.file.metadata().is_ok_and(|facts| facts.len() == 0)
                {
                    self.remove();
                }
                Err(error)
            }
        }
    }

    fn complete(&mut self, http: &Http, wanted: &Remote, bar: &Bar) -> Result<Got> {
        let mut state = self.begun(wanted).map_err(|error| storage(&self.path, &error))?;
        bar.skip(state.length);
        patiently(|arrived| {
            let before = state.length;
            let done = self.attempt(http, wanted, &mut state, bar);
            *arrived = state.length > before;
            done
        })?;
        let got = Got { bytes: state.length, sha256: hexadecimal(state.context.finish().as_ref()) };
        match state.sha256.filter(|want| is_sha256(want) && *want != got.sha256) {
            Some(want) => Err(mismatch(wanted, &want, &got.sha256)),
            None => Ok(got),
        }
    }

    /// The state that an earlier run has left, if it is of this very file: its ETag tells or, in the end, its hash.
    fn begun(&mut self, wanted: &Remote) -> io::Result<State> {
        let note: Value = fs::read(&self.note).ok().and_then(|n| serde_json::from_slice(&n).ok()).unwrap_or_default();
        let [etag, noted] = ["etag", "sha256"].map(|name| note[name].as_str().map(str::to_string));
        let other = wanted.sha256.is_some() && noted.is_some() && wanted.sha256 != noted;
        let sha256 = wanted.sha256.clone().or(noted);
        if other || (etag.is_none() && sha256.is_none()) {
            self.file.set_len(0)?;
        }
        let (length, context) = hash(&mut self.file)?;
        Ok(State { length, context, etag, sha256, restarts: 0, is_sized: wanted.bytes.is_some() })
    }

    /// Asks for what is to come, and takes what comes.
    fn attempt(&self, http: &Http, wanted: &Remote, state: &mut State, bar: &Bar) -> Result<(), Failure> {
        if state.length > 0 && state.etag.is_none() && state.sha256.is_none() {
            self.restart(wanted, state, bar)?;
        }
        let request = Wanted { start: state.length, etag: state.etag.as_deref(), end: None };
        let answer = http.get(&wanted.url, &request)?;
        if let Some(said) = &answer.sha256 {
            let want = state.sha256.get_or_insert_with(|| said.clone());
            if want != said && wanted.sha256.is_some() {
                return Err(Failure::lasting(mismatch(wanted, want, said)));
            }
            if want != said {
                (state.etag, state.sha256) = (None, Some(said.clone()));
                self.restart(wanted, state, bar)?;
                return Err(changed(wanted));
            }
        }
        let goes_on = match answer.status {
            206 => answer.range().is_some_and(|(start, _)| start == state.length),
            416 => answer.total() == Some(state.length),
            _ => state.length == 0,
        };
        if !goes_on {
            self.restart(wanted, state, bar)?;
            if answer.status != 200 {
                state.etag = None;
                return Err(changed(wanted));
            }
        }
        state.etag = answer.etag().map(str::to_string);
        let _ = fs::write(&self.note, json!({ "etag": state.etag, "sha256": state.sha256 }).to_string());
        if answer.status == 416 {
            return Ok(());
        }
        let total = answer.total();
        if !std::mem::replace(&mut state.is_sized, true) {
            bar.lengthen(total.unwrap_or(0));
        }
        self.append(answer, &wanted.url, |bytes| {
            state.context.update(bytes);
            state.length += bytes.len() as u64;
            bar.bar.inc(bytes.len() as u64);
        })?;
        match total {
            Some(total) if state.length < total => {
                Err(Failure::passing(&wanted.url, broke_off(&wanted.url, "too few bytes came")))
            }
            _ => Ok(()),
        }
    }

    /// Throws away what is there.
    fn restart(&self, wanted: &Remote, state: &mut State, bar: &Bar) -> Result<(), Failure> {
        if state.restarts == RESTARTS {
            let reason = "the server does not go on where the connection broke off".to_string();
            return Err(Failure::lasting(Error::Download { what: wanted.name.clone(), reason }));
        }
        let emptied = self.file.set_len(0).and_then(|()| (&self.file).rewind());
        emptied.map_err(|error| Failure::lasting(storage(&self.path, &error)))?;
        bar.bar.set_position(bar.bar.position().saturating_sub(state.length));
        (state.length, state.context) = (0, Context::new(&SHA256));
        state.restarts += 1;
        Ok(())
    }

    /// Writes what comes, and hands it on.
    fn append(&self, answer: Answer, url: &str, mut each: impl FnMut(&[u8])) -> Result<(), Failure> {
        let (mut reader, mut buffer) = (answer.into_reader(), vec![0; READ_BYTES]);
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failure::passing(url, broke_off(url, &error.to_string()))),
            };
            (&self.file).write_all(&buffer[..read]).map_err(|e| Failure::lasting(storage(&self.path, &e)))?;
            each(&buffer[..read]);
        }
    }
}

/// The length and hash of a file, read from its beginning.
fn hash(file: &mut File) -> io::Result<(u64, Context)> {
    let (mut context, mut length, mut buffer) = (Context::new(&SHA256), 0, vec![0; READ_BYTES]);
    file.rewind()?;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((length, context)),
            read => {
                context.update(&buffer[..read]);
                length += read as u64;
            }
        }
    }
}

pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn mismatch(file: &Remote, want: &str, got: &str) -> Error {
    Error::Integrity { what: file.name.clone(), want: want.to_string(), got: got.to_string() }
}

fn changed(file: &Remote) -> Failure {
    Failure::passing(&file.url, "the file has changed meanwhile; start it again".to_string())
}

/// The error of a file that the system refuses.
pub fn storage(path: &Path, error: &io::Error) -> Error {
    Error::Storage { reason: format!("{}: {error}", path.display()) }
}
