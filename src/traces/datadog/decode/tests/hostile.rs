//! Bodies that end early, lie about lengths, or are much larger in memory than on the wire.

use super::*;

fn bodies() -> [(Format, Vec<u8>); 6] {
    [
        (Format::V04, maps::v04()),
        (Format::V05, tables::v05()),
        (Format::V07, maps::v07()),
        (Format::V1, numbered::v1(false)),
        (Format::V1, numbered::v1(true)),
        (Format::Json, br#"[[{"service":"shop","meta":{"a":"b"},"metrics":{"a":1.5}}]]"#.to_vec()),
    ]
}

#[test]
fn a_body_that_ends_early_is_refused_wherever_it_ends() {
    for (format, body) in bodies() {
        assert!(read(format, &body).is_ok());
        for end in 0..body.len() {
            assert!(read(format, &body[..end]).is_err(), "{format:?} cut at {end}");
        }
    }
}

#[test]
fn huge_lengths_anywhere_do_no_harm() {
    for (format, body) in bodies() {
        for at in 0..body.len() {
            for head in [0xdd, 0xdf, 0xdb, 0xc6, 0xc9, 0xdc, 0xde] {
                let mut lie = body[..at].to_vec();
                lie.extend([head, 0xff, 0xff, 0xff, 0xff]);
                lie.extend_from_slice(&body[at..]);
                // A little more than what this body needs.
                let _ = read_within(format, &lie, &Budget::new(1 << 20));
            }
        }
    }
}

#[test]
fn structures_larger_than_the_budget_are_refused() {
    let budget = Budget::new(1 << 20);
    let empty_spans = [&[0x91, 0xdd, 0, 1, 0, 0][..], &[0x80; 1 << 16]].concat();
    let empty_words = [&[0x92, 0xdd, 0, 1, 0, 0][..], &[0xa0; 1 << 16], &[0x90]].concat();
    let json_spans = format!("[[{}{{}}]]", "{},".repeat(1 << 16));
    let mut words = Body::default().map(1).uint(1).array(1 << 16);
    for number in 0..1_u32 << 16 {
        words = words.text(&number.to_string());
    }
    for (format, body) in [
        (Format::V04, empty_spans),
        (Format::V05, empty_words),
        (Format::Json, json_spans.into_bytes()),
        (Format::V1, words.0),
    ] {
        let refused = read_within(format, &body, &budget);
        assert_eq!(refused.map(|traces| traces.len()), Err(Refused::OutOfRoom(OutOfRoom)), "{format:?}");
        assert_eq!(budget.held(), 0);
    }
    // The same number of spans, but one trace at a time.
    let traces = [&[0xdd, 0, 1, 0, 0][..], &[0x91, 0x80].repeat(1 << 16)].concat();
    assert_eq!(read_within(Format::V04, &traces, &budget).map(|traces| traces.len()), Ok(1 << 16));
}

#[test]
fn deep_nesting_needs_no_stack() {
    let deep = [0x91].repeat(1 << 20);
    let unknown = |before: Body| [before.text("unknown").0, deep.clone(), vec![0xc0]].concat();
    let bodies = [
        (Format::V04, unknown(Body::default().array(1).array(1).map(1))),
        (Format::V07, unknown(Body::default().map(1))),
    ];
    for (format, body) in bodies {
        assert!(read(format, &body).is_ok(), "{format:?}");
    }
    let value = Body::default().array(1).array(1).map(1).text("span_events").array(1).map(1);
    let value = [value.text("attributes").map(1).text("k").0, deep.clone(), vec![0xc0]].concat();
    assert!(matches!(read(Format::V04, &value), Err(Refused::Malformed { fault: Fault::Depth, .. })));
    for body in [deep, b"[".repeat(1 << 20)] {
        for format in FORMATS {
            assert!(read(format, &body).is_err(), "{format:?}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(
        body in proptest::collection::vec(any::<u8>(), 0..300),
        start in proptest::sample::select(vec![&[][..], &[0x91, 0x91, 0x8f], &[0x92, 0x92, 0xa0, 0xa1, 0x61], &[0x8f]]),
    ) {
        let body = [start, &body].concat();
        for format in FORMATS {
            let _ = read_within(format, &body, &Budget::new(1 << 20));
        }
    }

    #[test]
    fn changed_bytes_make_no_decoder_panic(
        which in 0..6_usize,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let (format, mut body) = bodies()[which].clone();
        for (index, byte) in changes {
            let at = index.index(body.len());
            body[at] = byte;
        }
        let _ = read_within(format, &body, &Budget::new(1 << 20));
    }
}
