//! The bodies of the fuzz targets for what clients send, each run over its committed corpus and some thousand
//! mutations of it: the same ones every time, so that a failure here can be had again. `tests/config_fuzz.rs`
//! does the same for configurations.

#[path = "fuzz_bodies/datadog.rs"]
mod datadog;
#[path = "fuzz_bodies/otlp.rs"]
mod otlp;
#[path = "fuzz_bodies/otlp_json.rs"]
mod otlp_json;
#[path = "fuzz_bodies/points.rs"]
mod points;
#[path = "fuzz_bodies/statsd.rs"]
mod statsd;
#[path = "fuzz_bodies/zipkin.rs"]
mod zipkin;

use pillion::otlp::Signal;
use std::io;
use std::path::Path;

/// Mutations of each file.
const MUTATIONS: usize = 200;
/// What mutations of spans insert.
const ZIPKIN_PIECES: &[&[u8]] =
    &[b"\"", b"{", b"}", b"[", b"]", b",", b":", b"null", b"1e9", b"\\u0000", b"\xff", b"\x0a\x00", b"\x80"];
/// What mutations of packets insert.
const STATSD_PIECES: &[&[u8]] = &[
    b":",
    b"|",
    b"\n",
    b"\r\n",
    b"#",
    b"@",
    b",",
    b"=",
    b"[",
    b"]",
    b"T1",
    b"|c",
    b"|g",
    b"|ms",
    b"|#",
    b"c:",
    b"_e{",
    b"}:",
    b"_sc|",
    b"+",
    b"-",
    b".",
    b"e",
    b"\xff",
    b"\0",
    b"9999999999999999999999",
    b"1e309",
    b"nan",
];

/// What mutations of OTLP JSON insert.
const OTLP_JSON_PIECES: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"null",
    b"true",
    b"-1",
    b"1e309",
    b"18446744073709551616",
    b"\"NaN\"",
    b"\\ud800",
    b"\xff",
    b"\"arrayValue\":{\"values\":[",
    b"\"kvlistValue\":{",
    b"\"stringValue\":",
    b"\"spans\":[{}]",
    b"\"resourceSpans\":[",
    b"\"trace_id\":\"\"",
];

/// What mutations of OTLP requests insert: keys with wrong lengths, long numbers, ids.
const OTLP_PIECES: &[&[u8]] = &[
    b"\x0a\x00",
    b"\x0a\x02",
    b"\x12\x02\x12\x00",
    b"\x0a\x10",
    b"\x12\x08",
    b"\x4a\x04\x0a\x00\x12\x00",
    b"\x2a\x02\x0a\x00",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\xff\xff\xff\xff\x0f",
    b"\x80",
    b"\x00",
    b"\xff",
    b"\x0b",
    b"\x1f\x8b\x08\x00",
    b"\x28\xb5\x2f\xfd",
];

/// What mutations of Datadog's bodies insert.
const DATADOG_PIECES: &[&[u8]] = &[
    b"\xc0",
    b"\xc2",
    b"\xff",
    b"\x90",
    b"\x91",
    b"\x93",
    b"\x80",
    b"\x81",
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\x00\x00\x00\x01",
    b"\xdb\x00\x01\x00\x00",
    b"\xc4\x01\xff",
    b"\xc7\x00",
    b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",
    b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00",
    b"\xa2\xff\xfe",
    b"\xa4meta",
    b"\xa5spans",
    b"\xa8trace_id",
];

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % limit.max(1) as u64) as usize
    }

    /// Changes one place.
    fn mutate(&mut self, data: &mut Vec<u8>, pieces: &[&[u8]]) {
        let at = self.below(data.len() + 1);
        let end = (at + self.below(6)).min(data.len());
        match self.below(5) {
            0 => drop(data.drain(at..end)),
            1 => data.splice(at..at, pieces[self.below(pieces.len())].iter().copied()).for_each(drop),
            2 => data.splice(at..end, pieces[self.below(pieces.len())].iter().copied()).for_each(drop),
            3 => {
                let copied = data[at..end].to_vec();
                let to = self.below(data.len() + 1);
                data.splice(to..to, copied).for_each(drop);
            }
            _ => {
                if let Some(byte) = data.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
        }
    }
}

