//! v1.0.

use super::*;

/// The sender's fields, then chunks, in which known strings come as indices.
pub(super) fn v1(late: bool) -> Vec<u8> {
    let mut body = Body::default().map(if late { 7 } else { 6 });
    body = body.uint(2).text("c1").uint(3).text("go").uint(7).text("prod");
    body = body.uint(99).array(1).text("unknown");
    body = body.uint(10).array(3).text("k").uint(1).uint(1);
    body = body.uint(11).array(2).map(9).uint(1).int(2).uint(2).text("lambda").uint(3).array(3);
    // Strings: 1 c1, 2 go, 3 prod, 4 k, 5 lambda, 6 tag.
    body = body.text("tag").uint(2).bool(true).uint(5).bool(false).uint(7).uint(4).uint(4).array(1);
    body = body.map(16).uint(1).text("shop").uint(2).text("web.request").uint(3).text("GET /");
    // 7 shop, 8 web.request, 9 GET /.
    body = body.uint(4).uint(2).uint(5).uint(1).uint(6).uint(1_700_000_000_000_000_000).uint(7).uint(5);
    body = body.uint(8).bool(true).uint(10).text("web").uint(13).uint(3).uint(14).text("1.0");
    // 10 web, 11 1.0.
    body = body.uint(15).text("").uint(16).uint(2).uint(9).array(21);
    body = body.text("s").uint(1).uint(7).text("b").uint(2).bool(false).text("d").uint(3).float(0.5);
    // 12 s, 13 b, 14 d.
    body =
        body.text("i").uint(4).int(-3).text("big").uint(4).int(i64::MAX).text("raw").uint(5).bytes(b"\x80");
    // 15 i, 16 big, 17 raw.
    body = body.text("list").uint(6).array(4).uint(1).uint(7).uint(7).array(3).text("in").uint(4).int(1);
    // 18 list, 19 in.
    body = body.uint(11).array(1).map(5).uint(1).bytes(&[0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 3]);
    body = body.uint(2).uint(5).uint(3).array(3).uint(12).uint(1).uint(13);
    body = body.uint(4).text("dd=s:1").uint(5).uint(1);
    // 20 dd=s:1.
    body = body.uint(12).array(1).map(3).uint(1).uint(9).uint(2).text("exception").uint(3).array(6);
    // 21 exception.
    body = body.uint(14).uint(6).array(2).uint(4).int(1).uint(15).uint(1).uint(0);
    body = body.uint(77).map(1).text("ignored").text("too").uint(78).nil();
    body = body.uint(6).bytes(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10]);
    body = body.map(0);
    if late { body.uint(9).uint(11).0 } else { body.0 }
}

fn trace() -> Trace<'static> {
    let meta = [
        ("env", "prod"),
        ("version", "1.0"),
        ("span.kind", "server"),
        ("s", "shop"),
        ("b", "false"),
        ("big", "9223372036854775807"),
        ("list", r#"["shop",{"in":1}]"#),
    ];
    Trace {
        priority: Some(2),
        origin: "lambda".into(),
        tags: vec![("tag".into(), "true".into()), ("_dd.p.dm".into(), "-4".into())],
        dropped: false,
        spans: vec![Span {
            service: "shop".into(),
            name: "web.request".into(),
            resource: "GET /".into(),
            kind: "web".into(),
            trace_id: 10,
            trace_id_high: 1 << 56,
            span_id: 2,
            parent_id: 1,
            start: 1_700_000_000_000_000_000,
            duration: 5,
            error: 1,
            meta: meta.map(|(key, value)| (text(key), text(value))).to_vec(),
            metrics: vec![("d".into(), 0.5), ("i".into(), -3.0)],
            meta_struct: vec![("raw".into(), vec![0x80].into())],
            links: vec![Link {
                trace_id: 3,
                trace_id_high: 4,
                span_id: 5,
                attributes: vec![("s".into(), "b".into())],
                tracestate: "dd=s:1".into(),
                flags: 1,
            }],
            events: vec![Event {
                time_ns: 9,
                name: "exception".into(),
                attributes: vec![
                    ("d".into(), Value::List(vec![Value::Int(1)])),
                    ("i".into(), Value::Text("".into())),
                ],
            }],
        }],
    }
}

#[test]
fn a_payload_of_v1_comes_whole_wherever_the_sender_stands() {
    for late in [false, true] {
        let body = v1(late);
        let budget = Budget::new(1 << 20);
        let payload = v1::Payload::read(&body, &mut Room::new(&budget)).unwrap();
        assert_eq!(
            payload.sender,
            Sender {
                container_id: "c1".into(),
                language: "go".into(),
                env: "prod".into(),
                app_version: if late { "1.0".into() } else { "".into() },
                tags: vec![("k".into(), "c1".into())],
                ..Sender::default()
            }
        );
        assert_eq!(read(Format::V1, &body), Ok(vec![trace(), Trace::default()]));
    }
}

#[test]
fn strings_of_v1_are_counted_once_and_repaired() {
    let body = Body::default().map(2).uint(1).array(3).text("").text("a").broken(b"\xff").uint(11).array(1);
    let body = body.map(2).uint(6).bytes(&[1]).uint(4).array(1).map(4).uint(1).uint(2);
    // The same text again is no new string.
    let body = body.uint(2).text("a").uint(3).text("b").uint(10).uint(3).0;
    let span = &read(Format::V1, &body).unwrap()[0].spans[0];
    assert_eq!((&*span.service, &*span.name, &*span.resource, &*span.kind), ("\u{fffd}", "a", "b", "b"));
    assert_eq!((span.trace_id, span.trace_id_high), (1, 0));
}

#[test]
fn faults_of_v1_have_their_reasons() {
    let attributes = |length| Body::default().map(1).uint(10).array(length);
    let nested = (0..60).fold(attributes(3).text("k"), |body, _| body.uint(6).array(2)).uint(2).bool(true);
    for (body, wanted) in [
        (Body::default().map(1).uint(2).uint(1), "a string has the index 1, but only 1 are known, at byte 3"),
        (
            attributes(2).nil().nil(),
            "a list of attributes has 2 elements, which is no multiple of 3, at byte 3",
        ),
        (attributes(3).text("k").uint(9).nil(), "an attribute has the unknown type 9, at byte 6"),
        (nested, "an attribute is nested too deeply, at byte 71"),
        (
            Body::default().map(2).uint(2).text("a").uint(1).array(0),
            "the table of strings does not come first, at byte 5",
        ),
        (Body::default().map(1).uint(2).map(0), "a map where a string or its index is due, at byte 3"),
    ] {
        assert_eq!(read(Format::V1, &body.0).unwrap_err().to_string(), wanted);
    }
}
