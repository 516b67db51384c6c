//! Whole listeners on real sockets, with a recorder in the shard's place.

use super::super::consumer::recorder::{Handle, Recorder, recorder};
use super::super::running::State;
use super::*;
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;

fn udp(at: &str) -> Listener {
    Listener::at(ListenAddress::Udp(at.parse().unwrap()))
}

fn port_of(info: &Info) -> SocketAddr {
    match &info.bound {
        ListenAddress::Udp(at) | ListenAddress::Tcp(at) => *at,
        ListenAddress::UnixDatagram(_) | ListenAddress::UnixStream(_) => unreachable!("the test binds ports"),
    }
}

fn recorders(count: usize) -> (Vec<Recorder>, Vec<Handle>) {
    (0..count).map(|_| recorder()).unzip()
}

#[test]
fn nothing_is_read_before_serve_and_all_that_came_is_read_after_the_end_was_asked_for() {
    let bound = bind(&udp("127.0.0.1:0")).unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.connect(port_of(bound.info())).unwrap();
    assert_ne!(port_of(bound.info()).port(), 0);
    assert_eq!(bound.info().address, format!("udp://{}", port_of(bound.info())));
    let sent: Vec<Vec<u8>> = (0..150).map(|i| format!("a{i}:1|c").into_bytes()).collect();
    for datagram in &sent[..75] {
        sender.send(datagram).unwrap();
    }
    let (consumer, handle) = recorder();
    let running = bound.serve_to(vec![consumer]);
    for datagram in &sent[75..] {
        sender.send(datagram).unwrap();
    }
    handle.stop();
    let watch = running.watch();
    running.join();
    assert_eq!(handle.rest(), sent);
    assert!(handle.finished());
    assert_eq!(handle.tally.packets.get(), 150);
    assert_eq!(handle.tally.bytes.get(), sent.iter().map(|d| d.len() as u64).sum::<u64>());
    assert_eq!(watch.workers().next().unwrap().state(), State::Ended);
}

#[test]
fn ipv6_loopback_works_beside_ipv4_on_the_same_port() {
    let four = bind(&udp("0.0.0.0:0")).unwrap();
    let six = bind(&udp(&format!("[::]:{}", port_of(four.info()).port()))).unwrap();
    assert_eq!(four.info().receive_buffer, six.info().receive_buffer);
    let (consumer, handle) = recorder();
    let running = six.serve_to(vec![consumer]);
    let sender = UdpSocket::bind("[::1]:0").unwrap();
    sender.send_to(b"six:1|c", ("::1", port_of(four.info()).port())).unwrap();
    assert_eq!(handle.packet(), b"six:1|c");
    handle.stop();
    running.join();
}

#[test]
fn several_workers_share_a_port_and_lose_nothing() {
    let options = Listener { workers: 3, ..udp("127.0.0.1:0") };
    let bound = bind(&options).unwrap();
    assert_eq!(bound.workers(), 3);
    let at = port_of(bound.info());
    let (consumers, handles) = recorders(3);
    let running = bound.serve_to(consumers);
    let mut sent: Vec<Vec<u8>> = Vec::new();
    for i in 0..60u8 {
        // The kernel spreads by address and port of the sender.
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.send_to(&[i], at).unwrap();
        sent.push(vec![i]);
    }
    handles.iter().for_each(Handle::stop);
    running.join();
    let shares: Vec<Vec<Vec<u8>>> = handles.iter().map(Handle::rest).collect();
    assert!(shares.iter().filter(|share| !share.is_empty()).count() > 1, "only one worker got anything");
    let mut all = shares.concat();
    all.sort();
    assert_eq!(all, sent);
}

#[test]
fn a_second_listener_on_a_port_is_refused_however_many_workers_both_have() {
    for (first, second) in [(1, 1), (2, 1), (1, 2), (2, 2)] {
        let bound = bind(&Listener { workers: first, ..udp("127.0.0.1:0") }).unwrap();
        let at = port_of(bound.info());
        let error = bind(&Listener { workers: second, ..udp(&at.to_string()) }).unwrap_err();
        let process = format!("(process {})", std::process::id());
        assert!(
            matches!(&error, BindError::InUse { holder: Some(holder), .. } if holder.ends_with(&process)),
            "{first} and {second}: {error:?}"
        );
    }
    let options = Listener::at(ListenAddress::Tcp("127.0.0.1:0".parse().unwrap()));
    let bound = bind(&options).unwrap();
    let again = bind(&Listener::at(bound.info().bound.clone()));
    assert!(matches!(again, Err(BindError::InUse { .. })), "{again:?}");
}

