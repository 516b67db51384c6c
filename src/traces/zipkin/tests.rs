use super::to_otlp::Builder;
use super::*;
use crate::otlp::budget::Budget;
use crate::otlp::chunk::Chunk;
use crate::otlp::protobuf::Writer;
use crate::otlp::view::{ResourceSpans, Value};
use proptest::prelude::*;
use std::convert::Infallible;

fn spans(body: &[u8]) -> Vec<Span<'_>> {
    let mut spans = Vec::new();
    let take = |span| {
        spans.push(span);
        Ok::<(), Infallible>(())
    };
    let Ok(()) = json::read(body, take).unwrap();
    spans
}

fn chunks(spans: &[Span<'_>]) -> Vec<Chunk> {
    let budget = Budget::new(64 << 20);
    let mut builder = Builder::new(&budget);
    spans.iter().for_each(|span| builder.span(span).unwrap());
    builder.finish()
}

/// Through OTLP and back, as JSON.
fn through(spans: &[Span<'_>]) -> Vec<u8> {
    let mut out = vec![b'['];
    for chunk in chunks(spans) {
        assert_eq!(from_otlp::write(&chunk.bytes, &mut out), u64::from(chunk.items));
    }
    out.push(b']');
    out
}

const EVERYTHING: &str = r#"[{
    "traceId":"5af7183fb1d4cf5f4bf92f3577b34da6","id":"352bff9a74ca9ad2","parentId":"6b221d5bc9e6496c",
    "name":"get /api","kind":"SERVER","timestamp":1556604172355737,"duration":1431,"debug":true,"shared":true,
    "localEndpoint":{"serviceName":"backend","ipv4":"192.168.99.1","ipv6":"2001:db8::1","port":3306},
    "remoteEndpoint":{"serviceName":"mysql","ipv4":"172.19.0.2","port":58648},
    "annotations":[{"timestamp":1556604172355800,"value":"cache miss"}],
    "tags":{"http.method":"GET","error":"timeout","w3c.tracestate":"a=b","w3c.traceflags":"01","peer.service":"x"}
}]"#;

#[test]
fn a_span_with_everything_as_otlp() {
    let spans = spans(EVERYTHING.as_bytes());
    let chunks = chunks(&spans);
    let view = ResourceSpans::read(&chunks[0].bytes);
    assert_eq!(view.resource.attributes.text("service.name"), Some("backend"));
    let span = view.scopes().next().unwrap().spans().next().unwrap();
    assert_eq!(span.trace_id[..2], [0x5a, 0xf7]);
    assert_eq!((span.kind, span.status, span.status_message), (2, 2, "timeout"));
    assert_eq!((span.trace_state, span.flags, span.name), ("a=b", 1, "get /api"));
    assert_eq!(span.start_ns, 1_556_604_172_355_737_000);
    assert_eq!(span.end_ns - span.start_ns, 1_431_000);
    assert_eq!(span.attributes.text("network.local.address"), Some("192.168.99.1"));
    assert_eq!(span.attributes.text("network.peer.address"), Some("172.19.0.2"));
    assert!(matches!(span.attributes.get("network.peer.port"), Some(Value::Int(58648))));
    assert_eq!(span.attributes.text("peer.service"), Some("mysql"));
    assert_eq!(span.attributes.text("zipkin.tag.peer.service"), Some("x"));
    let event = span.events().next().unwrap();
    assert_eq!((event.name, event.time_ns), ("cache miss", 1_556_604_172_355_800_000));
}

#[test]
fn a_span_with_everything_comes_back() {
    let before = spans(EVERYTHING.as_bytes());
    let text = through(&before);
    assert_same(&before, &spans(&text));
}

#[test]
fn odd_bodies_are_taken() {
    let odd = br#"[{"traceId":"a","id":"B","parentId":"0000000000000000","kind":null,"tags":{"n":1,"b":true,"x":null,"o":{"a":[1]}},
        "timestamp":1.5e3,"unknown":[{}],"localEndpoint":null,"duration":0}]"#;
    let odd = spans(odd);
    assert_eq!(odd[0].trace_id[15], 10);
    assert_eq!(odd[0].id[7], 11);
    assert_eq!(odd[0].parent_id, None);
    assert_eq!(odd[0].timestamp, 1_500);
    assert_eq!(odd[0].tags, [("n".into(), "1".into()), ("b".into(), "true".into())]);
    assert!(spans(b"[]").is_empty());
}

