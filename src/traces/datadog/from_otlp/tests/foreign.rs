//! Spans that no Datadog tracer made.

use super::*;
use crate::otlp::protobuf::Writer;
use crate::otlp::write::{self, RESOURCE_ATTRIBUTES, SPAN_ATTRIBUTES, SpanHead};

/// One span with a resource of a service in an environment.
fn encoded(head: &SpanHead<'_>, content: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut to = Writer::new();
    write::resource(&mut to, |to| {
        for (key, value) in [
            ("service.name", "shop"),
            ("service.version", "2.0"),
            ("service.instance.id", "6ba7"),
            ("deployment.environment", "prod"),
            ("telemetry.sdk.language", "go"),
            ("telemetry.sdk.version", "1.3"),
            ("host.name", "web-1"),
        ] {
            write::text(to, RESOURCE_ATTRIBUTES, key, value);
        }
        write::integer(to, RESOURCE_ATTRIBUTES, "process.pid", 7);
    });
    let scope = write::begin_scope(&mut to, "net/http", "0.5", |to| {
        write::text(to, write::SCOPE_ATTRIBUTES, "team", "web");
    });
    let head = SpanHead { trace_id: &[1; 16], span_id: &[2; 8], ..*head };
    let span = write::begin_span(&mut to, &head);
    content(&mut to);
    to.end(span);
    to.end(scope);
    to.into_inner()
}

fn one(bytes: &[u8]) -> (Sender<'_>, Trace<'_>) {
    let mut payloads = payloads([bytes]);
    assert_eq!((payloads.len(), payloads[0].traces.len()), (1, 1));
    let Payload { sender, mut traces } = payloads.remove(0);
    (sender, traces.remove(0))
}

fn shown(span: &Span<'_>) -> String {
    let meta = span.meta.iter().map(|(key, value)| format!("{key}={value}\n"));
    let metrics = span.metrics.iter().map(|(key, value)| format!("{key}={value:?}\n"));
    let mut lines: Vec<String> = meta.chain(metrics).collect();
    lines.sort();
    lines.concat()
}

#[test]
fn a_span_that_has_everything() {
    let head = SpanHead {
        parent_span_id: &[3; 8],
        trace_state: "vendor=x",
        flags: 0x301,
        name: "GET /orders/{id}",
        kind: 2,
        start_ns: 1_000,
        end_ns: 3_500,
        ..SpanHead::default()
    };
    let bytes = encoded(&head, |to| {
        write::text(to, SPAN_ATTRIBUTES, "http.request.method", "GET");
        write::text(to, SPAN_ATTRIBUTES, "http.route", "/orders/{id}");
        write::text(to, SPAN_ATTRIBUTES, "http.request.header.accept", "text/html");
        write::integer(to, SPAN_ATTRIBUTES, "http.response.status_code", 500);
        write::integer(to, SPAN_ATTRIBUTES, "big", 1 << 53);
        write::integer(to, SPAN_ATTRIBUTES, "bigger", (1 << 53) + 1);
        write::boolean(to, SPAN_ATTRIBUTES, "cached", false);
        write::double(to, SPAN_ATTRIBUTES, "load", 0.5);
        write::bytes(to, SPAN_ATTRIBUTES, "raw", b"foob");
        write::pair(to, SPAN_ATTRIBUTES, "list", 9, |to| to.bytes(5, b"\x0a\x02\x18\x01\x0a\x03\x0a\x01x"));
        write::integer(to, SPAN_ATTRIBUTES, "sampling.priority", 2);
        let event = write::begin_event(to, 2_000, "exception");
        write::text(to, write::EVENT_ATTRIBUTES, "exception.type", "OutOfStock");
        write::text(to, write::EVENT_ATTRIBUTES, "exception.stacktrace", "at order");
        to.end(event);
        let link = write::begin_link(to, &[4; 16], &[5; 8], "a=b", 1);
        write::integer(to, write::LINK_ATTRIBUTES, "n", 1);
        to.end(link);
        write::status(to, 2, "no stock");
        to.varint(10, 4);
    });
    let (sender, trace) = one(&bytes);
    let span = &trace.spans[0];
    assert_eq!(
        (&*sender.language, &*sender.tracer_version, &*sender.env, &*sender.runtime_id),
        ("go", "otlp-1.3", "prod", "6ba7")
    );
    assert_eq!((&*sender.hostname, &*sender.app_version, trace.priority), ("web-1", "2.0", Some(2)));
    assert_eq!((&*span.service, &*span.name), ("shop", "http.server.request"));
    assert_eq!((&*span.resource, &*span.kind, span.error), ("GET /orders/{id}", "web", 1));
    assert_eq!(
        (span.trace_id, span.span_id, span.parent_id),
        (0x0101_0101_0101_0101, 0x0202_0202_0202_0202, 0x0303_0303_0303_0303)
    );
    assert_eq!((span.start, span.duration), (1_000, 2_500));
    let link = &span.links[0];
    assert_eq!(
        (link.trace_id, link.span_id, link.flags),
        (0x0404_0404_0404_0404, 0x0505_0505_0505_0505, FLAGS_SET | 1)
    );
    assert_eq!((&*link.tracestate, &*link.attributes), ("a=b", &[("n".into(), "1".into())][..]));
    assert_eq!((span.events[0].time_ns, &*span.events[0].name), (2_000, "exception"));
    insta::assert_snapshot!(shown(span), @r#"
_dd.p.tid=0101010101010101
_dd.span_events.has_exception=true
_sampling_priority_v1=2.0
big=9007199254740992.0
bigger=9007199254740993
cached=false
deployment.environment=prod
env=prod
error.message=no stock
error.msg=no stock
error.stack=at order
error.type=OutOfStock
host.name=web-1
http.method=GET
http.request.headers.accept=text/html
http.route=/orders/{id}
http.status_code=500.0
list=[1,"x"]
load=0.5
otel.dropped_attributes_count=4.0
otel.library.name=net/http
otel.library.version=0.5
otel.scope.name=net/http
otel.scope.version=0.5
otel.status_code=Error
otel.status_description=no stock
otel.trace_id=01010101010101010101010101010101
process.pid=7
raw=Zm9vYg==
service.instance.id=6ba7
service.version=2.0
span.kind=server
team=web
telemetry.sdk.language=go
telemetry.sdk.version=1.3
version=2.0
w3c.traceflags=301
w3c.tracestate=vendor=x
"#);
}

/// Kind, attributes; name, type and resource.
type Case = (u32, &'static [(&'static str, &'static str)], [&'static str; 3]);

