//! The loop on a real socket, run in the test's own thread where it need not be stopped from outside.

use super::super::consumer::recorder::recorder;
use super::super::running::Running;
use super::super::{Info, Watch};
use super::*;
use crate::config::{ListenAddress, Listener};
use socket2::Socket;
use std::net::UdpSocket;
use std::sync::Arc;

/// A served loop over `socket`, the way a listener's thread runs it.
fn serve(socket: UdpSocket, pace: Option<Pace>, consumer: impl Consumer) -> (Running, Watch) {
    serve_by(crate::clock::now_ns, socket, pace, consumer)
}

fn serve_by(
    clock: fn() -> u64,
    socket: UdpSocket,
    pace: Option<Pace>,
    consumer: impl Consumer,
) -> (Running, Watch) {
    let info = Info::new(ListenAddress::Udp(socket.local_addr().unwrap()), None);
    let tally = Arc::clone(consumer.tally());
    let run = move |worker: &Arc<Worker>| {
        let drain = Drain::new(Socket::from(socket), 2_048, 65_535);
        run(drain, pace, consumer, worker, clock);
        Ok(())
    };
    let running = Running::start(info, vec![super::super::running::Job { tally, run: Box::new(run) }], None);
    let watch = running.watch();
    (running, watch)
}

fn pair() -> (UdpSocket, UdpSocket) {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    (sender, receiver)
}

/// A pair whose receiver was asked for a buffer of `buffer` bytes and got `datagrams` of `length` bytes, as far as
/// they fit.
fn filled(buffer: usize, datagrams: usize, length: usize) -> (UdpSocket, UdpSocket) {
    let (sender, receiver) = pair();
    socket2::SockRef::from(&receiver).set_recv_buffer_size(buffer).unwrap();
    for _ in 0..datagrams {
        sender.send(&vec![b'x'; length]).unwrap();
    }
    (sender, receiver)
}

fn pace() -> Option<Pace> {
    let options = Listener::at(ListenAddress::Udp(([127, 0, 0, 1], 0).into()));
    Some(Pace::new(options.coalesce, options.coalesce_fill, 212_992))
}

#[test]
fn kernel_drops_are_counted_exactly_and_the_burst_is_kept() {
    let (_sender, receiver) = filled(8_192, 500, 100);
    let (consumer, handle) = recorder();
    let (running, watch) = serve(receiver, pace(), consumer);
    handle.stop();
    running.join();
    let (read, dropped) = (handle.rest().len() as u64, handle.tally.kernel_dropped.get());
    assert_eq!(read + dropped, 500);
    let loss = watch.workers().next().unwrap().last_loss().unwrap();
    assert_eq!((loss.dropped, loss.read), (dropped, read));
}

#[test]
fn drops_before_the_traffic_stopped_are_counted_by_the_next_hand_over() {
    let (_sender, receiver) = filled(8_192, 500, 100);
    let (consumer, handle) = recorder();
    // On a clock that stands still no look at the drops is ever due, and without pauses none comes by itself.
    let pace = Some(Pace::new(Duration::ZERO, 0.25, 16_384));
    let (running, _) = serve_by(|| 1, receiver, pace, consumer);
    // The first may be seen between two batches; then the second finds the thread about to wait, or waiting.
    for _ in 0..2 {
        handle.ask_for_hand_over(1);
        while handle.steps_left() > 0 {
            std::thread::yield_now();
        }
    }
    let dropped = handle.tally.kernel_dropped.get();
    handle.stop();
    running.join();
    assert_eq!(handle.rest().len() as u64 + dropped, 500);
}

#[test]
fn an_idle_thread_sleeps_until_it_is_woken_and_hands_over_step_by_step() {
    let (_sender, receiver) = pair();
    let (consumer, handle) = recorder();
    let (running, _) = serve(receiver, pace(), consumer);
    handle.ask_for_hand_over(5);
    handle.stop();
    running.join();
    assert!(handle.finished());
    // One receive each: at the start, per step or wake-up, and at the end. An idle loop would make thousands.
    let calls = handle.tally.wakeups.get();
    assert!(calls <= 12, "{calls}");
}

