//! v0.3, v0.4, v0.7 and JSON.

use super::*;

/// A span that has everything.
pub(super) fn full() -> Body {
    Body::default()
        .map(15)
        .texts(&["service", "shop", "name", "web.request", "resource", "GET /", "type", "web"])
        .text("trace_id")
        .uint(u64::MAX)
        .text("span_id")
        .uint(2)
        .text("parent_id")
        .uint(1)
        .text("start")
        .uint(1_700_000_000_000_000_000)
        .text("duration")
        .int(1_000)
        .text("error")
        .int(1)
        .text("meta")
        .map(2)
        .texts(&["env", "prod", "_dd.p.tid", "640cfd8d00000000"])
        .text("metrics")
        .map(2)
        .text("_sampling_priority_v1")
        .int(2)
        .text("x")
        .float(0.5)
        .text("meta_struct")
        .map(1)
        .text("appsec")
        .bytes(&[0x80])
        .text("span_links")
        .array(1)
        .map(6)
        .text("trace_id")
        .uint(3)
        .text("trace_id_high")
        .uint(4)
        .text("span_id")
        .uint(5)
        .text("attributes")
        .map(1)
        .texts(&["link.name", "l"])
        .texts(&["tracestate", "dd=s:1", "flags"])
        .uint(0x8000_0001)
        .text("span_events")
        .array(1)
        .map(3)
        .text("time_unix_nano")
        .float(1.7e18)
        .texts(&["name", "exception", "attributes"])
        .map(6)
        .text("s")
        .map(2)
        .text("type")
        .int(0)
        .texts(&["string_value", "v"])
        .text("b")
        .map(2)
        .text("type")
        .int(1)
        .text("bool_value")
        .bool(true)
        .text("i")
        .map(2)
        .text("type")
        .int(2)
        .text("int_value")
        .int(-7)
        .text("d")
        .map(2)
        .text("type")
        .int(3)
        .text("double_value")
        .float(1.5)
        .text("a")
        .map(2)
        .text("type")
        .int(4)
        .text("array_value")
        .map(1)
        .text("values")
        .array(1)
        .map(2)
        .text("type")
        .int(2)
        .text("int_value")
        .int(1)
        .texts(&["plain", "text"])
}

pub(super) fn full_span() -> Span<'static> {
    Span {
        service: "shop".into(),
        name: "web.request".into(),
        resource: "GET /".into(),
        kind: "web".into(),
        trace_id: u64::MAX,
        trace_id_high: 0,
        span_id: 2,
        parent_id: 1,
        start: 1_700_000_000_000_000_000,
        duration: 1_000,
        error: 1,
        meta: vec![("env".into(), "prod".into()), ("_dd.p.tid".into(), "640cfd8d00000000".into())],
        metrics: vec![("_sampling_priority_v1".into(), 2.0), ("x".into(), 0.5)],
        meta_struct: vec![("appsec".into(), vec![0x80].into())],
        links: vec![Link {
            trace_id: 3,
            trace_id_high: 4,
            span_id: 5,
            attributes: vec![("link.name".into(), "l".into())],
            tracestate: "dd=s:1".into(),
            flags: 0x8000_0001,
        }],
        events: vec![Event {
            time_ns: 1_700_000_000_000_000_000,
            name: "exception".into(),
            attributes: vec![
                ("s".into(), Value::Text("v".into())),
                ("b".into(), Value::Bool(true)),
                ("i".into(), Value::Int(-7)),
                ("d".into(), Value::Double(1.5)),
                ("a".into(), Value::List(vec![Value::Int(1)])),
                ("plain".into(), Value::Text("text".into())),
            ],
        }],
    }
}

pub(super) fn v04() -> Vec<u8> {
    let span = full().0;
    let mut body = Body::default().array(2).array(2);
    body.0.extend_from_slice(&span);
    body.0.extend_from_slice(&span);
    body.array(1).map(1).text("service").text("other").0
}

pub(super) fn v07() -> Vec<u8> {
    let mut body = Body::default()
        .map(11)
        .texts(&["container_id", "c1", "language_name", "go", "language_version", "1.22"])
        .text("chunks")
        .array(2)
        .map(6)
        .text("priority")
        .int(-1)
        .texts(&["origin", "lambda", "tags"])
        .map(1)
        .texts(&["_dd.p.dm", "-4", "dropped_trace"])
        .bool(true)
        .text("unknown")
        .nil()
        .text("spans")
        .array(1);
    body.0.extend_from_slice(&full().0);
    body.map(1)
        .text("priority")
        .int(-128)
        .texts(&["tracer_version", "v2", "runtime_id", "r1", "env", "prod", "hostname", "h1"])
        .texts(&["app_version", "1.0", "tags"])
        .map(1)
        .texts(&["k", "v", "extra"])
        .array(1)
        .map(1)
        .uint(1)
        .nil()
        .0
}

#[test]
fn a_span_of_v04_comes_whole() {
    let traces = read(Format::V04, &v04()).unwrap();
    assert_eq!(traces.len(), 2);
    assert_eq!(traces[0].spans, [full_span(), full_span()]);
    assert_eq!(traces[1].spans, [Span { service: "other".into(), ..Span::default() }]);
}

