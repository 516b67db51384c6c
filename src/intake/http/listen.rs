//! Sockets for HTTP, TCP or Unix: bound early, so that a bad address ends the start; connections queue up in
//! the kernel until they are served. Next: `server`.

use super::protocol::Protocol;
use super::server::{Limits, Server};
use crate::config::ListenAddress;
use crate::intake::statsd::path::{self, SocketFile};
use crate::intake::statsd::{self, tcp_socket};
use crate::otlp::Budget;
use crate::serve::Listener;
use socket2::{Socket, Type};
use std::io;
use std::sync::Arc;

/// Connections that the kernel completes before they are accepted.
const BACKLOG: i32 = 1_024;

/// The option that an address comes from, for the person who has to mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// What listens: `OTLP over gRPC`.
    pub what: &'static str,
    pub option: &'static str,
    pub variable: &'static str,
}

/// The address cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}: {source}. `{}` ({}) says where to listen; an empty list turns it off",
    .origin.what, .origin.option, .origin.variable
)]
pub struct BindError {
    pub origin: Origin,
    pub source: statsd::BindError,
}

/// A socket that listens and is not served yet.
#[derive(Debug)]
pub struct Bound {
    socket: Socket,
    /// With the port that was really taken.
    address: ListenAddress,
    file: Option<SocketFile>,
}

/// Listens at `address`; a Unix socket gets the permissions `mode`. StatsD's datagram addresses never come
/// here: the configuration refuses them.
pub fn bind(origin: Origin, address: &ListenAddress, mode: u32) -> Result<Bound, BindError> {
    let shown = address.to_string();
    let other = |source| statsd::BindError::Other { address: shown.clone(), source };
    let bound = match address {
        ListenAddress::Tcp(at) | ListenAddress::Udp(at) => {
            tcp_socket(&shown, *at).map(|socket| (socket, None))
        }
        ListenAddress::UnixStream(at) | ListenAddress::UnixDatagram(at) => {
            path::bind(&shown, at, Type::STREAM, mode).map(|(socket, file)| (socket, Some(file)))
        }
    };
    let bound = bound.and_then(|(socket, file)| {
        socket.set_nonblocking(true).and_then(|()| socket.listen(BACKLOG)).map_err(other)?;
        let address = match (address, socket.local_addr().ok().and_then(|local| local.as_socket())) {
            (ListenAddress::Tcp(_), Some(local)) => ListenAddress::Tcp(local),
            _ => address.clone(),
        };
        Ok(Bound { socket, address, file })
    });
    bound.map_err(|source| BindError { origin, source })
}

impl Bound {
    /// Where it listens: with port 0 in the configuration, the port that the kernel chose.
    pub fn address(&self) -> &ListenAddress {
        &self.address
    }

    /// Begins to answer, on the tokio runtime of the caller.
    ///
    /// # Errors
    /// The runtime cannot watch the socket.
    pub fn serve(self, protocol: Arc<dyn Protocol>, budget: &Budget, limits: Limits) -> io::Result<Server> {
        let listener = match &self.address {
            ListenAddress::Tcp(_) | ListenAddress::Udp(_) => {
                Listener::Tcp(tokio::net::TcpListener::from_std(self.socket.into())?)
            }
            ListenAddress::UnixStream(_) | ListenAddress::UnixDatagram(_) => {
                Listener::Unix(tokio::net::UnixListener::from_std(self.socket.into())?)
            }
        };
        Ok(Server::start(listener, self.address, self.file, protocol, budget.clone(), limits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    const ORIGIN: Origin =
        Origin { what: "OTLP over HTTP", option: "otlp.http", variable: "PILLION_OTLP_HTTP" };

    #[test]
    fn an_address_in_use_is_named_with_its_option() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = taken.local_addr().unwrap();
        let error = bind(ORIGIN, &ListenAddress::Tcp(at), 0o722).unwrap_err().to_string();
        let before = format!("OTLP over HTTP: tcp://{at} is in use");
        let after = "; stop that, or listen on another port. `otlp.http` (PILLION_OTLP_HTTP) says where to listen; an empty list turns it off";
        assert!(error.starts_with(&before) && error.ends_with(after), "{error}");
    }

    #[test]
    fn a_unix_socket_has_its_mode_and_a_file_that_is_none_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("apm.socket");
        let address = ListenAddress::UnixStream(path.clone());
        let bound = bind(ORIGIN, &address, 0o722).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o722);
        assert!(bind(ORIGIN, &address, 0o722).unwrap_err().to_string().contains("a running process"));
        drop(bound);
        assert!(!path.exists());
        std::fs::write(&path, "precious").unwrap();
        assert!(bind(ORIGIN, &address, 0o722).unwrap_err().to_string().contains("no socket"));
    }
}
