//! What holds for every packet, and for every message that a client can write.

use super::super::{Dialect, Form, FormLimits, Kind, Line, Number, Reject, form, messages};
use super::encode::{Field, Sent, check, encode_check, encode_event, event, sent};
use super::show;
use proptest::prelude::*;

/// Bytes that look like messages often enough.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "[:|#@,=\\[\\]\\\\n\r.+-]{1,4}".prop_map(String::into_bytes),
        "(c|g|ms|h|d|s|T[0-9]{0,12}|c:|e:|card:|[a-z]{1,4}|[0-9]{1,9}|@0\\.5|#a:b|_e\\{[0-9],[0-9]\\}:|_sc\\||\n)"
            .prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// What a metric must mean after its way over the wire.
fn assert_arrived(sent: &Sent, line: &str) {
    let mut lines = messages(line.as_bytes(), Dialect::default());
    let Some(Ok(Line::Metric(metric))) = lines.next() else { panic!("{line}") };
    assert_eq!(lines.next(), None, "{line}");
    assert_eq!(metric.kind, sent.kind);
    let signs = |value: f64| sent.kind == Kind::Gauge && value.is_sign_negative();
    let numbers = sent.values.iter().map(|value| Some(Number { value: *value, delta: signs(*value) }));
    if sent.kind == Kind::Set {
        assert_eq!(metric.values.bytes, sent.member.as_bytes());
        assert_eq!(metric.numbers().next(), None);
    } else {
        assert_eq!(metric.numbers().collect::<Vec<_>>(), numbers.collect::<Vec<_>>(), "{line}");
    }
    let (mut weight, mut tags, mut time) = (1.0, Vec::new(), None);
    for field in &sent.fields {
        match field {
            Field::Rate(rate) => weight = 1.0 / rate,
            Field::Tags(sent) => tags.clone_from(sent),
            Field::Local(data) => assert_eq!(metric.local, data.as_bytes()),
            Field::External(data) => assert_eq!(metric.external, data.as_bytes()),
            Field::Cardinality(word) => assert_eq!(metric.cardinality, word.as_bytes()),
            Field::Timestamp(at) => time = Some(*at),
        }
    }
    let timed = matches!(sent.kind, Kind::Counter | Kind::Gauge);
    assert_eq!(metric.timestamp, time.filter(|_| timed));
    let rated = metric.timestamp.is_none() && !matches!(sent.kind, Kind::Gauge | Kind::Set);
    assert_eq!(metric.weight, if rated { weight } else { 1.0 }, "{line}");
    let mut form = Form::default();
    form::read_into(&metric, Dialect::default(), &FormLimits::default(), &mut form).unwrap();
    tags.sort();
    tags.dedup();
    assert_eq!((form.name, form.tags), (sent.name.clone(), tags));
}

proptest! {
    #[test]
    fn never_panics_and_counts_on_the_packet_alone(packet in noise(), deltas: bool) {
        let dialect = Dialect { gauge_deltas: deltas, ..Dialect::default() };
        let shown = show(&packet, dialect);
        prop_assert_eq!(&shown, &show(&packet, dialect));
        prop_assert!(messages(&packet, dialect).count() <= packet.len());
    }

    #[test]
    fn never_panics_on_any_bytes(packet in prop::collection::vec(any::<u8>(), 0..200)) {
        show(&packet, Dialect::default());
    }

    #[test]
    fn metrics_arrive_as_sent(sent in sent()) {
        assert_arrived(&sent, &sent.encode());
        assert_arrived(&sent, &(sent.encode() + "\r\n"));
    }

    #[test]
    fn events_arrive_as_sent(event in event(), escaped: bool) {
        let line = encode_event(&event, escaped) + "\n";
        let mut lines = messages(line.as_bytes(), Dialect::default());
        let Some(Ok(Line::Event(arrived))) = lines.next() else { panic!("{line}") };
        prop_assert_eq!(arrived.to_owned(0), event);
        prop_assert_eq!(lines.next(), None);
    }

    #[test]
    fn checks_arrive_as_sent(check in check()) {
        let line = encode_check(&check) + "\n";
        let mut lines = messages(line.as_bytes(), Dialect::default());
        let Some(Ok(Line::Check(arrived))) = lines.next() else { panic!("{line}") };
        prop_assert_eq!(arrived.to_owned(0), check);
        prop_assert_eq!(lines.next(), None);
    }

    #[test]
    fn neighbours_of_any_line_live(
        before in sent(), line in noise(), after in sent(), end in prop::sample::select(&["\n", "\r\n"][..])
    ) {
        // An event may hold LF, so it may reach into the next line: every other line ends at its LF.
        let line: Vec<u8> = line.into_iter().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
        prop_assume!(!line.starts_with(b"_e{"));
        let (before, after) = (before.encode(), after.encode());
        let packet = [before.as_bytes(), &line, after.as_bytes()].join(end.as_bytes());
        let shown = show(&packet, Dialect::default());
        let alone = [before.as_bytes(), &line, after.as_bytes()].map(|line| show(line, Dialect::default()));
        let alone: Vec<_> = alone.into_iter().filter(|shown| !shown.is_empty()).collect();
        prop_assert_eq!(shown, alone.join("\n"));
    }

    #[test]
    fn a_refused_event_leaves_the_next_line_alone(event in event(), more in 1_usize..9, after in sent()) {
        // A byte count that is wrong by a little, as when a client counts characters.
        let (title, text) = (event.title.replace('\n', " "), event.text.replace(['\n', '|'], " "));
        let event = format!("_e{{{},{}}}:{title}|{text}", title.len(), text.len().saturating_sub(more));
        let packet = format!("{event}\n{}", after.encode());
        let mut lines = messages(packet.as_bytes(), Dialect::default());
        let first = lines.next();
        let refused = matches!(&first, Some(Err(refused)) if matches!(refused.reason, Reject::BadEvent | Reject::NotUtf8));
        prop_assert!(refused, "{:?}", first);
        prop_assert!(matches!(lines.next(), Some(Ok(Line::Metric(_)))));
    }
}