#[test]
fn a_hand_over_ends_without_any_traffic() {
    let (sender, receiver) = pair();
    let (consumer, handle) = recorder();
    let (running, _) = serve(receiver, pace(), consumer);
    handle.ask_for_hand_over(3);
    while handle.steps_left() > 0 {
        std::thread::yield_now();
    }
    sender.send(b"after").unwrap();
    assert_eq!(handle.packet(), b"after");
    handle.stop();
    running.join();
}

#[test]
fn a_flow_is_gathered_and_comes_in_order() {
    let (sender, receiver) = pair();
    let (consumer, handle) = recorder();
    let (running, _) = serve(receiver, pace(), consumer);
    // In steps of what the receive buffer surely holds, so that nothing is dropped.
    for round in 0..200u32 {
        for i in 0..50u32 {
            sender.send(&(round * 50 + i).to_be_bytes()).unwrap();
        }
        for i in 0..50u32 {
            assert_eq!(handle.packet(), (round * 50 + i).to_be_bytes());
        }
    }
    handle.stop();
    running.join();
    assert_eq!(handle.tally.packets.get(), 10_000);
    assert_eq!(handle.tally.kernel_dropped.get(), 0);
}

#[test]
fn a_sender_that_never_stops_does_not_hold_up_the_end() {
    let (sender, receiver) = pair();
    let (consumer, handle) = recorder();
    let (running, _) = serve(receiver, pace(), consumer);
    std::thread::scope(|scope| {
        let (stop, stopped) = std::sync::mpsc::sync_channel::<()>(0);
        scope.spawn(move || {
            while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                // Once the socket is gone the kernel says so.
                let _ = sender.send(b"x");
            }
        });
        handle.packet();
        handle.stop();
        running.join();
        drop(stop);
    });
    assert!(handle.finished());
}

/// Sends two datagrams for each it takes, as a busy app does while much is decoded.
struct Answering<C> {
    consumer: C,
    sender: UdpSocket,
    left: usize,
}

impl<C: Consumer> Consumer for Answering<C> {
    fn take<'a>(&mut self, packets: impl Iterator<Item = &'a [u8]>, now_ns: u64) {
        let (sender, left) = (&self.sender, &mut self.left);
        let answered = packets.inspect(|_| {
            for _ in 0..2.min(*left) {
                sender.send(&[b'x'; 1_432]).unwrap();
                *left -= 1;
            }
        });
        self.consumer.take(answered, now_ns);
    }

    fn hand_over(&mut self, now_ns: u64) -> bool {
        self.consumer.hand_over(now_ns)
    }

    fn finish(self, now_ns: u64) {
        self.consumer.finish(now_ns);
    }

    fn wake_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.consumer.wake_fd()
    }

    fn clear_wake(&self) {
        self.consumer.clear_wake();
    }

    fn stopping(&self) -> bool {
        self.consumer.stopping()
    }

    fn tally(&self) -> &Arc<crate::metrics::tally::Tally> {
        self.consumer.tally()
    }
}

#[test]
fn what_comes_while_much_is_decoded_is_not_dropped() {
    // 106,496 bytes twice: the kernel's usual default, room for 92 full datagrams.
    let (sender, receiver) = filled(106_496, 80, 1_432);
    let (consumer, handle) = recorder();
    let consumer = Answering { consumer, sender, left: 400 };
    let (running, _) = serve(receiver, Some(Pace::new(Duration::ZERO, 0.25, 212_992)), consumer);
    while handle.tally.packets.get() + handle.tally.kernel_dropped.get() < 480 {
        // A hand-over looks at the drops.
        handle.ask_for_hand_over(1);
        while handle.steps_left() > 0 {
            std::thread::yield_now();
        }
    }
    handle.stop();
    running.join();
    assert_eq!(handle.tally.kernel_dropped.get(), 0);
}
