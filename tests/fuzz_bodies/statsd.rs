//! What must hold for any packet. The first byte picks the dialect, the rest is the packet.
//!
//! Run by `fuzz/fuzz_targets/statsd.rs` and, over the corpus and its mutations, by
//! `tests/fuzz_corpus.rs`.

use pillion::statsd::{
    Dialect, Form, FormLimits, Kind, Line, Metric, Refused, form, messages, origin_tags, value,
};

/// Panics when something does not hold.
pub(crate) fn run(data: &[u8]) {
    let Some((switches, packet)) = data.split_first() else { return };
    let on = |bit: u8| switches & (1 << bit) == 0;
    let dialect = Dialect { influx: on(0), librato: on(1), signalfx: on(2), gauge_deltas: on(3) };
    let mut form = Form::default();
    let mut count = 0;
    for message in messages(packet, dialect) {
        count += 1;
        match message {
            Ok(Line::Metric(metric)) => {
                assert_metric(packet, &metric, dialect);
                assert_form(&metric, dialect, &mut form);
            }
            Ok(Line::Event(event)) => {
                assert!(!event.title.is_empty() && !event.text.is_empty());
                assert_inside(
                    packet,
                    &[event.title.as_bytes(), event.text.as_bytes(), event.tags.as_bytes()],
                );
                assert_tags(&event.to_owned(7).tags);
            }
            Ok(Line::Check(check)) => {
                assert!(!check.name.is_empty());
                assert_inside(
                    packet,
                    &[check.name.as_bytes(), check.message.as_bytes(), check.tags.as_bytes()],
                );
                assert_tags(&check.to_owned(7).tags);
            }
            Err(Refused { message, .. }) => {
                assert_inside(packet, &[message]);
                assert!(!message.contains(&b'\n'));
            }
        }
    }
    assert!(count <= packet.len());
    assert_value(packet);
    assert_lines_are_alone(packet, dialect);
    assert_plain_ones_are_the_same(packet, dialect);
}

/// What intake threads call first for each message leaves out nothing, and what it gives can be read again.
fn assert_plain_ones_are_the_same(packet: &[u8], dialect: Dialect) {
    let mut lines = messages(packet, dialect);
    let taken = std::iter::from_fn(|| match lines.plain() {
        Some((metric, from)) => {
            assert_eq!(messages(from, dialect).next(), Some(Ok(Line::Metric(metric))));
            Some(Ok(Line::Metric(metric)))
        }
        None => lines.next(),
    });
    assert_eq!(taken.collect::<Vec<_>>(), messages(packet, dialect).collect::<Vec<_>>());
}

/// Slices are borrowed from the packet; empty ones may come from anywhere.
fn assert_inside(packet: &[u8], slices: &[&[u8]]) {
    let whole = packet.as_ptr_range();
    for slice in slices.iter().filter(|slice| !slice.is_empty()) {
        let part = slice.as_ptr_range();
        assert!(whole.start <= part.start && part.end <= whole.end);
    }
}

fn assert_metric(packet: &[u8], metric: &Metric<'_>, dialect: Dialect) {
    let fields = [metric.tags, metric.local, metric.external, metric.cardinality];
    assert_inside(packet, &fields);
    assert_inside(packet, &[metric.name, metric.values.bytes]);
    assert!(!metric.name.is_empty() && !metric.name.contains(&b':') && !metric.values.bytes.is_empty());
    assert!(fields.iter().all(|field| !field.contains(&b'|') && !field.contains(&b'\n')));
    assert!(metric.weight >= 1.0 && metric.weight < 2.7e8);
    assert!(metric.timestamp.is_none() || matches!(metric.kind, Kind::Counter | Kind::Gauge));
    let numbers: Vec<_> = metric.numbers().collect();
    assert_eq!(metric.check_values().is_ok(), numbers.iter().all(Option::is_some));
    if metric.kind == Kind::Set {
        assert!(numbers.is_empty());
    } else {
        let values: Vec<_> = metric.values.bytes.split(|byte| *byte == b':').map(std_parse).collect();
        assert_eq!(numbers.iter().map(|number| number.map(|n| n.value)).collect::<Vec<_>>(), values);
    }
    assert_eq!(read_again(metric, dialect), Some(without_oddities(*metric)));
}

