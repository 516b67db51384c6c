//! The measuring runs: what is sent, what is read before and after, and the JSON line that tells it.

use crate::corpus::{self, Corpus};
use crate::pace::Pace;
use crate::process;
use crate::wire::{self, Target};
use serde_json::json;
use std::error::Error;
use std::time::Duration;

/// Drops at the server's socket; none where the kernel counts none.
fn drops(to: &Target) -> u64 {
    to.port().and_then(process::udp_drops).unwrap_or(0)
}

pub fn send(options: &corpus::Options, to: &Target, cycles: u64, pace: Pace) -> Result<(), Box<dyn Error>> {
    let c = corpus::build(options);
    let s = wire::send(&c, to, c.messages * cycles, pace)?;
    println!(
        "{}",
        json!({"messages": s.messages, "datagrams": s.datagrams, "bytes": s.bytes, "seconds": s.seconds,
            "waits": s.waits, "fullest_millisecond": s.fullest_millisecond,
            "per_second": s.messages as f64 / s.seconds, "counter_sum": c.counter_sum * cycles as f64})
    );
    Ok(())
}

/// Sends, lets the server settle, and reports what both together cost it.
pub fn cost(
    options: &corpus::Options,
    to: &Target,
    pid: u32,
    cycles: u64,
    rate: f64,
    settle: f64,
) -> Result<(), Box<dyn Error>> {
    let c = corpus::build(options);
    let dropped = drops(to);
    let rss = process::status_kb(pid, "VmRSS");
    let before = process::Cpu::read(pid).ok_or("no such process")?;
    let s = wire::send(&c, to, c.messages * cycles, Pace::average(rate))?;
    std::thread::sleep(Duration::from_secs_f64(settle));
    let cpu = process::Cpu::read(pid).ok_or("the server died")?.since(before);
    let dropped = drops(to) - dropped;
    let heard = s.messages as f64 * (1.0 - dropped as f64 / s.datagrams as f64);
    println!(
        "{}",
        json!({"messages": s.messages, "datagrams": s.datagrams, "bytes": s.bytes, "seconds": s.seconds,
            "per_second": s.messages as f64 / s.seconds, "dropped_datagrams": dropped, "cpu_seconds": cpu,
            "cpu_seconds_per_million": cpu / heard * 1e6, "rss_before_kb": rss,
            "rss_kb": process::status_kb(pid, "VmRSS"), "rss_peak_kb": process::status_kb(pid, "VmHWM"),
            "counter_sum": c.counter_sum * cycles as f64})
    );
    Ok(())
}

/// Halves the distance between a rate that was lossless and one that was not, in one of `tries`.
pub fn lossless(
    options: &corpus::Options,
    to: &Target,
    seconds: f64,
    tries: u32,
    highest: f64,
) -> Result<(), Box<dyn Error>> {
    let c = corpus::build(options);
    to.port().ok_or("lossless is for udp")?;
    let (mut good, mut bad) = (0.0, highest);
    for _ in 0..9 {
        let rate = if good == 0.0 { bad / 8.0 } else { (good + bad) / 2.0 };
        match reached_without_drop(&c, to, seconds, tries, rate)? {
            None => bad = rate,
            Some(reached) => {
                good = reached;
                if reached < rate * 0.95 {
                    break; // the sender is the limit
                }
            }
        }
        if bad - good < bad * 0.04 {
            break;
        }
    }
    println!("{}", json!({"lossless_per_second": good}));
    Ok(())
}

/// Messages a second that the first try without a drop reached.
fn reached_without_drop(
    corpus: &Corpus,
    to: &Target,
    seconds: f64,
    tries: u32,
    rate: f64,
) -> Result<Option<f64>, Box<dyn Error>> {
    for _ in 0..tries.max(1) {
        let before = drops(to);
        let s = wire::send(corpus, to, (rate * seconds) as u64, Pace::Even(rate))?;
        std::thread::sleep(Duration::from_millis(500));
        let dropped = drops(to) - before;
        let reached = s.messages as f64 / s.seconds;
        eprintln!("{}", json!({"rate": rate, "reached": reached, "dropped_datagrams": dropped}));
        if dropped == 0 {
            return Ok(Some(reached));
        }
    }
    Ok(None)
}

/// Halves the distance between a burst that was taken whole each time and one that was not.
pub fn burst(
    options: &corpus::Options,
    to: &Target,
    bursts: u32,
    pause: f64,
    largest: u64,
) -> Result<(), Box<dyn Error>> {
    let c = corpus::build(options);
    to.port().ok_or("burst is for udp")?;
    let (mut good, mut bad) = (0, largest + 1);
    while bad - good > 1 {
        let size = if good == 0 { (bad / 8).max(1) } else { (good + bad) / 2 };
        let before = drops(to);
        for _ in 0..bursts {
            wire::send(&c, to, messages_in(&c, size), Pace::Free)?;
            std::thread::sleep(Duration::from_secs_f64(pause));
        }
        let dropped = drops(to) - before;
        eprintln!("{}", json!({"datagrams": size, "bursts": bursts, "dropped_datagrams": dropped}));
        if dropped > 0 {
            bad = size;
        } else {
            good = size;
        }
        if (bad - good) * 32 < bad {
            break;
        }
    }
    println!("{}", json!({"burst_datagrams": good}));
    Ok(())
}

/// Messages in the first `datagrams` of the corpus, which begins anew at its end.
fn messages_in(corpus: &Corpus, datagrams: u64) -> u64 {
    corpus.datagrams.iter().cycle().take(datagrams as usize).map(|d| u64::from(d.messages)).sum()
}