/// Runs a body over `fuzz/corpus/NAME`; says how many files there are.
fn over_corpus(name: &str, pieces: &[&[u8]], run: fn(&[u8])) -> io::Result<usize> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let entries = std::fs::read_dir(folder)?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    // The order of a folder differs from machine to machine; the mutations must not.
    files.sort();
    for (number, file) in files.iter().enumerate() {
        let original = std::fs::read(file)?;
        run(&original);
        let mut random = Random(number as u64);
        for _ in 0..MUTATIONS {
            let mut data = original.clone();
            for _ in 0..=random.below(4) {
                random.mutate(&mut data, pieces);
            }
            run(&data);
        }
    }
    Ok(files.len())
}

#[test]
fn statsd_holds_over_its_corpus() -> io::Result<()> {
    assert!(over_corpus("statsd", STATSD_PIECES, statsd::run)? >= 20);
    Ok(())
}

#[test]
fn otlp_json_holds_over_its_corpus() -> io::Result<()> {
    assert!(over_corpus("otlp_json", OTLP_JSON_PIECES, |data| otlp_json::run(Signal::Traces, data))? >= 8);
    Ok(())
}

#[test]
fn otlp_holds_over_its_corpus() -> io::Result<()> {
    assert!(over_corpus("otlp", OTLP_PIECES, |data| otlp::run(Signal::Traces, data))? >= 20);
    Ok(())
}

#[test]
fn otlp_metrics_and_logs_hold_over_their_corpora() -> io::Result<()> {
    assert!(over_corpus("otlp_metrics", OTLP_PIECES, |data| otlp::run(Signal::Metrics, data))? >= 8);
    assert!(over_corpus("otlp_logs", OTLP_PIECES, |data| otlp::run(Signal::Logs, data))? >= 4);
    assert!(
        over_corpus("otlp_json_metrics", OTLP_JSON_PIECES, |data| otlp_json::run(Signal::Metrics, data))?
            >= 6
    );
    assert!(over_corpus("otlp_json_logs", OTLP_JSON_PIECES, |data| otlp_json::run(Signal::Logs, data))? >= 3);
    Ok(())
}

#[test]
fn points_hold_over_their_corpus() -> io::Result<()> {
    assert!(over_corpus("points", OTLP_PIECES, points::run)? >= 3);
    Ok(())
}

#[test]
fn zipkin_holds_over_its_corpus() -> io::Result<()> {
    assert!(over_corpus("zipkin", ZIPKIN_PIECES, zipkin::run)? >= 6);
    Ok(())
}

#[test]
fn datadog_holds_over_its_corpora() -> io::Result<()> {
    for (name, run) in [
        ("datadog_v04", datadog::v04 as fn(&[u8])),
        ("datadog_v05", datadog::v05),
        ("datadog_v07", datadog::v07),
        ("datadog_v1", datadog::v1),
    ] {
        assert!(over_corpus(name, DATADOG_PIECES, run)? >= 3, "{name}");
    }
    Ok(())
}

#[test]
fn every_target_is_built_and_has_a_corpus() -> io::Result<()> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(fuzz.join("Cargo.toml"))?;
    for target in std::fs::read_dir(fuzz.join("fuzz_targets"))? {
        let path = target?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let binary = format!("[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n");
        assert!(manifest.contains(&binary), "fuzz/Cargo.toml does not build {}", path.display());
        assert!(std::fs::read_dir(fuzz.join("corpus").join(&*name))?.count() > 0, "{name} has no corpus");
    }
    Ok(())
}
