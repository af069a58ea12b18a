//! A file on a server, read by ranges: for a look at what has not been downloaded.

use super::address::host;
use super::failure::{Failure, broke_off};
use super::files::Remote;
use super::http::{Http, Wanted};
use super::patience::patiently;
use cresset::error::{Error, Result};
use cresset::weights::{LocalBoxFuture, Source};
use std::future::ready;
use std::io::Read;
use std::rc::Rc;

pub struct Ranges {
    http: Rc<Http>,
    file: Remote,
    length: u64,
}

impl Ranges {
    /// Asks how long the file is, where that is not known; `None` for an optional one that is not there.
    ///
    /// # Errors
    /// Errors of [`Http::get`], `DOWNLOAD` if the server gives no parts of files.
    pub fn open(http: Rc<Http>, file: Remote) -> Result<Option<Ranges>> {
        let length = match file.bytes {
            Some(bytes) => bytes,
            None => {
                let mut length = None;
                let asked = patiently(|_| {
                    length = http.get(&file.url, &Wanted { end: Some(0), ..Wanted::default() })?.total();
                    Ok(())
                });
                match asked {
                    Err(Error::ModelNotFound { .. }) if file.optional => return Ok(None),
                    asked => asked?,
                }
                length.ok_or_else(|| no_ranges(&file))?
            }
        };
        Ok(Some(Ranges { http, file, length }))
    }

    fn bytes(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if len == 0 {
            return Ok(bytes);
        }
        let wanted = Wanted { start: offset, end: Some(offset + len as u64 - 1), etag: None };
        patiently(|_| {
            bytes.clear();
            let answer = self.http.get(&self.file.url, &wanted)?;
            // Whoever does not know of ranges sends all of it, of which this is the whole or the beginning.
            if answer.status != 206 && offset > 0 {
                return Err(Failure::lasting(no_ranges(&self.file)));
            }
            let read = answer.into_reader().take(len as u64).read_to_end(&mut bytes);
            let how = match read {
                Ok(_) if bytes.len() == len => return Ok(()),
                Ok(_) => "too few bytes came".to_string(),
                Err(error) => error.to_string(),
            };
            Err(Failure::passing(&self.file.url, broke_off(&self.file.url, &how)))
        })?;
        Ok(bytes)
    }
}

impl Source for Ranges {
    fn name(&self) -> &str {
        &self.file.name
    }

    fn len(&self) -> u64 {
        self.length
    }

    fn read(&self, offset: u64, len: usize) -> LocalBoxFuture<'_, Result<Vec<u8>>> {
        Box::pin(ready(self.bytes(offset, len)))
    }
}

fn no_ranges(file: &Remote) -> Error {
    let reason =
        format!("{} does not give parts of files; a command that loads the model downloads it", host(&file.url));
    Error::Download { what: file.name.clone(), reason }
}
