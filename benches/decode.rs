//! What it costs to decode a message, per message: time, and bytes per second.
//!
//! Packets of at most 1,432 bytes, as clients send them: names of 12 to 60 bytes, 2 to 8 tags of 8 to 32
//! bytes, like the default corpus of `benches/rig`. Each case decodes its packets and reads every value,
//! which is all that a known context needs from the decoder. For comparison only.
//!
//! `cargo bench --bench decode`

mod lines;

use criterion::measurement::{Measurement, WallTime};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lines::{Random, mixed};
use pillion::statsd::{Dialect, Form, FormLimits, Line, form, messages, value};
use std::hint::black_box;
use std::time::Duration;

const PACKET_BYTES: usize = 1_432;
const MESSAGES: usize = 20_000;

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

/// Decodes a packet as an intake thread does and folds what a shard would look at.
fn decode(packet: &[u8]) -> f64 {
    let mut sum = 0.0;
    let mut lines = messages(packet, Dialect::default());
    loop {
        let plain = lines.plain().map(|(metric, _)| Ok(Line::Metric(metric)));
        let Some(message) = plain.or_else(|| lines.next()) else { return sum };
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
