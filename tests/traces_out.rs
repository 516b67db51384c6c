//! What leaves for Datadog and for Zipkin, as a real HTTP server gets it: paths, headers, and bodies read by
//! decoders that are not ours. The mapping is that of docs/traces.md.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod harness;

use harness::books::expect_books;
use harness::full::{full_datadog, full_otlp, full_zipkin};
use harness::http::post;
use harness::post::{START, datadog, datadog_of, otlp, otlp_of, zipkin, zipkin_of};
use harness::recorder::{Heard, Recorder, Reply};
use harness::{Agent, Setup};
use libdd_trace_protobuf::pb;
use prost::Message;
use serde_json::{Value, json};

const KEY: &str = "0123456789abcdef0123456789abcdef";
/// Every request is a batch of its own, and repetitions come soon.
const PROMPT: &str = "[traces]\nbatch_age = \"0s\"\n";
const SOON: &str = "retry_initial = \"10ms\"\nretry_max = \"20ms\"\n";

/// An agent with one backend.
fn agent(kind: &str, recorder: &Recorder, more: &str) -> Agent {
    let key = if kind == "datadog" {
        format!("api_key = \"{KEY}\"\nhostname = \"web-9\"\n")
    } else {
        String::new()
    };
    let backend = format!(
        "[backends.out]\ntype = \"{kind}\"\nendpoint = \"{}\"\n{key}{SOON}{more}\n{PROMPT}",
        recorder.url()
    );
    Setup::new().toml(backend).start()
}

fn books(received: u64, sent: u64, dropped: Value) -> Value {
    let out = json!({ "sent": sent, "dropped": dropped, "waiting": 0, "in_flight": 0 });
    json!({ "received": received, "pending": 0, "no_backend": 0, "backends": { "out": out } })
}

/// A payload of spans as Datadog gets it.
fn payload(heard: &Heard) -> pb::AgentPayload {
    assert_eq!((&*heard.method, &*heard.path), ("POST", "/api/v0.2/traces"));
    assert_eq!(heard.header("content-type"), "application/x-protobuf");
    expect_agent(heard);
    let payload = pb::AgentPayload::decode(&*heard.content()).unwrap();
    assert_eq!((&*payload.host_name, &*payload.env), ("web-9", "none"));
    assert_eq!(payload.agent_version, env!("CARGO_PKG_VERSION"));
    payload
}

