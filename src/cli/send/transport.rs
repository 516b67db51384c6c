//! One message over each of the transports, with an error when nobody takes it, as far as the
//! transport can tell.

use crate::config::ListenAddress;
use std::io::{Error, ErrorKind, Result, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);
/// How long a refusal may take to come back; on the own host it is there at once.
const REFUSAL: Duration = Duration::from_millis(50);

/// Sends `message`, framed as the transport wants it.
pub(super) fn send(message: &[u8], to: &ListenAddress) -> Result<()> {
    match to {
        ListenAddress::Udp(address) => udp(message, reachable(*address)),
        ListenAddress::Tcp(address) => {
            let mut stream = TcpStream::connect_timeout(&reachable(*address), PATIENCE)?;
            stream.set_write_timeout(Some(PATIENCE))?;
            stream.write_all(&[message, b"\n"].concat())
        }
        ListenAddress::UnixDatagram(path) => {
            let socket = UnixDatagram::unbound()?;
            socket.set_write_timeout(Some(PATIENCE))?;
            socket.send_to(message, path).map(drop)
        }
        ListenAddress::UnixStream(path) => {
            let length = u32::try_from(message.len()).map_err(|_| Error::from(ErrorKind::InvalidInput))?;
            let mut stream = UnixStream::connect(path)?;
            stream.set_write_timeout(Some(PATIENCE))?;
            stream.write_all(&[&length.to_le_bytes(), message].concat())
        }
    }
}

fn udp(message: &[u8], to: SocketAddr) -> Result<()> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(to)?;
    socket.send(message)?;
    // When nobody listens, the refusal arrives as an error of the next call.
    socket.set_read_timeout(Some(REFUSAL))?;
    match socket.recv(&mut [0]) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Where a socket that listens on `address` can be reached from its own host.
pub(in crate::cli) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unspecified_address_is_reached_by_the_loopback() {
        for (listen, reached) in
            [("0.0.0.0:9102", "127.0.0.1:9102"), ("[::]:9102", "[::1]:9102"), ("10.1.2.3:1", "10.1.2.3:1")]
        {
            let listen: SocketAddr = listen.parse().expect("valid");
            assert_eq!(reachable(listen).to_string(), reached);
        }
    }
}
