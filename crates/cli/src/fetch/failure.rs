//! Why something could not be fetched, and whether another try may succeed.

use super::address::{file_name, host};
use cresset::error::Error;
use std::time::Duration;

/// Why a request failed, and whether another try may not.
pub struct Failure {
    pub error: Error,
    pub transient: bool,
    /// When the server wants to be asked again.
    pub retry_after: Option<Duration>,
}

impl Failure {
    pub fn lasting(error: Error) -> Failure {
        Failure { error, transient: false, retry_after: None }
    }

    /// A break in the middle, or no answer.
    pub fn passing(url: &str, reason: String) -> Failure {
        Failure { error: Error::Download { what: file_name(url), reason }, transient: true, retry_after: None }
    }
}

/// The words for a connection that ended too early.
pub fn broke_off(url: &str, how: &str) -> String {
    format!("the connection to {} broke off ({how}); start it again to go on where it stopped", host(url))
}
