//! What it costs to decode a message, per message: time, and bytes per second.
//!
//! Packets of at most 1,432 bytes, as clients send them: names of 12 to 60 bytes, 2 to 8 tags of 8 to 32
//! bytes, like the default corpus of `benches/rig`. Each case decodes its packets and reads every value,
//! which is all that a known context needs from the decoder. For comparison only.
//!
//! `cargo bench --bench decode`

use criterion::measurement::{Measurement, WallTime};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pillion::statsd::{Dialect, Form, FormLimits, Line, form, messages, value};
use std::hint::black_box;
use std::time::Duration;

const PACKET_BYTES: usize = 1_432;
const MESSAGES: usize = 20_000;

/// SplitMix64, so that every run decodes the same bytes.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn range(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    fn word(&mut self, length: u64) -> String {
        (0..length)
            .map(|_| char::from(b"abcdefghijklmnopqrstuvwxyz0123456789_"[self.range(0, 36) as usize]))
            .collect()
    }

    fn name(&mut self) -> String {
        let length = self.range(12, 60) as usize;
        let mut name = self.word(6);
        while name.len() < length {
            let part = self.range(3, 9);
            name = name + "." + &self.word(part);
        }
        name
    }

    fn tags(&mut self) -> String {
        let tags: Vec<_> = (0..self.range(2, 8))
            .map(|_| {
                let half = self.range(4, 16);
                self.word(half) + ":" + &self.word(half)
            })
            .collect();
        tags.join(",")
    }
}

type Make = fn(&mut Random) -> String;

/// One message of a kind.
const CASES: &[(&str, Make)] = &[
    ("mixed", mixed),
    ("counter", |r| format!("{}:{}|c|#{}", r.name(), r.range(1, 9), r.tags())),
    ("counter_plain", |r| format!("{}:{}|c", r.name(), r.range(1, 9))),
    ("counter_sampled", |r| format!("{}:{}|c|@0.5|#{}", r.name(), r.range(1, 9), r.tags())),
    ("counter_timestamped", |r| format!("{}:{}|c|#{}|T1656581400", r.name(), r.range(1, 9), r.tags())),
    ("counter_origin", |r| {
        let (name, tags, id) = (r.name(), r.tags(), r.word(64));
        format!("{name}:1|c|#{tags}|c:ci-{id}|e:it-false,cn-app,pu-75a")
    }),
    ("gauge", |r| format!("{}:{}|g|#{}", r.name(), r.range(0, 100_000), r.tags())),
    ("gauge_delta", |r| format!("{}:+{}|g|#{}", r.name(), r.range(0, 100), r.tags())),
    ("timer", |r| format!("{}:{}.{:02}|ms|#{}", r.name(), r.range(0, 900), r.range(0, 99), r.tags())),
    ("histogram", |r| format!("{}:{}.{:02}|h|#{}", r.name(), r.range(0, 900), r.range(0, 99), r.tags())),
    ("distribution", |r| format!("{}:{}.{:02}|d|#{}", r.name(), r.range(0, 900), r.range(0, 99), r.tags())),
    ("distribution_packed_16", |r| {
        let values: Vec<_> = (0..16).map(|_| format!("{}.{:02}", r.range(0, 900), r.range(0, 99))).collect();
        format!("{}:{}|d|#{}", r.name(), values.join(":"), r.tags())
    }),
    ("set", |r| format!("{}:u{}|s|#{}", r.name(), r.range(0, 999), r.tags())),
    ("parts", |r| format!("{}:1|c:{}|ms", r.name(), r.range(0, 900))),
    ("influx", |r| format!("{},{}:1|c", r.name(), r.tags().replace(':', "="))),
    ("event", |r| {
        let (title, text) = (r.word(24), r.word(120));
        format!("_e{{24,120}}:{title}|{text}|t:warning|h:web-1|#{}", r.tags())
    }),
    ("check", |r| format!("_sc|{}|1|h:web-1|#{}|m:{}", r.name(), r.tags(), r.word(60))),
    ("refused", |r| format!("{}:{}|q|#{}", r.name(), r.range(1, 9), r.tags())),
];