/// The headers of whatever goes to Datadog.
fn expect_agent(heard: &Heard) {
    assert_eq!(heard.header("dd-api-key"), KEY);
    assert_eq!(heard.header("dd-agent-version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(heard.header("user-agent"), concat!("pillion/", env!("CARGO_PKG_VERSION")));
    assert_eq!(heard.header("content-length"), heard.body.len().to_string());
}

fn only_span(payload: &pb::AgentPayload) -> pb::Span {
    let [tracer] = &payload.tracer_payloads[..] else { panic!("one payload: {payload:#?}") };
    let [chunk] = &tracer.chunks[..] else { panic!("one chunk: {payload:#?}") };
    let [span] = &chunk.spans[..] else { panic!("one span: {payload:#?}") };
    span.clone()
}

/// Spans as Zipkin gets them.
fn zipkin_spans(heard: &Heard) -> Value {
    assert_eq!((&*heard.method, &*heard.path), ("POST", "/api/v2/spans"));
    assert_eq!(heard.header("content-type"), "application/json");
    assert_eq!(heard.header("user-agent"), concat!("pillion/", env!("CARGO_PKG_VERSION")));
    heard.json()
}

/// A text among an event's attributes.
fn told(text: &str) -> Value {
    json!(pb::AttributeAnyValue { string_value: text.into(), ..pb::AttributeAnyValue::default() })
}

#[test]
fn otlp_leaves_for_datadog() {
    let recorder = Recorder::willing();
    let agent = agent("datadog", &recorder, "");
    assert_eq!(otlp(&agent, &full_otlp()).status, 200);
    let heard = &recorder.wait(1)[0];
    assert_eq!(heard.header("content-encoding"), "zstd", "the default");
    assert_eq!(heard.header("x-datadog-reported-languages"), "python");
    let payload = payload(heard);
    let tracer = &payload.tracer_payloads[0];
    assert_eq!(
        [
            &*tracer.language_name,
            &*tracer.tracer_version,
            &*tracer.env,
            &*tracer.hostname,
            &*tracer.app_version
        ],
        ["python", "otlp-1.45.2", "test", "web-1", "1.2.3"]
    );
    assert_eq!(tracer.chunks[0].priority, 1);
    let span = only_span(&payload);
    assert_eq!(
        json!(span),
        json!({
            "duration": 5_000_700,
            "error": 1,
            "meta": {
                "_dd.p.tid": "640cfd8d00000000",
                "_dd.span_events.has_exception": "true",
                "deployment.environment.name": "test",
                "env": "test",
                "error.message": "card declined",
                "error.msg": "card declined",
                "error.type": "ValueError",
                "host.name": "web-1",
                "http.method": "GET",
                "http.route": "/orders/{id}",
                "network.peer.address": "10.0.0.7",
                "order.id": "Bücher-7",
                "order.items": r#"["pen","book"]"#,
                "order.paid": "false",
                "otel.library.name": "checkout",
                "otel.library.version": "4.5.6",
                "otel.scope.name": "checkout",
                "otel.scope.version": "4.5.6",
                "otel.status_code": "Error",
                "otel.status_description": "card declined",
                "otel.trace_id": "640cfd8d00000000778ac6d9d5a3b001",
                "peer.service": "browser",
                "service.version": "1.2.3",
                "span.kind": "server",
                "telemetry.sdk.language": "python",
                "telemetry.sdk.version": "1.45.2",
                "version": "1.2.3",
                "w3c.traceflags": "01",
                "w3c.tracestate": "vendor=abc,other=def",
            },
            "metrics": {
                "http.status_code": 500.0,
                "network.peer.port": 4711.0,
                "order.weight": 2.25,
            },
            "name": "http.server.request",
            "parent_id": 0x3000_0000_0000_0001_u64,
            "resource": "GET /orders/{id}",
            "service": "shop",
            "span_events": [{
                "attributes": {},
                "name": "stock.checked",
                "time_unix_nano": START + 2_000,
            }, {
                "attributes": {
                    "exception.message": told("card declined"),
                    "exception.type": told("ValueError"),
                },
                "name": "exception",
                "time_unix_nano": START + 3_000,
            }],
            "span_id": 0xa2,
            "span_links": [{
                "attributes": {
                    "reason": "retry of",
                },
                "flags": 0,
                "span_id": 0xb,
                "trace_id": 10,
                "trace_id_high": 1,
                "tracestate": "a=b",
            }],
            "start": START,
            "trace_id": 0x778a_c6d9_d5a3_b001_u64,
            "type": "web",
        })
    );
    expect_books(&agent, &books(1, 1, json!({})));
    let said = agent.status().to_string() + &agent.log() + &agent.page().text;
    assert!(!said.contains(KEY), "the key is shown");
    assert_eq!(agent.stop().status.code(), Some(0));
}

/// The spans are what they were; what the intake knows of the tracer stands beside them.
#[test]
fn datadog_leaves_for_datadog() {
    for (compression, encoding) in [("none", ""), ("gzip", "gzip"), ("zstd", "zstd")] {
        let recorder = Recorder::willing();
        let agent = agent("datadog", &recorder, &format!("compression = \"{compression}\"\n"));
        let traces = full_datadog();
        assert_eq!(datadog(&agent, &traces, &[("datadog-container-id", "c0ffee")]).status, 200);
        let heard = &recorder.wait(1)[0];
        assert_eq!(heard.header("content-encoding"), encoding);
        assert_eq!(heard.header("x-datadog-reported-languages"), "python");
        let payload = payload(heard);
        let mut spans = Vec::new();
        for tracer in &payload.tracer_payloads {
            let said = [
                &*tracer.container_id,
                &*tracer.language_name,
                &*tracer.language_version,
                &*tracer.tracer_version,
            ];
            assert_eq!(said, ["c0ffee", "python", "3.14", "4.16.0"]);
            assert_eq!(tracer.env, "test");
            for chunk in &tracer.chunks {
                assert_eq!((chunk.priority, &*chunk.origin), (2, "synthetics"), "{payload:#?}");
                spans.extend(chunk.spans.clone());
            }
        }
        spans.sort_by_key(|span| span.span_id);
        assert_eq!(spans, traces[0]);
        expect_books(&agent, &books(2, 2, json!({})));
    }
}

#[test]
fn zipkin_leaves_for_datadog() {
    let recorder = Recorder::willing();
    let agent = agent("datadog", &recorder, "");
    assert_eq!(zipkin(&agent, &full_zipkin()).status, 202);
    let heard = &recorder.wait(1)[0];
    assert_eq!(heard.header("x-datadog-reported-languages"), "", "no span tells one");
    let span = only_span(&payload(heard));
    assert_eq!(
        json!(span),
        json!({
            "duration": 1_431_000,
            "error": 1,
            "meta": {
                "_dd.p.tid": "640cfd8d00000000",
                "error": "timeout",
                "error.message": "timeout",
                "error.msg": "timeout",
                "http.method": "GET",
                "network.local.address": "10.0.0.1",
                "network.peer.address": "2001:db8::2",
                "otel.status_code": "Error",
                "otel.status_description": "timeout",
                "otel.trace_id": "640cfd8d00000000778ac6d9d5a3b001",
                "peer.service": "stock",
                "span.kind": "client",
                "w3c.traceflags": "01",
                "w3c.tracestate": "vendor=abc",
                "zipkin.debug": "true",
                "zipkin.local.ipv6": "2001:db8::1",
                "zipkin.shared": "true",
                "zipkin.tag.peer.service": "also a tag",
            },
            "metrics": {
                "network.local.port": 8080.0,
                "network.peer.port": 443.0,
            },
            "name": "http.client.request",
            "parent_id": 0x3000_0000_0000_0001_u64,
            "resource": "GET",
            "service": "shop",
            "span_events": [{
                "attributes": {},
                "name": "cache miss",
                "time_unix_nano": START + 7_000,
            }],
            "span_id": 0xa2,
            "start": START,
            "trace_id": 0x778a_c6d9_d5a3_b001_u64,
            "type": "http",
        })
    );
    expect_books(&agent, &books(1, 1, json!({})));
}

/// As a tracer sends them, and as Datadog's own types read them.
#[test]
fn what_clients_counted_themselves_goes_on() {
    let recorder = Recorder::willing();
    let agent = agent("datadog", &recorder, "");
    let group = pb::ClientGroupedStats {
        service: "shop".into(),
        name: "web.request".into(),
        resource: "GET /".into(),
        hits: 7,
        errors: 2,
        duration: 12_345,
        ok_summary: vec![1, 2, 3],
        ..pb::ClientGroupedStats::default()
    };
    let bucket = pb::ClientStatsBucket {
        start: START,
        duration: 10_000_000_000,
        stats: vec![group],
        ..pb::ClientStatsBucket::default()
    };
    let counted = pb::ClientStatsPayload {
        env: "test".into(),
        version: "1.2.3".into(),
        runtime_id: "6ba7b810".into(),
        sequence: 3,
        stats: vec![bucket],
        ..pb::ClientStatsPayload::default()
    };
    let body = rmp_serde::to_vec_named(&counted).unwrap();
    let headers = [("content-type", "application/msgpack"), ("datadog-meta-lang", "python")];
    assert_eq!(post(agent.datadog(), "/v0.6/stats", &headers, &body).unwrap().status, 200);
    let heard = &recorder.wait(1)[0];
    assert_eq!((&*heard.method, &*heard.path), ("POST", "/api/v0.2/stats"));
    assert_eq!(heard.header("content-type"), "application/msgpack");
    assert_eq!(heard.header("content-encoding"), "gzip");
    expect_agent(heard);
    let payload: pb::StatsPayload = rmp_serde::from_slice(&heard.content()).unwrap();
    let wanted = pb::StatsPayload {
        agent_hostname: "web-9".into(),
        agent_env: "none".into(),
        agent_version: env!("CARGO_PKG_VERSION").into(),
        client_computed: true,
        split_payload: false,
        // What only a header says is filled in.
        stats: vec![pb::ClientStatsPayload { lang: "python".into(), ..counted }],
    };
    assert_eq!(payload, wanted);
    agent.expect("pillion_backend_sent_total", &[("signal", "stats")], 1.0);
    agent.expect("pillion_client_stats_received_total", &[], 1.0);
    agent.expect("pillion_client_stats_not_carried_total", &[], 0.0);
}

#[test]
fn otlp_leaves_for_zipkin() {
    let recorder = Recorder::willing();
    let agent = agent("zipkin", &recorder, "headers = { authorization = \"Bearer secret\" }\n");
    assert_eq!(otlp(&agent, &full_otlp()).status, 200);
    let heard = &recorder.wait(1)[0];
    assert_eq!(heard.header("content-encoding"), "", "the default");
    assert_eq!(heard.header("authorization"), "Bearer secret");
    assert_eq!(
        zipkin_spans(heard),
        json!([{
            "annotations": [{
                "timestamp": START / 1_000 + 2,
                "value": "stock.checked",
            }, {
                "timestamp": START / 1_000 + 3,
                "value": r#""exception":{"exception.type":"ValueError","exception.message":"card declined"}"#,
            }],
            "duration": 5_001,
            "id": "00000000000000a2",
            "kind": "SERVER",
            "localEndpoint": {
                "serviceName": "shop",
            },
            "name": "GET /orders/{id}",
            "parentId": "3000000000000001",
            "remoteEndpoint": {
                "ipv4": "10.0.0.7",
                "port": 4_711,
                "serviceName": "browser",
            },
            "tags": {
                "deployment.environment.name": "test",
                "error": "card declined",
                "host.name": "web-1",
                "http.request.method": "GET",
                "http.response.status_code": "500",
                "http.route": "/orders/{id}",
                "order.id": "Bücher-7",
                "order.items": r#"["pen","book"]"#,
                "order.paid": "false",
                "order.weight": "2.25",
                "otel.scope.name": "checkout",
                "otel.scope.version": "4.5.6",
                "otel.status_code": "ERROR",
                "otlp.link.0": r#"0000000000000001000000000000000a|000000000000000b|a=b|{"reason":"retry of"}"#,
                "service.version": "1.2.3",
                "telemetry.sdk.language": "python",
                "telemetry.sdk.version": "1.45.2",
                "w3c.traceflags": "01",
                "w3c.tracestate": "vendor=abc,other=def",
            },
            "timestamp": START / 1_000,
            "traceId": "640cfd8d00000000778ac6d9d5a3b001",
        }])
    );
    expect_books(&agent, &books(1, 1, json!({})));
    assert!(!(agent.status().to_string() + &agent.log()).contains("secret"));
}

#[test]
fn zipkin_leaves_for_zipkin_as_it_came() {
    for (compression, encoding) in [("none", ""), ("gzip", "gzip"), ("zstd", "zstd")] {
        let recorder = Recorder::willing();
        let agent = agent("zipkin", &recorder, &format!("compression = \"{compression}\"\n"));
        assert_eq!(zipkin(&agent, &full_zipkin()).status, 202);
        let heard = &recorder.wait(1)[0];
        assert_eq!(heard.header("content-encoding"), encoding);
        assert_eq!(zipkin_spans(heard), full_zipkin());
        expect_books(&agent, &books(1, 1, json!({})));
    }
}

#[test]
fn datadog_leaves_for_zipkin() {
    let recorder = Recorder::willing();
    let agent = agent("zipkin", &recorder, "");
    let answer = datadog(&agent, &full_datadog(), &[]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let heard = &recorder.wait(1)[0];
    let root = json!({
        "annotations": [{
            "timestamp": START / 1_000 + 2,
            "value": r#""stock.checked":{"left":2}"#,
        }, {
            "timestamp": START / 1_000 + 5_000,
            "value": r#""exception":{"exception.type":"ValueError","exception.message":"card declined","_dd.derived":true}"#,
        }],
        "duration": 5_001,
        "id": "00000000000000a2",
        "kind": "SERVER",
        "localEndpoint": {
            "serviceName": "shop",
        },
        "name": "web.request",
        "parentId": "3000000000000001",
        "tags": {
            "_dd.meta_struct.appsec": "80",
            "_dd.origin": "synthetics",
            "_dd.p.dm": "-4",
            "_dd.p.tid": "640cfd8d00000000",
            "_dd.payload.app_version": "",
            "_dd.payload.env": "",
            "_dd.payload.runtime_id": "",
            "dd.span.Resource": "GET /orders/{id}",
            "deployment.environment.name": "test",
            "env": "test",
            "error": "card declined",
            "error.message": "card declined",
            "error.type": "ValueError",
            "http.status_code": "500",
            "order.id": "Bücher-7",
            "order.items": "3",
            "order.weight": "2.25",
            "otel.scope.name": "Datadog",
            "otel.scope.version": "4.16.0",
            "otel.status_code": "ERROR",
            "otlp.link.0": r#"0000000000000001000000000000000a|000000000000000b|a=b|{"reason":"retry of"}"#,
            "process.runtime.version": "3.14",
            "runtime-id": "6ba7b810",
            "sampling.priority": "2",
            "service.instance.id": "6ba7b810",
            "service.version": "1.2.3",
            "span.kind": "server",
            "span.type": "web",
            "telemetry.sdk.language": "python",
            "telemetry.sdk.name": "Datadog",
            "telemetry.sdk.version": "4.16.0",
            "version": "1.2.3",
            "w3c.traceflags": "01",
        },
        "timestamp": START / 1_000,
        "traceId": "640cfd8d00000000778ac6d9d5a3b001",
    });
    let query = json!({
        "duration": 5_001,
        "id": "00000000000000a3",
        "kind": "CLIENT",
        "localEndpoint": {
            "serviceName": "shop-db",
        },
        "name": "postgres.query",
        "parentId": "00000000000000a2",
        "tags": {
            "_dd.payload.env": "",
            "_dd.payload.runtime_id": "",
            "dd.span.Resource": "SELECT 1",
            "deployment.environment.name": "test",
            "env": "test",
            "otel.scope.name": "Datadog",
            "otel.scope.version": "4.16.0",
            "process.runtime.version": "3.14",
            "service.instance.id": "6ba7b810",
            "span.kind": "client",
            "span.type": "sql",
            "telemetry.sdk.language": "python",
            "telemetry.sdk.name": "Datadog",
            "telemetry.sdk.version": "4.16.0",
            "w3c.traceflags": "01",
        },
        "timestamp": START / 1_000,
        "traceId": "640cfd8d00000000778ac6d9d5a3b001",
    });
    assert_eq!(zipkin_spans(heard), json!([root, query]));
    expect_books(&agent, &books(2, 2, json!({})));
}

/// The ids of the spans that a request to either backend holds, in their order.
fn ids(heard: &Heard) -> Vec<u64> {
    if heard.path.ends_with("/api/v2/spans") {
        let id = |span: &Value| u64::from_str_radix(span["id"].as_str().unwrap(), 16).unwrap();
        return heard.json().as_array().unwrap().iter().map(id).collect();
    }
    let payload = pb::AgentPayload::decode(&*heard.content()).unwrap();
    let chunks = payload.tracer_payloads.iter().flat_map(|tracer| &tracer.chunks);
    chunks.flat_map(|chunk| &chunk.spans).map(|span| span.span_id).collect()
}

#[test]
fn what_a_server_cannot_take_now_comes_again() {
    for kind in ["datadog", "zipkin"] {
        let faults = [503, 429, 500, 408];
        let recorder =
            Recorder::start(move |before, _| Reply::status(faults.get(before).copied().unwrap_or(202)));
        let agent = agent(kind, &recorder, "");
        assert_eq!(otlp(&agent, &otlp_of(1..=3)).status, 200);
        let heard = recorder.wait(5);
        for again in &heard[1..] {
            assert_eq!((&again.path, &again.body), (&heard[0].path, &heard[0].body), "{kind}");
        }
        assert_eq!(ids(&heard[4]), [1, 2, 3]);
        expect_books(&agent, &books(3, 3, json!({})));
        agent.expect("pillion_backend_retried_total", &[("backend", "out"), ("signal", "traces")], 4.0);
        // The server was told everything once more, and nothing twice.
        agent.stop();
        recorder.wait(5);
    }
}

/// A server that is not there yet is a passing fault, too.
#[test]
fn a_server_that_begins_later_gets_what_waits() {
    let port = harness::port::free();
    let toml = format!(
        "[backends.out]\ntype = \"zipkin\"\nendpoint = \"http://127.0.0.1:{port}\"\n{SOON}\n{PROMPT}"
    );
    let agent = Setup::new().toml(toml).start();
    assert_eq!(zipkin(&agent, &zipkin_of(1..=2)).status, 202);
    agent.page_with("a repetition", |page| {
        (page.sum("pillion_backend_retried_total", &[("backend", "out")]) > 0.0).then_some(())
    });
    let recorder = Recorder::at(port, |_, _| Reply::status(202));
    assert_eq!(zipkin_spans(&recorder.wait(1)[0]), zipkin_of(1..=2));
    expect_books(&agent, &books(2, 2, json!({})));
}

#[test]
fn what_a_server_refuses_is_dropped_by_its_reason_and_the_next_goes_on() {
    let cases = [
        (400, "", "poison"),
        (404, "", "poison"),
        (301, "", "poison"),
        (403, "retry_elapsed = \"0s\"\n", "unauthorized"),
        (503, "retry_elapsed = \"0s\"\n", "retries_exhausted"),
    ];
    for kind in ["datadog", "zipkin"] {
        for (status, more, reason) in cases {
            let recorder = Recorder::start(move |before, _| match before {
                0 => Reply::Now(status, "no thanks".into()),
                _ => Reply::status(200),
            });
            let agent = agent(kind, &recorder, more);
            assert_eq!(datadog(&agent, &datadog_of(1..=3), &[]).status, 200);
            let books = |received, sent| books(received, sent, json!({ reason: 3 }));
            expect_books(&agent, &books(3, 0));
            let backend = &agent.status()["backends"][0];
            let error = backend["last_error"].as_str().unwrap().to_owned();
            assert!(error.contains(&status.to_string()) && error.contains("no thanks"), "{kind}: {error}");
            assert_eq!(datadog(&agent, &datadog_of(4..=5), &[]).status, 200);
            expect_books(&agent, &books(5, 2));
            assert_eq!(
                recorder.wait(2).iter().map(ids).collect::<Vec<_>>(),
                [vec![1, 2, 3], vec![4, 5]],
                "{kind}"
            );
        }
    }
}

/// A request that is too large for the server goes in parts; a span that is too large alone is lost.
#[test]
fn what_is_too_large_for_a_server_goes_in_parts() {
    for kind in ["datadog", "zipkin"] {
        let takes = |heard: &Heard| ids(heard).len() <= 2 && !ids(heard).contains(&5);
        let recorder = Recorder::start(move |_, heard| Reply::status(if takes(heard) { 200 } else { 413 }));
        let agent = agent(kind, &recorder, "");
        assert_eq!(otlp(&agent, &otlp_of(1..=9)).status, 200);
        expect_books(&agent, &books(9, 8, json!({ "too_large": 1 })));
        let taken: Vec<u64> = recorder.heard().iter().filter(|heard| takes(heard)).flat_map(ids).collect();
        assert_eq!(taken, [1, 2, 3, 4, 6, 7, 8, 9], "{kind}: in their order, and none twice");
    }
}
