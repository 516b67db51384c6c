//! A listener between bind and serve: its sockets exist and hold what arrives, nobody reads yet.

use super::buffer::ReceiveBuffer;
use super::consumer::Consumer;
use super::drain::{Drain, meminfo};
use super::error::BindError;
use super::framing::Framing;
use super::pace::Pace;
use super::path::{self, SocketFile};
use super::running::{Job, Running};
use super::stream::{self, Acceptor};
use super::{holder, udp, unix_datagram};
use crate::clock;
use crate::config::{ListenAddress, Listener, Written};
use crate::metrics::shard::Shard;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::Duration;

/// Connections that the kernel completes before they are accepted.
const BACKLOG: i32 = 1_024;
/// A thread that reads empties its socket within less.
const INNER_PATIENCE: Duration = Duration::from_millis(500);
/// UDP clients send payloads of up to 1,432 bytes by default.
const HOT_BYTES: usize = 2_048;

/// A bound listener, waiting for its shards.
#[derive(Debug)]
pub struct Bound {
    info: Info,
    options: Listener,
    sockets: Vec<Socket>,
    file: Option<SocketFile>,
}

/// What a listener turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// `udp://127.0.0.1:8125`, with the port that was really taken.
    pub address: String,
    /// The same, structured.
    pub bound: ListenAddress,
    /// Of each UDP socket. `None` on Unix sockets, whose queue is bounded by the sender's buffer, and for TCP,
    /// whose buffers the kernel fits to the traffic.
    pub receive_buffer: Option<ReceiveBuffer>,
}

/// Binds the sockets of a listener; nothing is read before `serve`.
pub fn bind(options: &Listener) -> Result<Bound, BindError> {
    let asked = url(&options.address);
    let (sockets, file) = match &options.address {
        ListenAddress::Udp(at) => (udp_sockets(&asked, *at, options.workers)?, None),
        ListenAddress::Tcp(at) => (vec![tcp_socket(&asked, *at)?], None),
        ListenAddress::UnixDatagram(at) => unix(path::bind(&asked, at, Type::DGRAM, options.socket_mode)?),
        ListenAddress::UnixStream(at) => unix(path::bind(&asked, at, Type::STREAM, options.socket_mode)?),
    };
    finish(options, sockets, file).map_err(|source| BindError::Other { address: asked, source })
}

/// A listener without an address, for lines that another intake was sent: what is written into the other end
/// is read like the datagrams of a client, and closing it loses nothing. `name` stands for the address.
pub fn inner(options: &Listener, name: &str) -> io::Result<(Bound, UnixDatagram)> {
    let (ours, theirs) = UnixDatagram::pair()?;
    // Whoever writes waits for room, but not for a thread that is gone.
    ours.set_write_timeout(Some(INNER_PATIENCE))?;
    let options = Listener { address: ListenAddress::UnixDatagram(name.into()), ..options.clone() };
    Ok((finish(&options, vec![theirs.into()], None)?, ours))
}

fn unix((socket, file): (Socket, SocketFile)) -> (Vec<Socket>, Option<SocketFile>) {
    (vec![socket], Some(file))
}

/// What is left once the addresses are taken: buffers, the real port, and `listen` for streams.
fn finish(options: &Listener, sockets: Vec<Socket>, file: Option<SocketFile>) -> io::Result<Bound> {
    let mut receive_buffer = None;
    // TCP tunes its own, better than one size for all would, and a size once asked for ends that.
    let sized = matches!(options.address, ListenAddress::Udp(_));
    for socket in sockets.iter().filter(|_| sized) {
        receive_buffer =
            Some(ReceiveBuffer::set(socket, options.receive_buffer, options.receive_buffer_written)?);
    }
    let bound = match &options.address {
        ListenAddress::Udp(at) => ListenAddress::Udp(local(&sockets[0]).unwrap_or(*at)),
        ListenAddress::Tcp(at) => ListenAddress::Tcp(local(&sockets[0]).unwrap_or(*at)),
        ListenAddress::UnixDatagram(_) | ListenAddress::UnixStream(_) => options.address.clone(),
    };
    let info = Info::new(bound, receive_buffer);
    match &info.bound {
        ListenAddress::Udp(_) | ListenAddress::UnixDatagram(_) => {}
        ListenAddress::Tcp(_) | ListenAddress::UnixStream(_) => {
            sockets[0].set_nonblocking(true)?;
            sockets[0].listen(BACKLOG)?;
        }
    }
    if let Some(refusal) = info.refusal() {
        tracing::warn!("{refusal}");
    }
    if matches!(info.bound, ListenAddress::Udp(_)) && meminfo(&sockets[0]).is_none() {
        tracing::warn!("{}: this kernel does not tell what it drops (SO_MEMINFO)", info.address);
    }
    Ok(Bound { info, options: options.clone(), sockets, file })
}

fn local(socket: &Socket) -> Option<SocketAddr> {
    socket.local_addr().ok().and_then(|address| address.as_socket())
}