/// The rig's default mix: 60 % counters, 20 gauges, 10 timers, 2 histograms, 6 distributions, 2 sets;
/// a tenth of those that can be are sampled.
fn mixed(r: &mut Random) -> String {
    let (name, tags) = (r.name(), r.tags());
    let rate = if r.range(0, 9) == 0 { "|@0.5" } else { "" };
    let (whole, cents) = (r.range(0, 900), r.range(0, 99));
    match r.range(0, 99) {
        0..60 => format!("{name}:{}|c{rate}|#{tags}", r.range(1, 9)),
        60..80 => format!("{name}:{}|g|#{tags}", r.range(0, 100_000)),
        80..90 => format!("{name}:{whole}.{cents:02}|ms{rate}|#{tags}"),
        90..92 => format!("{name}:{whole}.{cents:02}|h{rate}|#{tags}"),
        92..98 => format!("{name}:{whole}.{cents:02}|d{rate}|#{tags}"),
        _ => format!("{name}:u{}|s|#{tags}", r.range(0, 999)),
    }
}

fn packets(make: Make) -> Vec<Vec<u8>> {
    let mut random = Random(1);
    let mut packets = vec![Vec::new()];
    for _ in 0..MESSAGES {
        let message = make(&mut random);
        let last = packets.len() - 1;
        if !packets[last].is_empty() && packets[last].len() + 1 + message.len() > PACKET_BYTES {
            packets.push(message.into_bytes());
        } else {
            let packet = &mut packets[last];
            if !packet.is_empty() {
                packet.push(b'\n');
            }
            packet.extend_from_slice(message.as_bytes());
        }
    }
    packets
}

/// Decodes a packet and folds what a shard would look at.
fn decode(packet: &[u8]) -> f64 {
    let mut sum = 0.0;
    for message in messages(packet, Dialect::default()) {
        match message {
            Ok(Line::Metric(metric)) => {
                for number in metric.numbers().flatten() {
                    sum += number.value * metric.weight;
                }
                sum += (metric.name.len() + metric.tags.len() + metric.values.bytes.len()) as f64;
            }
            Ok(Line::Event(event)) => sum += event.text.len() as f64,
            Ok(Line::Check(check)) => sum += check.name.len() as f64,
            Err(refused) => sum += refused.message.len() as f64,
        }
    }
    sum
}

/// The time of one pass over the packets, divided by the messages in them.
fn per_message(rounds: u64, packets: &[Vec<u8>], mut pass: impl FnMut(&[u8])) -> Duration {
    let start = WallTime.start();
    for _ in 0..rounds {
        packets.iter().for_each(|packet| pass(packet));
    }
    WallTime.end(start) / MESSAGES as u32
}

fn bench_messages(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    for (name, make) in CASES {
        let packets = packets(*make);
        let bytes = packets.iter().map(Vec::len).sum::<usize>();
        group.throughput(Throughput::Bytes((bytes / MESSAGES) as u64));
        group.bench_function(*name, |b| {
            b.iter_custom(|rounds| {
                per_message(rounds, &packets, |packet| {
                    black_box(decode(black_box(packet)));
                })
            });
        });
    }
    group.finish();
}

/// What a new form costs: name and tags, validated and sorted.
fn bench_forms(c: &mut Criterion) {
    let mut group = c.benchmark_group("form");
    let limits = FormLimits { name_bytes: 400, ..FormLimits::default() };
    for (name, make) in CASES.iter().filter(|(name, _)| matches!(*name, "counter" | "influx")) {
        let packets = packets(*make);
        let mut reused = Form::default();
        group.bench_function(*name, |b| {
            b.iter_custom(|rounds| {
                per_message(rounds, &packets, |packet| {
                    for line in messages(packet, Dialect::default()).flatten() {
                        if let Line::Metric(metric) = line {
                            let read = form::read_into(&metric, Dialect::default(), &limits, &mut reused);
                            black_box(read.is_ok() && !reused.tags.is_empty());
                        }
                    }
                })
            });
        });
    }
    group.finish();
}

fn bench_values(c: &mut Criterion) {
    let mut group = c.benchmark_group("value");
    for text in ["7", "12345", "512.25", "-0.001", "1.5e-3", "0.12345678901234567"] {
        group.bench_function(text, |b| b.iter(|| value::parse(black_box(text.as_bytes()))));
    }
    group.finish();
}

criterion_group!(benches, bench_messages, bench_forms, bench_values);
criterion_main!(benches);