#[test]
fn names_resources_and_types() {
    let cases: [Case; 16] = [
        (0, &[], ["Internal", "GET", "custom"]),
        (2, &[], ["server.request", "GET", "web"]),
        (3, &[("network.protocol.name", "amqp")], ["amqp.client.request", "GET", "http"]),
        (3, &[("http.method", "_OTHER"), ("http.route", "/a")], ["http.client.request", "HTTP", "http"]),
        (
            3,
            &[("db.system", "postgresql"), ("db.statement", "SELECT 1")],
            ["postgresql.query", "SELECT 1", "sql"],
        ),
        (3, &[("db.system.name", "redis")], ["redis.query", "GET", "redis"]),
        (3, &[("db.system", "couchdb")], ["couchdb.query", "GET", "db"]),
        (
            4,
            &[
                ("messaging.system", "kafka"),
                ("messaging.operation", "publish"),
                ("messaging.destination.name", "t"),
            ],
            ["kafka.publish", "publish t", "custom"],
        ),
        (
            3,
            &[("rpc.system", "grpc"), ("rpc.method", "Get"), ("rpc.service", "S")],
            ["grpc.client.request", "Get S", "http"],
        ),
        (2, &[("rpc.system", "grpc")], ["grpc.server.request", "GET", "web"]),
        (3, &[("rpc.system", "aws-api"), ("rpc.service", "s3")], ["aws.s3.request", "GET", "http"]),
        (3, &[("rpc.system", "aws-api")], ["aws.client.request", "GET", "http"]),
        (3, &[("faas.invoked_provider", "aws"), ("faas.invoked_name", "f")], ["aws.f.invoke", "GET", "http"]),
        (2, &[("faas.trigger", "timer")], ["timer.invoke", "GET", "web"]),
        (
            1,
            &[("graphql.operation.type", "query"), ("graphql.operation.name", "Q")],
            ["graphql.server.request", "query Q", "custom"],
        ),
        (
            5,
            &[("operation.name", "mine"), ("resource.name", "r"), ("span.type", "worker")],
            ["mine", "r", "worker"],
        ),
    ];
    for (kind, attributes, expected) in cases {
        let head = SpanHead { name: "GET", kind, ..SpanHead::default() };
        let bytes = encoded(&head, |to| {
            attributes.iter().for_each(|(key, value)| write::text(to, SPAN_ATTRIBUTES, key, value));
        });
        let (_, trace) = one(&bytes);
        let span = &trace.spans[0];
        assert_eq!([&*span.name, &*span.resource, &*span.kind], expected, "{attributes:?}");
        assert_eq!(trace.priority, Some(AUTO_KEEP));
    }
}

#[test]
fn an_error_without_words_tells_its_http_status() {
    let bytes = encoded(&SpanHead::default(), |to| {
        write::integer(to, SPAN_ATTRIBUTES, "http.response.status_code", 404);
        write::status(to, 2, "");
    });
    let (_, trace) = one(&bytes);
    let message = trace.spans[0].meta.iter().find(|(key, _)| key == "error.message");
    assert_eq!(message.map(|(_, text)| &**text), Some("404 Not Found"));
}