fn udp_sockets(address: &str, at: SocketAddr, workers: usize) -> Result<Vec<Socket>, BindError> {
    let failed =
        |error| BindError::from_kernel(address.to_owned(), error, || holder::of(at, ["udp", "udp6"]));
    // The first is bound without SO_REUSEPORT: with it, a second pillion would bind beside the first
    // and silently take a share of its datagrams. Set afterwards, it lets in our own.
    let first = internet(at, Type::DGRAM, Protocol::UDP).map_err(failed)?;
    first.bind(&at.into()).map_err(failed)?;
    let at = local(&first).unwrap_or(at);
    let mut sockets = vec![first];
    if workers > 1 {
        sockets[0].set_reuse_port(true).map_err(failed)?;
        for _ in 1..workers {
            let next = internet(at, Type::DGRAM, Protocol::UDP).map_err(failed)?;
            next.set_reuse_port(true).map_err(failed)?;
            next.bind(&at.into()).map_err(failed)?;
            sockets.push(next);
        }
    }
    Ok(sockets)
}

/// Binds a TCP socket at `at`, which still has to listen; `address` is how messages name it.
pub(in crate::intake) fn tcp_socket(address: &str, at: SocketAddr) -> Result<Socket, BindError> {
    let failed =
        |error| BindError::from_kernel(address.to_owned(), error, || holder::of(at, ["tcp", "tcp6"]));
    let socket = internet(at, Type::STREAM, Protocol::TCP).map_err(failed)?;
    // Connections of a former process that linger in TIME_WAIT do not keep the port.
    socket.set_reuse_address(true).map_err(failed)?;
    socket.bind(&at.into()).map_err(failed)?;
    Ok(socket)
}

fn internet(at: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(at), kind, Some(protocol))?;
    if at.is_ipv6() {
        // So that `[::]` and `0.0.0.0` can be listed side by side, whatever `bindv6only` says.
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

impl Bound {
    /// How many shards `serve` wants: one a socket.
    pub fn workers(&self) -> usize {
        self.sockets.len()
    }

    pub fn info(&self) -> &Info {
        &self.info
    }

    /// Starts one thread a socket. Panics when there are not as many shards as `workers`.
    pub fn serve(self, shards: Vec<Shard>) -> Running {
        self.serve_to(shards)
    }

    pub(super) fn serve_to<C: Consumer>(self, consumers: Vec<C>) -> Running {
        assert_eq!(consumers.len(), self.sockets.len(), "one shard a socket");
        let options = Arc::new(self.options);
        let start = |(socket, consumer): (Socket, C)| job(Arc::clone(&options), socket, consumer);
        let jobs = self.sockets.into_iter().zip(consumers).map(start).collect();
        Running::start(self.info, jobs, self.file)
    }
}

fn job<C: Consumer>(options: Arc<Listener>, socket: Socket, consumer: C) -> Job {
    let tally = Arc::clone(consumer.tally());
    let largest = options.max_packet;
    Job {
        tally,
        run: Box::new(move |worker| {
            match &options.address {
                ListenAddress::Udp(_) => {
                    let drain = Drain::new(socket, HOT_BYTES, largest);
                    let buffer = drain.socket().recv_buffer_size()?;
                    let pace = Pace::new(options.coalesce, options.coalesce_fill, buffer);
                    udp::run(drain, Some(pace), consumer, worker, clock::now_ns);
                }
                ListenAddress::UnixDatagram(_) => {
                    unix_datagram::run(socket, largest, consumer, worker, clock::now_ns);
                }
                ListenAddress::Tcp(_) => {
                    let acceptor = Acceptor::Tcp(socket.into());
                    stream::run(acceptor, Framing::Lines, &options, consumer, worker, clock::now_ns)?;
                }
                ListenAddress::UnixStream(_) => {
                    let acceptor = Acceptor::Unix(socket.into());
                    stream::run(acceptor, Framing::Lengths, &options, consumer, worker, clock::now_ns)?;
                }
            }
            Ok(())
        }),
    }
}

impl Info {
    pub(super) fn new(bound: ListenAddress, receive_buffer: Option<ReceiveBuffer>) -> Self {
        Info { address: url(&bound), bound, receive_buffer }
    }

    /// `statsd-udp-8125-0`; the kernel shows the first 15 bytes.
    pub(super) fn thread_name(&self, index: usize) -> String {
        match &self.bound {
            ListenAddress::Udp(at) => format!("statsd-udp-{}-{index}", at.port()),
            ListenAddress::Tcp(at) => format!("statsd-tcp-{}-{index}", at.port()),
            ListenAddress::UnixDatagram(_) => format!("statsd-unixgram-{index}"),
            ListenAddress::UnixStream(_) => format!("statsd-unix-{index}"),
        }
    }

    /// Only what the user wrote is a wish whose refusal is news; of the default, a loss will tell.
    fn refusal(&self) -> Option<String> {
        let buffer = self.receive_buffer?;
        if buffer.written == Written::Nowhere || !buffer.is_short() {
            return None;
        }
        Some(format!(
            "{}: asked for a receive buffer of {} bytes, the kernel gave {}; more with: {}",
            self.address,
            buffer.asked,
            buffer.bytes / 2,
            buffer.remedy(0).join(", then ")
        ))
    }
}

/// A listener's address as it stands in the configuration.
fn url(address: &ListenAddress) -> String {
    match address {
        ListenAddress::Udp(at) => format!("udp://{at}"),
        ListenAddress::Tcp(at) => format!("tcp://{at}"),
        ListenAddress::UnixDatagram(at) => format!("unixgram://{}", at.display()),
        ListenAddress::UnixStream(at) => format!("unix://{}", at.display()),
    }
}

#[cfg(test)]
mod tests;