#[test]
fn a_payload_of_v07_comes_whole_though_the_sender_stands_behind_the_chunks() {
    let budget = Budget::new(1 << 20);
    let mut room = Room::new(&budget);
    let body = v07();
    let payload = v07::Payload::read(&body, &mut room).unwrap();
    assert_eq!(
        payload.sender,
        Sender {
            container_id: "c1".into(),
            language: "go".into(),
            language_version: "1.22".into(),
            tracer_version: "v2".into(),
            runtime_id: "r1".into(),
            env: "prod".into(),
            hostname: "h1".into(),
            app_version: "1.0".into(),
            tags: vec![("k".into(), "v".into())],
        }
    );
    let traces = read(Format::V07, &body).unwrap();
    assert_eq!(
        traces,
        [
            Trace {
                priority: Some(-1),
                origin: "lambda".into(),
                tags: vec![("_dd.p.dm".into(), "-4".into())],
                dropped: true,
                spans: vec![full_span()],
            },
            Trace::default()
        ]
    );
}

#[test]
fn odd_clients_are_understood() {
    let body = Body::default()
        .array(3)
        .nil()
        .array(2)
        .nil()
        .map(16)
        .text("service")
        .nil()
        .text("name")
        .bytes(b"bin")
        .text("resource")
        .broken(b"a\xffb")
        .text("trace_id")
        .int(-1)
        .text("span_id")
        .float(7.0)
        .text("parent_id")
        .nil()
        .text("start")
        .float(1e18)
        .text("duration")
        .uint(u64::MAX)
        .text("error")
        .bool(true)
        .text("meta")
        .map(1)
        .text("k")
        .nil()
        .text("metrics")
        .map(2)
        .text("u")
        .uint(3)
        .text("n")
        .nil()
        .text("meta_struct")
        .nil()
        .text("span_links")
        .nil()
        .text("span_events")
        .array(1)
        .nil()
        .text("type")
        .text("web")
        .text("unknown")
        .map(1)
        .nil()
        .array(2)
        .uint(1)
        .map(0)
        .map(0);
    let body = body.0;
    // The last map stands where a trace is due.
    assert!(matches!(read(Format::V04, &body), Err(Refused::Malformed { .. })));
    let mut body = body;
    *body.last_mut().unwrap() = 0x90;
    let traces = read(Format::V04, &body).unwrap();
    assert_eq!(traces.iter().map(|trace| trace.spans.len()).collect::<Vec<_>>(), [0, 1, 0]);
    assert_eq!(
        traces[1].spans[0],
        Span {
            name: "bin".into(),
            resource: "a\u{fffd}b".into(),
            kind: "web".into(),
            trace_id: u64::MAX,
            span_id: 7,
            start: 1_000_000_000_000_000_000,
            duration: -1,
            error: 1,
            meta: vec![("k".into(), "".into())],
            metrics: vec![("u".into(), 3.0), ("n".into(), 0.0)],
            ..Span::default()
        }
    );
    assert_eq!(read(Format::V04, &Body::default().nil().0), Ok(vec![]));
}

#[test]
fn json_is_read_like_msgpack() {
    let body = br#" [[{"service":"shop","name":null,"trace_id":18446744073709551615,"span_id":-1,
        "start":1.7e18,"meta":{"k":"\u00e9"},"metrics":{"i":1,"f":0.5},"error":0,"new":[{"a":[]}],
        "span_events":[{"name":"e","time_unix_nano":5,"attributes":{"a":{"type":2,"int_value":3}}}]}],
        null, []] trailing"#;
    let traces = read(Format::Json, body).unwrap();
    assert_eq!(traces.iter().map(|trace| trace.spans.len()).collect::<Vec<_>>(), [1, 0, 0]);
    assert_eq!(
        traces[0].spans[0],
        Span {
            service: "shop".into(),
            trace_id: u64::MAX,
            span_id: u64::MAX,
            start: 1_700_000_000_000_000_000,
            meta: vec![("k".into(), "é".into())],
            metrics: vec![("i".into(), 1.0), ("f".into(), 0.5)],
            events: vec![Event {
                time_ns: 5,
                name: "e".into(),
                attributes: vec![("a".into(), Value::Int(3))]
            }],
            ..Span::default()
        }
    );
    for (body, wanted) in [
        (&b""[..], "no JSON: EOF while parsing a value at line 1 column 0"),
        (b"[[{]]", "no JSON: key must be a string at line 1 column 4"),
        (b"[[{\"service\":1}]]", "an integer where a string is due, at byte 24"),
        (b"{}", "a map where an array is due, at byte 5"),
    ] {
        assert_eq!(read(Format::Json, body).unwrap_err().to_string(), wanted);
    }
    let broken = [b"[[{\"name\":\"a".as_slice(), b"\xff", b"\"}]]"].concat();
    assert_eq!(read(Format::Json, &broken).unwrap()[0].spans[0].name, "a\u{fffd}");
}

#[test]
fn of_a_key_written_twice_the_last_counts() {
    for many in [0, 100] {
        let filler: String = (0..many).map(|n| format!("\"k{n}\":\"x\",")).collect();
        let body = format!("[[{{\"trace_id\":1,\"meta\":{{\"a\":\"1\",{filler}\"b\":\"2\",\"a\":\"3\"}}}}]]");
        let traces = read(Format::Json, body.as_bytes()).unwrap();
        let meta = &traces[0].spans[0].meta;
        assert_eq!(meta.len(), many + 2);
        let found: Vec<_> =
            meta.iter().filter(|(key, _)| key == "a").map(|(_, value)| value.as_ref()).collect();
        assert_eq!(found, ["3"]);
    }
}