/// The metric written anew, and read once more.
fn read_again(metric: &Metric<'_>, dialect: Dialect) -> Option<(Kind, Vec<Vec<u8>>, Option<u64>)> {
    let mut line = [metric.name, b":", metric.values.bytes, b"|", metric.kind.symbol().as_bytes()].concat();
    for (letter, field) in [
        (&b"|#"[..], metric.tags),
        (b"|c:", metric.local),
        (b"|e:", metric.external),
        (b"|card:", metric.cardinality),
    ] {
        line.extend_from_slice(letter);
        line.extend_from_slice(field);
    }
    if let Some(time) = metric.timestamp {
        line.extend_from_slice(format!("|T{time}").as_bytes());
    }
    // An empty field, so that a CR that ends a field does not stand before the LF.
    line.extend_from_slice(b"|\n");
    match messages(&line, dialect).next()? {
        Ok(Line::Metric(again)) => Some(without_oddities(again)),
        Ok(Line::Event(_) | Line::Check(_)) | Err(_) => None,
    }
}

/// Remarks and the weight are not written again.
fn without_oddities(metric: Metric<'_>) -> (Kind, Vec<Vec<u8>>, Option<u64>) {
    let slices =
        [metric.name, metric.values.bytes, metric.tags, metric.local, metric.external, metric.cardinality];
    (metric.kind, slices.map(<[u8]>::to_vec).to_vec(), metric.timestamp)
}

fn assert_form(metric: &Metric<'_>, dialect: Dialect, form: &mut Form) {
    let limits = FormLimits { name_bytes: 40, tag_bytes: 20, tags: 5 };
    let read = form::read_into(metric, dialect, &limits, form);
    let mut fresh = Form::default();
    assert_eq!(form::read_into(metric, dialect, &limits, &mut fresh), read);
    assert!(
        origin_tags(metric.local, metric.external)
            .all(|(_, tag)| tag.split_once(':').is_some_and(|(_, value)| !value.is_empty()))
    );
    if read.is_err() {
        return;
    }
    assert_eq!((&form.name, &form.tags, form.remarks), (&fresh.name, &fresh.tags, fresh.remarks));
    assert!(!form.name.is_empty() && form.name.len() <= limits.name_bytes);
    assert!(!form.name.contains(|c: char| c.is_control() || c == '|' || c == ':'));
    assert!(form.tags.len() <= limits.tags && form.tags.iter().all(|tag| tag.len() <= limits.tag_bytes));
    assert!(form.tags.iter().all(|tag| !tag.contains(char::is_control)));
    assert_tags(&form.tags);
    form.add_origin(metric, Some("75a"), &limits);
    assert_tags(&form.tags);
}

/// Sorted, no duplicates, none empty.
fn assert_tags(tags: &[String]) {
    assert!(tags.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(tags.iter().all(|tag| !tag.is_empty()));
}

fn std_parse(bytes: &[u8]) -> Option<f64> {
    std::str::from_utf8(bytes).ok()?.parse().ok().filter(|value: &f64| value.is_finite())
}

fn assert_value(bytes: &[u8]) {
    assert_eq!(value::parse(bytes).map(f64::to_bits), std_parse(bytes).map(f64::to_bits));
}

/// Without events, whose text may hold LF, every line means the same alone as among its neighbours.
fn assert_lines_are_alone(packet: &[u8], dialect: Dialect) {
    if packet.windows(3).any(|window| window == b"_e{") {
        return;
    }
    let alone = packet.split_inclusive(|byte| *byte == b'\n').flat_map(|line| messages(line, dialect));
    assert_eq!(messages(packet, dialect).collect::<Vec<_>>(), alone.collect::<Vec<_>>());
}