#[test]
fn a_receive_buffer_is_missed_aloud_only_by_those_who_wrote_it() {
    let refusal = |written| {
        let buffer = ReceiveBuffer { asked: 4 << 20, written, bytes: 425_984, limit: Some(212_992) };
        Info::new(udp("127.0.0.1:8125").address, Some(buffer)).refusal()
    };
    assert_eq!(refusal(Written::Nowhere), None);
    assert_eq!(refusal(Written::Shared), refusal(Written::Beside));
    insta::assert_snapshot!(refusal(Written::Shared).unwrap(), @"udp://127.0.0.1:8125: asked for a receive buffer of 4194304 bytes, the kernel gave 212992; more with: `sysctl -w net.core.rmem_max=4194304`");
}

#[test]
fn tcp_keeps_the_buffers_that_the_kernel_tunes() {
    let bound = bind(&Listener::at(ListenAddress::Tcp(([127, 0, 0, 1], 0).into()))).unwrap();
    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let size = Socket::from(plain).recv_buffer_size().unwrap();
    assert_eq!((bound.sockets[0].recv_buffer_size().unwrap(), bound.info().receive_buffer), (size, None));
}

#[test]
fn an_address_of_another_machine_is_refused() {
    let error = bind(&udp("192.0.2.1:8125")).unwrap_err();
    assert!(matches!(error, BindError::NoSuchAddress { .. }), "{error:?}");
}

#[test]
fn a_unix_datagram_socket_receives_and_its_file_goes_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.sock");
    let bound = bind(&Listener::at(ListenAddress::UnixDatagram(path.clone()))).unwrap();
    assert_eq!(bound.info().receive_buffer, None);
    let (consumer, handle) = recorder();
    let running = bound.serve_to(vec![consumer]);
    let sender = UnixDatagram::unbound().unwrap();
    sender.connect(&path).unwrap();
    // More than the queue holds: the sends block until the thread has made room.
    let sent: Vec<Vec<u8>> = (0..2_000u32).map(|i| i.to_be_bytes().repeat(i as usize % 3_000)).collect();
    for datagram in &sent {
        sender.send(datagram).unwrap();
    }
    handle.stop();
    running.join();
    assert_eq!(handle.rest(), sent);
    assert_eq!(handle.tally.waits.get(), 0);
    assert!(!path.exists());
}

#[test]
fn a_bound_listener_that_is_never_served_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    drop(bind(&Listener::at(ListenAddress::UnixStream(path.clone()))).unwrap());
    assert!(!path.exists());
}

#[test]
fn the_largest_datagram_is_taken_and_larger_ones_are_counted() {
    let bound = bind(&Listener { max_packet: 3_000, ..udp("127.0.0.1:0") }).unwrap();
    let at = port_of(bound.info());
    let (consumer, handle) = recorder();
    let running = bound.serve_to(vec![consumer]);
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for length in [3_000, 3_001, 65_507, 5] {
        sender.send_to(&vec![b'x'; length], at).unwrap();
    }
    handle.stop();
    running.join();
    assert_eq!(handle.rest(), [vec![b'x'; 3_000], vec![b'x'; 5]]);
    assert_eq!(handle.tally.oversized.get(), 2);
}

#[test]
fn a_panic_in_the_shard_ends_the_thread_and_shows() {
    let bound = bind(&udp("127.0.0.1:0")).unwrap();
    let at = port_of(bound.info());
    let (consumer, handle) = recorder();
    let running = bound.serve_to(vec![consumer]);
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"panic", at).unwrap();
    let watch = running.watch();
    running.join();
    assert!(!watch.healthy() && !handle.finished());
    // The port is free again.
    bind(&udp(&at.to_string())).unwrap();
}
