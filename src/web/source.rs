//! A file on JavaScript's side: a `Blob`, a cache entry, an HTTP address with ranges.

use crate::device::message;
use crate::error::{Error, Result};
use crate::weights::{LocalBoxFuture, Source};
use js_sys::{Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

/// `{ name, size, read(offset, length) → Promise<Uint8Array> }`.
pub struct JsSource {
    name: String,
    size: u64,
    object: JsValue,
    read: Function,
}

impl JsSource {
    pub fn new(object: JsValue) -> Result<Self> {
        let get = |key: &str| Reflect::get(&object, &key.into()).unwrap_or_default();
        let wrong = || Error::invalid("files", "must be a list of { name, size, read }");
        let name = get("name").as_string().ok_or_else(wrong)?;
        let size = get("size").as_f64().filter(|n| (0.0..9e15).contains(n)).ok_or_else(wrong)? as u64;
        let read = get("read").dyn_into().map_err(|_| wrong())?;
        Ok(JsSource { name, size, object, read })
    }

    /// A JavaScript exception as an error, under its own code where it has one of ours.
    fn error(&self, thrown: JsValue) -> Error {
        let code = Reflect::get(&thrown, &"code".into()).ok().and_then(|code| code.as_string());
        const CODES: [&str; 6] = ["MODEL_NOT_FOUND", "MODEL_FORMAT", "DOWNLOAD", "INTEGRITY", "STORAGE", "ABORTED"];
        let code = CODES.into_iter().find(|known| code.as_deref() == Some(known)).unwrap_or("DOWNLOAD");
        Error::Source { code, message: message(&thrown) }
    }
}

impl Source for JsSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.size
    }

    fn read<'a>(&'a self, offset: u64, len: usize) -> LocalBoxFuture<'a, Result<Vec<u8>>> {
        Box::pin(async move {
            let promise = self.read.call2(&self.object, &(offset as f64).into(), &(len as f64).into());
            let promise = promise.map_err(|e| self.error(e))?;
            let bytes = JsFuture::from(Promise::resolve(&promise)).await.map_err(|e| self.error(e))?;
            let bytes = bytes
                .dyn_into::<Uint8Array>()
                .map_err(|_| Error::Download { what: self.name.clone(), reason: "the reader gave no bytes".into() })?;
            if bytes.length() as usize != len {
                return Err(Error::Download {
                    what: self.name.clone(),
                    reason: format!("got {} of {len} bytes at {offset}", bytes.length()),
                });
            }
            Ok(bytes.to_vec())
        })
    }
}
