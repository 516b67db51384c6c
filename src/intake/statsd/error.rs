//! Why a listener could not be bound, for the person who has to mend it: what, why, and what to do.

use std::io;
use std::path::PathBuf;

/// A listener that could not be bound. One line each; the cause stays in the chain.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("{address} is in use{}; stop that, or listen on another port", by(.holder))]
    InUse { address: String, holder: Option<String>, source: io::Error },
    #[error("{address}: not allowed to listen there; ports below 1024 and foreign folders need rights")]
    NotAllowed { address: String, source: io::Error },
    #[error("{address}: this machine has no such address; use one of its own, 0.0.0.0 or [::]")]
    NoSuchAddress { address: String, source: io::Error },
    #[error("{address}: the folder {} does not exist; create it, or choose another path", .folder.display())]
    NoFolder { address: String, folder: PathBuf },
    #[error("{address}: the path is longer than a socket's may be (107 bytes); choose a shorter one")]
    PathTooLong { address: String },
    #[error("{address}: there is a file that is no socket; remove it, or choose another path")]
    NotASocket { address: String },
    #[error("{address}: a running process listens there; stop it, or choose another path")]
    Live { address: String },
    #[error("{address}: cannot listen there")]
    Other { address: String, source: io::Error },
}

fn by(holder: &Option<String>) -> String {
    holder.as_ref().map(|name| format!(" by {name}")).unwrap_or_default()
}

impl BindError {
    /// Sorts an error of the kernel; `holder` is asked only when the address is in use.
    pub(super) fn from_kernel(
        address: String,
        source: io::Error,
        holder: impl FnOnce() -> Option<String>,
    ) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse { address, holder: holder(), source },
            io::ErrorKind::PermissionDenied => BindError::NotAllowed { address, source },
            io::ErrorKind::AddrNotAvailable => BindError::NoSuchAddress { address, source },
            _ => BindError::Other { address, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_says_what_why_and_what_to_do() {
        let kernel = |kind: io::ErrorKind| {
            let holder = || Some("statsd (process 12)".to_owned());
            BindError::from_kernel("udp://127.0.0.1:8125".into(), kind.into(), holder).to_string()
        };
        insta::assert_snapshot!(kernel(io::ErrorKind::AddrInUse), @"udp://127.0.0.1:8125 is in use by statsd (process 12); stop that, or listen on another port");
        insta::assert_snapshot!(kernel(io::ErrorKind::PermissionDenied), @"udp://127.0.0.1:8125: not allowed to listen there; ports below 1024 and foreign folders need rights");
        insta::assert_snapshot!(kernel(io::ErrorKind::AddrNotAvailable), @"udp://127.0.0.1:8125: this machine has no such address; use one of its own, 0.0.0.0 or [::]");
        insta::assert_snapshot!(kernel(io::ErrorKind::OutOfMemory), @"udp://127.0.0.1:8125: cannot listen there");
        let nobody = BindError::from_kernel("tcp://[::1]:1".into(), io::ErrorKind::AddrInUse.into(), || None);
        insta::assert_snapshot!(nobody, @"tcp://[::1]:1 is in use; stop that, or listen on another port");
        let missing = BindError::NoFolder { address: "unixgram:///a/b".into(), folder: "/a".into() };
        insta::assert_snapshot!(missing, @"unixgram:///a/b: the folder /a does not exist; create it, or choose another path");
    }
}