#[test]
fn bad_bodies_say_where() {
    let cases = [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("{}", "invalid type: map, expected an array of Zipkin spans at line 1 column 0"),
        ("[{\"id\":\"1\"}]", "span 0: `traceId` is missing at line 1 column 11"),
        ("[{\"traceId\":\"xyz\",\"id\":\"1\"}]", "span 0: `traceId` is not hexadecimal at line 1 column 27"),
        ("[{\"traceId\":\"0\",\"id\":\"1\"}]", "span 0: `traceId` is zero at line 1 column 25"),
        (
            "[{\"traceId\":\"1\",\"id\":\"12345678901234567\"}]",
            "span 0: `id` has 17 hex digits instead of 1 to 16 at line 1 column 41",
        ),
        ("[] x", "trailing characters at line 1 column 4"),
    ];
    for (body, expected) in cases {
        let read = json::read(body.as_bytes(), |_| Ok::<(), Infallible>(()));
        let text = read.unwrap_err().to_string();
        assert!(text.starts_with(expected.split(" at line").next().unwrap()), "{body}: {text}");
    }
    let deep = "[".repeat(100_000);
    assert!(json::read(deep.as_bytes(), |_| Ok::<(), Infallible>(())).is_err());
    let deep = format!("[{{\"x\":{}", "[".repeat(100_000));
    assert!(json::read(deep.as_bytes(), |_| Ok::<(), Infallible>(())).is_err());
}

#[test]
fn what_the_budget_cannot_hold_ends_the_request() {
    let budget = Budget::new(1 << 10);
    let all = spans(EVERYTHING.as_bytes());
    let mut builder = Builder::new(&budget);
    assert_eq!(builder.span(&all[0]), Err(to_otlp::NoBudget));
    drop(builder);
    assert_eq!(budget.held(), 0);
}

#[test]
fn otlp_without_a_zipkin_past_becomes_tags() {
    use crate::otlp::write::{self, SPAN_ATTRIBUTES, SpanHead};
    let mut to = Writer::new();
    write::resource(&mut to, |to| {
        write::text(to, 1, "service.name", "shop");
        write::text(to, 1, "host.name", "h1");
    });
    let scope = write::begin_scope(&mut to, "lib", "1.0", |_| {});
    let head = SpanHead {
        trace_id: &[7; 16],
        span_id: &[9; 8],
        name: "pay \"now\"",
        kind: 3,
        start_ns: 1_000_000_001_500,
        end_ns: 1_000_000_001_900,
        ..SpanHead::default()
    };
    let span = write::begin_span(&mut to, &head);
    write::boolean(&mut to, SPAN_ATTRIBUTES, "ok", true);
    write::double(&mut to, SPAN_ATTRIBUTES, "ratio", 0.5);
    write::text(&mut to, SPAN_ATTRIBUTES, "network.peer.address", "/run/x.sock");
    let event = write::begin_event(&mut to, 5_000, "retry");
    write::integer(&mut to, 3, "n", 2);
    to.end(event);
    let link = write::begin_link(&mut to, &[1; 16], &[2; 8], "", 0);
    to.end(link);
    write::status(&mut to, 2, "no money");
    to.end(span);
    to.end(scope);
    let mut out = vec![b'['];
    assert_eq!(from_otlp::write(to.written(), &mut out), 1);
    out.push(b']');
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

#[test]
fn protobuf_reads_like_json() {
    let mut list = Writer::new();
    let span = list.begin(1, 200);
    list.bytes(1, &[0x5a; 8]);
    list.bytes(3, &[3; 8]);
    list.varint(4, 2);
    list.text(5, "get");
    list.fixed64(6, 1_000);
    list.varint(7, 20);
    let endpoint = list.begin(8, 20);
    list.text(1, "web");
    list.bytes(2, &[10, 0, 0, 1]);
    list.varint(4, 80);
    list.end(endpoint);
    let tag = list.begin(11, 10);
    list.text(1, "a");
    list.text(2, "b");
    list.end(tag);
    list.end(span);
    let mut read = Vec::new();
    let take = |span| {
        read.push(span);
        Ok::<(), Infallible>(())
    };
    let Ok(()) = protobuf::read(list.written(), take).unwrap();
    let json = br#"[{"traceId":"5a5a5a5a5a5a5a5a","id":"0303030303030303","kind":"SERVER","name":"get","timestamp":1000,
        "duration":20,"localEndpoint":{"serviceName":"web","ipv4":"10.0.0.1","port":80},"tags":{"a":"b"}}]"#;
    assert_eq!(read, spans(json));
    for length in 0..list.len() {
        let _ = protobuf::read(&list.written()[..length], |_| Ok::<(), Infallible>(()));
    }
}

