//! Socketpairs stand for the network: the same calls, no port, nothing lost.

use super::*;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;

fn pair(hot: usize, largest: usize) -> (UnixDatagram, Drain) {
    let (sender, receiver) = UnixDatagram::pair().unwrap();
    (sender, Drain::new(Socket::from(OwnedFd::from(receiver)), hot, largest))
}

/// Distinct bytes at every offset, so that a part in the wrong place shows.
fn datagram(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|i| ((i * 31 + i / 251 + seed) % 256) as u8).collect()
}

#[test]
fn datagrams_of_every_length_come_whole_and_in_order() {
    let (sender, mut drain) = pair(2_048, 65_535);
    for length in [0, 1, 2_047, 2_048, 2_049, 4_096, 65_507, 65_535, 0, 3] {
        sender.send(&datagram(length, length)).unwrap();
        let batch = drain.receive().unwrap();
        assert_eq!(batch, Batch { datagrams: 1, bytes: length, oversized: 0 });
        let packets: Vec<&[u8]> = drain.packets().collect();
        assert_eq!(packets, [&datagram(length, length)[..]], "{length} bytes");
    }
    assert_eq!(drain.receive().unwrap(), Batch::default());
    assert_eq!(drain.packets().count(), 0);
}

#[test]
fn a_mixed_batch_keeps_small_and_large_ones_apart() {
    let (sender, mut drain) = pair(16, 64);
    let sent: Vec<Vec<u8>> = (0..8).map(|i| datagram([0, 16, 17, 64, 3, 40, 15, 33][i], i)).collect();
    sent.iter().for_each(|d| assert_eq!(sender.send(d).unwrap(), d.len()));
    assert_eq!(drain.receive().unwrap().datagrams, 8);
    assert!(drain.packets().eq(sent.iter().map(Vec::as_slice)));
}

#[test]
fn more_than_a_batch_takes_more_than_one_call() {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let receiver = std::net::UdpSocket::bind(address).unwrap();
    let sender = std::net::UdpSocket::bind(address).unwrap();
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    let receiver = Socket::from(receiver);
    receiver.set_recv_buffer_size(212_992).unwrap();
    for i in 0..BATCH + 5 {
        sender.send(&datagram(10, i)).unwrap();
    }
    let mut drain = Drain::new(receiver, 2_048, 65_535);
    assert_eq!(drain.receive().unwrap().datagrams, BATCH);
    assert_eq!(drain.packets().last().unwrap(), datagram(10, BATCH - 1));
    assert_eq!(drain.receive().unwrap().datagrams, 5);
    assert!(drain.packets().eq((BATCH..BATCH + 5).map(|i| datagram(10, i))));
}

#[test]
fn a_datagram_beyond_the_limit_is_counted_and_not_shown() {
    for (hot, largest) in [(8, 20), (64, 20)] {
        let (sender, mut drain) = pair(hot, largest);
        for length in [20, 21, 500, 7] {
            sender.send(&datagram(length, length)).unwrap();
        }
        assert_eq!(drain.receive().unwrap(), Batch { datagrams: 4, bytes: 20 * 3 + 7, oversized: 2 });
        assert!(drain.packets().eq([datagram(20, 20), datagram(7, 7)]));
    }
}

#[test]
fn waits_end_by_a_packet_by_a_wake_or_by_time() {
    let (sender, drain) = pair(8, 8);
    let (wake, woken) = UnixDatagram::pair().unwrap();
    assert!(!pause(woken.as_fd(), Duration::from_micros(50)).unwrap());
    sender.send(b"x").unwrap();
    assert!(!drain.wait(woken.as_fd()).unwrap());
    wake.send(b"w").unwrap();
    assert!(drain.wait(woken.as_fd()).unwrap());
    assert!(pause(woken.as_fd(), Duration::from_secs(3_600)).unwrap());
}

#[test]
fn the_kernel_tells_what_is_queued_and_what_it_dropped() {
    let receiver = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    let socket = Socket::from(receiver);
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut drain = Drain::new(socket, 2_048, 65_535);
    assert_eq!(drain.meminfo().unwrap().queued, 0);
    for _ in 0..50 {
        sender.send(&[0; 100]).unwrap();
    }
    let full = drain.meminfo().unwrap();
    assert!(full.queued > full.buffer / 2 && full.drops > 0, "{full:?}");
    let read = drain.receive().unwrap().datagrams;
    assert_eq!(read + full.drops as usize, 50);
    assert_eq!(drain.meminfo().unwrap(), Meminfo { queued: 0, ..full });
}
