//! v0.5.

use super::*;

pub(super) fn v05() -> Vec<u8> {
    let span = |body: Body| {
        body.array(12)
            .uint(1)
            .uint(2)
            .uint(3)
            .uint(10)
            .int(-1)
            .uint(1)
            .int(1_700_000_000_000_000_000)
            .int(5)
            .int(1)
            .map(2)
            .uint(4)
            .uint(5)
            .uint(6)
            .uint(7)
            .map(2)
            .uint(8)
            .float(0.5)
            .uint(8)
            .uint(2)
            .uint(0)
    };
    let body = Body::default().array(2).array(9).text("").text("shop").text("web.request").broken(b"\xffGET");
    let body = body.texts(&["env", "prod", "_dd.span_links", "[{}]"]).bytes(b"x").array(2).array(2);
    span(span(body)).array(0).0
}

#[test]
fn a_span_of_v05_comes_whole() {
    let traces = read(Format::V05, &v05()).unwrap();
    let span = Span {
        service: "shop".into(),
        name: "web.request".into(),
        resource: "\u{fffd}GET".into(),
        trace_id: 10,
        span_id: u64::MAX,
        parent_id: 1,
        start: 1_700_000_000_000_000_000,
        duration: 5,
        error: 1,
        meta: vec![("env".into(), "prod".into()), ("_dd.span_links".into(), "[{}]".into())],
        metrics: vec![("x".into(), 0.5), ("x".into(), 2.0)],
        ..Span::default()
    };
    assert_eq!(traces, [Trace { spans: vec![span.clone(), span], ..Trace::default() }, Trace::default()]);
}

#[test]
fn faults_of_v05_have_their_reasons() {
    let index = Body::default().array(2).array(1).text("").array(1).array(1).array(12).uint(1).0;
    let few = Body::default().array(2).array(0).array(1).array(1).array(11).array(0).array(0).0;
    for (body, wanted) in [
        (index, "a length is larger than what is left of the body, at byte 6"),
        (few, "a length is larger than what is left of the body, at byte 5"),
        (Body::default().array(0).0, "the body ends inside a value, at byte 1"),
        (Body::default().array(2).map(0).array(0).0, "a map where an array is due, at byte 2"),
        (
            [&[0x92, 0x90, 0x91, 0x91, 0x9b][..], &[0xc0; 11]].concat(),
            "a span has 11 elements instead of 12, at byte 5",
        ),
        (
            [&[0x92, 0x91, 0xa0, 0x91, 0x91, 0x9c, 0x01][..], &[0xc0; 11]].concat(),
            "a string has the index 1, but only 1 are known, at byte 7",
        ),
    ] {
        assert_eq!(read(Format::V05, &body).unwrap_err().to_string(), wanted);
    }
    // What Java's tracer asks with.
    assert_eq!(read(Format::V05, &[0x92, 0x90, 0x90]), Ok(vec![]));
}