/// The same but for the order of tags and of spans of different services.
fn assert_same(before: &[Span<'_>], after: &[Span<'_>]) {
    let sorted = |spans: &[Span<'_>]| {
        let mut spans: Vec<Span<'static>> = spans.iter().map(owned).collect();
        spans.iter_mut().for_each(|span| span.tags.sort());
        spans.sort_by_key(|span| (span.trace_id, span.id, format!("{span:?}")));
        spans
    };
    assert_eq!(sorted(before), sorted(after));
}

fn owned(span: &Span<'_>) -> Span<'static> {
    let text = |text: &Cow<'_, str>| Cow::Owned(text.to_string());
    let endpoint = |endpoint: &Endpoint<'_>| Endpoint {
        service: text(&endpoint.service),
        ipv4: text(&endpoint.ipv4),
        ipv6: text(&endpoint.ipv6),
        port: endpoint.port,
    };
    Span {
        name: text(&span.name),
        local: endpoint(&span.local),
        remote: endpoint(&span.remote),
        annotations: span.annotations.iter().map(|(time, value)| (*time, text(value))).collect(),
        tags: span.tags.iter().map(|(name, value)| (text(name), text(value))).collect(),
        ..Span {
            tags: vec![],
            annotations: vec![],
            name: "".into(),
            local: Endpoint::default(),
            remote: Endpoint::default(),
            ..*span
        }
    }
}

fn any_endpoint() -> impl Strategy<Value = Endpoint<'static>> {
    let ipv4 = prop_oneof![
        Just(String::new()),
        any::<[u8; 4]>().prop_map(|ip| std::net::Ipv4Addr::from(ip).to_string())
    ];
    let ipv6 = prop_oneof![
        Just(String::new()),
        any::<[u8; 16]>().prop_map(|ip| std::net::Ipv6Addr::from(ip).to_string())
    ];
    (".{0,5}", ipv4, ipv6, any::<u16>()).prop_map(|(service, ipv4, ipv6, port)| Endpoint {
        service: service.into(),
        ipv4: ipv4.into(),
        ipv6: ipv6.into(),
        port,
    })
}

fn any_span() -> impl Strategy<Value = Span<'static>> {
    let name = prop_oneof![
        "[a-z.]{1,6}",
        proptest::sample::select(&key::TAKEN[..]).prop_map(str::to_owned),
        Just("zipkin.tag.x".to_owned()),
        Just("error".to_owned()),
        Just("otel.status_code".to_owned()),
        Just("w3c.traceflags".to_owned()),
    ];
    let tags = proptest::collection::btree_map(name, ".{0,8}", 0..6);
    let kinds = [Kind::None, Kind::Client, Kind::Server, Kind::Producer, Kind::Consumer];
    let head = (
        1_u128..,
        1_u64..,
        proptest::option::of(1_u64..),
        ".{0,9}",
        proptest::sample::select(kinds.to_vec()),
    );
    // Nanoseconds have to fit into 64 bits.
    let times = (0_u64..(1 << 53), 0_u64..(1 << 43), any::<bool>(), any::<bool>());
    let annotations = proptest::collection::vec((0_u64..(1 << 53), ".{0,8}"), 0..3);
    (head, times, any_endpoint(), any_endpoint(), annotations, tags).prop_map(
        |(
            (trace, id, parent, name, kind),
            (timestamp, duration, debug, shared),
            local,
            remote,
            annotations,
            tags,
        )| Span {
            trace_id: trace.to_be_bytes(),
            id: id.to_be_bytes(),
            parent_id: parent.map(u64::to_be_bytes),
            name: name.into(),
            kind,
            timestamp,
            duration,
            debug,
            shared,
            local,
            remote,
            annotations: annotations.into_iter().map(|(time, value)| (time, value.into())).collect(),
            tags: tags.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
        },
    )
}

proptest! {
    #[test]
    fn a_round_trip_changes_nothing(before in proptest::collection::vec(any_span(), 0..4)) {
        let text = through(&before);
        assert_same(&before, &spans(&text));
    }

    #[test]
    fn a_span_takes_no_more_than_its_bound(span in any_span()) {
        let mut to = Writer::new();
        to_otlp::write_span(&mut to, &span);
        prop_assert!(to.len() <= to_otlp::bound(&span));
    }

    #[test]
    fn any_bytes_end_somehow(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = json::read(&bytes, |_| Ok::<(), Infallible>(()));
        let _ = protobuf::read(&bytes, |_| Ok::<(), Infallible>(()));
    }
}
