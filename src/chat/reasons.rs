//! Why a template is refused, in words that are no longer than a person reads.

use std::borrow::Cow;
use std::error::Error as _;

use minijinja::ErrorKind;

use crate::Error;

/// Bytes of a reason: what `raise_exception` says may be of any length.
const MAX_REASON: usize = 400;

/// A reason as it is told.
pub(super) fn cut(reason: &str) -> String {
    match reason.len() {
        0..=MAX_REASON => reason.to_owned(),
        _ => format!("{}…", &reason[..reason.floor_char_boundary(MAX_REASON)]),
    }
}

/// An error that ends the rendering.
pub(super) fn wrong(reason: impl Into<Cow<'static, str>>) -> minijinja::Error {
    minijinja::Error::new(ErrorKind::InvalidOperation, reason)
}

pub(super) fn template_error(error: minijinja::Error) -> Error {
    // An include only says that something within it failed; what is at the bottom.
    let mut error = &error;
    while let Some(cause) = error.source().and_then(|cause| cause.downcast_ref::<minijinja::Error>()) {
        error = cause;
    }
    let line = error.line().unwrap_or(1);
    let reason = match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "the template runs for too long or makes too much text".into(),
        // The text of raise_exception is meant for the person: it goes without the error's kind.
        (ErrorKind::InvalidOperation, Some(detail)) => cut(detail),
        (kind, Some(detail)) => cut(&format!("{kind}: {detail}")),
        (kind, None) => kind.to_string(),
    };
    Error::Template { line, reason }
}
