//! Socketpairs stand for the network: the same calls, no port, nothing lost.

use super::*;
use proptest::prelude::*;
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
        let packets: Vec<&[u8]> = drain.portion().collect();
        assert_eq!(packets, [&datagram(length, length)[..]], "{length} bytes");
    }
    assert_eq!(drain.receive().unwrap(), Batch::default());
    assert_eq!(drain.portion().count(), 0);
}

#[test]
fn a_mixed_batch_keeps_small_and_large_ones_apart() {
    let (sender, mut drain) = pair(16, 64);
    let sent: Vec<Vec<u8>> = (0..8).map(|i| datagram([0, 16, 17, 64, 3, 40, 15, 33][i], i)).collect();
    sent.iter().for_each(|d| assert_eq!(sender.send(d).unwrap(), d.len()));
    assert_eq!(drain.receive().unwrap().datagrams, 8);
    assert!(drain.portion().eq(sent.iter().map(Vec::as_slice)));
}

fn udp_pair(hot: usize, largest: usize) -> (std::net::UdpSocket, Drain) {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let receiver = std::net::UdpSocket::bind(address).unwrap();
    let sender = std::net::UdpSocket::bind(address).unwrap();
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    let receiver = Socket::from(receiver);
    receiver.set_recv_buffer_size(212_992).unwrap();
    (sender, Drain::new(receiver, hot, largest))
}

#[test]
fn the_kernel_is_emptied_before_and_between_portions() {
    let (sender, mut drain) = udp_pair(2_048, 65_535);
    let full = PORTION / 1_432 + 1;
    for i in 0..100 {
        sender.send(&datagram(1_432, i)).unwrap();
    }
    assert_eq!(drain.receive().unwrap().datagrams, 100);
    assert!(drain.portion().eq((0..full).map(|i| datagram(1_432, i))));
    for i in 100..150 {
        sender.send(&datagram(1_432, i)).unwrap();
    }
    assert_eq!(drain.receive().unwrap().datagrams, 50);
    assert_eq!(drain.meminfo().unwrap().queued, 0);
    for from in (full..150).step_by(full) {
        assert!(!drain.is_empty());
        assert!(drain.portion().eq((from..150.min(from + full)).map(|i| datagram(1_432, i))), "{from}");
    }
    assert!(drain.is_empty());
}

#[test]
fn without_room_the_rest_stays_in_the_kernel() {
    let (sender, mut drain) = udp_pair(2_048, 65_535);
    let mut taken = 0;
    for i in 0..SLOTS + 5 {
        sender.send(&datagram(10, i)).unwrap();
        // The receive buffer holds fewer than the room does.
        if i % 100 == 99 || i == SLOTS + 4 {
            taken += drain.receive().unwrap().datagrams;
        }
    }
    assert_eq!((taken, drain.is_full()), (SLOTS, true));
    assert_eq!(drain.receive().unwrap(), Batch::default());
    assert!(drain.portion().eq((0..SLOTS).map(|i| datagram(10, i))));
    assert_eq!(drain.receive().unwrap().datagrams, 5);
    assert!(drain.portion().eq((SLOTS..SLOTS + 5).map(|i| datagram(10, i))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever comes between whatever is taken: everything once, in order, and nothing of one in another.
    #[test]
    fn the_ring_keeps_order_and_bytes(
        steps in proptest::collection::vec((1_usize..60, 1_usize..3_000, 0_usize..12), 1..60),
    ) {
        let (sender, mut drain) = udp_pair(256, 2_000);
        let (mut sent, mut seen, mut counted) = (Vec::new(), Vec::new(), Batch::default());
        for (number, length, portions) in steps {
            for _ in 0..number {
                // Each step's lengths lie on both sides of both limits.
                sent.push((length * 7 + sent.len() * 131) % 2_300);
                sender.send(&datagram(*sent.last().unwrap(), sent.len())).unwrap();
            }
            while drain.meminfo().unwrap().queued > 0 {
                let batch = drain.receive().unwrap();
                counted.datagrams += batch.datagrams;
                counted.bytes += batch.bytes;
                counted.oversized += batch.oversized;
                if drain.is_full() {
                    seen.extend(drain.portion().map(<[u8]>::to_vec));
                }
            }
            for _ in 0..portions {
                seen.extend(drain.portion().map(<[u8]>::to_vec));
            }
        }
        while !drain.is_empty() {
            seen.extend(drain.portion().map(<[u8]>::to_vec));
        }
        let bytes = sent.iter().map(|length| length.min(&2_000)).sum();
        let oversized = sent.iter().filter(|length| **length > 2_000).count();
        prop_assert_eq!(counted, Batch { datagrams: sent.len(), bytes, oversized });
        let whole = sent.iter().enumerate().filter(|(_, length)| **length <= 2_000);
        prop_assert!(whole.map(|(i, length)| datagram(*length, i + 1)).eq(seen));
    }
}

#[test]
fn a_datagram_beyond_the_limit_is_counted_and_not_shown() {
    for (hot, largest) in [(8, 20), (64, 20)] {
        let (sender, mut drain) = pair(hot, largest);
        for length in [20, 21, 500, 7] {
            sender.send(&datagram(length, length)).unwrap();
        }
        assert_eq!(drain.receive().unwrap(), Batch { datagrams: 4, bytes: 20 * 3 + 7, oversized: 2 });
        assert!(drain.portion().eq([datagram(20, 20), datagram(7, 7)]));
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
