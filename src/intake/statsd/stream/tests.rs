//! Stream listeners on real sockets, with a recorder in the shard's place.

use super::super::consumer::recorder::{Handle, recorder};
use super::super::{Running, bind};
use crate::config::{ListenAddress, Listener};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

struct Served {
    running: Running,
    handle: Handle,
    at: Option<SocketAddr>,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn tcp(change: impl FnOnce(&mut Listener)) -> Served {
    serve(|_| ListenAddress::Tcp("127.0.0.1:0".parse().unwrap()), change)
}

fn unix(change: impl FnOnce(&mut Listener)) -> Served {
    serve(ListenAddress::UnixStream, change)
}

fn serve(address: impl FnOnce(PathBuf) -> ListenAddress, change: impl FnOnce(&mut Listener)) -> Served {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    let mut options = Listener::at(address(path.clone()));
    change(&mut options);
    let bound = bind(&options).unwrap();
    let at = match &bound.info().bound {
        ListenAddress::Tcp(at) | ListenAddress::Udp(at) => Some(*at),
        ListenAddress::UnixDatagram(_) | ListenAddress::UnixStream(_) => None,
    };
    let (consumer, handle) = recorder();
    Served { running: bound.serve_to(vec![consumer]), handle, at, path, _folder: folder }
}

impl Served {
    fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.at.unwrap()).unwrap()
    }

    fn unix(&self) -> UnixStream {
        UnixStream::connect(&self.path).unwrap()
    }

    /// Asks for the end and waits for it: all bytes that were taken.
    fn end(self) -> (Handle, Vec<u8>) {
        self.handle.stop();
        self.running.join();
        let all = self.handle.rest().concat();
        assert!(self.handle.finished());
        (self.handle, all)
    }
}

fn frame(payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32).to_le_bytes()[..], payload].concat()
}

#[test]
fn lines_may_be_split_over_reads_and_the_last_needs_no_end() {
    let served = tcp(|_| {});
    let mut stream = served.tcp();
    stream.write_all(b"a:1|c\nb:").unwrap();
    assert_eq!(served.handle.packet(), b"a:1|c\n");
    stream.write_all(b"2|c\nlast:3|c").unwrap();
    assert_eq!(served.handle.packet(), b"b:2|c\n");
    drop(stream);
    assert_eq!(served.handle.packet(), b"last:3|c");
    let (handle, _) = served.end();
    assert_eq!((handle.tally.packets.get(), handle.tally.bad_frames.get()), (3, 0));
    assert_eq!(handle.tally.bytes.get(), 20);
}

#[test]
fn a_line_beyond_the_limit_is_skipped_and_the_connection_lives() {
    let served = tcp(|options| options.max_packet = 10);
    let mut stream = served.tcp();
    stream.write_all(b"a:1|c\n").unwrap();
    stream.write_all(&[b'x'; 1_000]).unwrap();
    stream.write_all(b"\nb:2|c\n").unwrap();
    let (handle, all) = served.end();
    assert_eq!(all, b"a:1|c\nb:2|c\n");
    assert_eq!(handle.tally.oversized.get(), 1);
}

#[test]
fn frames_come_whole_and_in_order() {
    let served = unix(|_| {});
    let mut stream = served.unix();
    let payloads: Vec<Vec<u8>> = (0..300u32).map(|i| i.to_le_bytes().repeat(1 + i as usize * 7)).collect();
    for payload in &payloads {
        stream.write_all(&frame(payload)).unwrap();
    }
    let (handle, all) = served.end();
    assert_eq!(all, payloads.concat());
    assert_eq!((handle.tally.packets.get(), handle.tally.bad_frames.get()), (300, 0));
}

#[test]
fn an_impossible_length_closes_its_connection_alone() {
    for bad in [0u32, 101, u32::MAX] {
        let served = unix(|options| options.max_packet = 100);
        let mut good = served.unix();
        let mut stream = served.unix();
        stream.write_all(&[frame(b"a:1|c"), bad.to_le_bytes().to_vec()].concat()).unwrap();
        // Closed: the read ends.
        assert_eq!(stream.read(&mut [0; 8]).unwrap_or(0), 0);
        good.write_all(&frame(b"b:2|c")).unwrap();
        let (handle, all) = served.end();
        assert_eq!(all, b"a:1|cb:2|c", "{bad}");
        assert_eq!(handle.tally.bad_frames.get(), 1);
    }
}

#[test]
fn a_frame_that_is_cut_by_the_sender_or_by_the_end_is_counted() {
    let served = unix(|_| {});
    let mut first = served.unix();
    first.write_all(&[frame(b"a:1|c"), b"\x09\0".to_vec()].concat()).unwrap();
    drop(first);
    let mut second = served.unix();
    second.write_all(&[frame(b"b:1|c"), b"\x09\0\0\0b:".to_vec()].concat()).unwrap();
    let (handle, all) = served.end();
    assert_eq!(all.len(), 10);
    assert_eq!(handle.tally.bad_frames.get(), 2);
}

#[test]
fn what_was_sent_before_the_end_is_read_even_from_connections_not_yet_accepted() {
    let served = tcp(|_| {});
    let mut streams: Vec<TcpStream> = (0..50).map(|_| served.tcp()).collect();
    for stream in &mut streams {
        stream.write_all(b"late:1|c\n").unwrap();
    }
    let (_, all) = served.end();
    assert_eq!(all, b"late:1|c\n".repeat(50));
}

#[test]
fn connections_beyond_the_limit_are_closed_and_counted() {
    let served = unix(|options| options.max_connections = 2);
    let mut streams: Vec<UnixStream> = (0..2).map(|_| served.unix()).collect();
    for stream in &mut streams {
        stream.write_all(&frame(b"in")).unwrap();
        assert_eq!(served.handle.packet(), b"in");
    }
    assert_eq!(served.handle.tally.connections.get(), 2);
    let mut third = served.unix();
    assert_eq!(third.read(&mut [0; 8]).unwrap_or(0), 0);
    assert_eq!(served.handle.tally.connections_refused.get(), 1);
    let (handle, _) = served.end();
    assert_eq!(handle.tally.connections.get(), 2, "accepted ones, open or not");
}

#[test]
fn hand_overs_are_done_without_any_traffic() {
    let served = tcp(|_| {});
    served.handle.ask_for_hand_over(4);
    while served.handle.steps_left() > 0 {
        std::thread::yield_now();
    }
    served.end();
}

#[test]
fn a_panic_in_the_shard_ends_the_listener_and_shows() {
    let served = unix(|_| {});
    served.unix().write_all(&frame(b"panic")).unwrap();
    let watch = served.running.watch();
    served.running.join();
    assert!(!watch.healthy() && !served.handle.finished());
    assert!(!served.path.exists());
}
