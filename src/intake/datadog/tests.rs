use super::*;
use crate::intake::http::Request;
use crate::otlp::view::ResourceSpans;
use crate::otlp::{Batch, Budget, Outlet};
use http::HeaderMap;
use parking_lot::Mutex;
use rmp::encode as mp;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A queue that keeps what comes.
#[derive(Default)]
struct Queue {
    full: AtomicBool,
    spans: Mutex<Vec<Batch>>,
    stats: Mutex<Vec<Bytes>>,
}

impl Outlet for Queue {
    fn has_room(&self, _: crate::otlp::Signal, _: usize, _: usize) -> bool {
        !self.full.load(Ordering::Relaxed)
    }

    fn batch(&self, batch: Batch) {
        self.spans.lock().push(batch);
    }

    fn client_stats(&self, payload: Bytes) -> Result<(), NoRoom> {
        if self.full.load(Ordering::Relaxed) {
            return Err(NoRoom);
        }
        self.stats.lock().push(payload);
        Ok(())
    }
}

struct Fixture {
    datadog: Datadog,
    queue: Arc<Queue>,
    lines: Arc<Mutex<Vec<u8>>>,
    budget: Budget,
}

fn fixture() -> Fixture {
    let queue = Arc::new(Queue::default());
    let options = config::Traces { batch_age: std::time::Duration::ZERO, ..config::Traces::default() };
    let batcher = Batcher::new(Arc::clone(&queue) as Arc<dyn Outlet>, &options);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sunk = Arc::clone(&lines);
    let sink: StatsdSink = Box::new(move |packet| sunk.lock().extend_from_slice(packet));
    let datadog =
        Datadog::new(batcher, &config::DatadogIntake::default(), Some(Statsd { port: 8125, sink }), || {
            1_800_000_000_000_000_000
        });
    Fixture { datadog, queue, lines, budget: Budget::new(1 << 20) }
}

impl Fixture {
    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let (method, uri) = (method.parse().unwrap(), path.parse().unwrap());
        let head = Head { method, uri, headers: map, grpc: false };
        match self.datadog.route(&head) {
            Route::Answer(answer) => answer,
            Route::Read(read) => {
                let body = body.into();
                let Some(hold) = self.budget.take(body.len()) else {
                    return self.datadog.refuse(&head, Some(read.endpoint), &Refusal::NoRoom);
                };
                let (head, budget) = (&head, &self.budget);
                self.datadog.take(Request { head, endpoint: read.endpoint, body, hold, budget })
            }
        }
    }

    /// Names of services with the number of their spans.
    fn services(&self) -> Vec<(String, u32)> {
        let batches = std::mem::take(&mut *self.queue.spans.lock());
        let service = |chunk: &crate::otlp::Chunk| {
            let view = ResourceSpans::read(&chunk.bytes);
            (view.resource.attributes.text("service.name").unwrap_or_default().to_owned(), chunk.items)
        };
        batches.iter().flat_map(|batch| batch.chunks.iter().map(service).collect::<Vec<_>>()).collect()
    }
}

const MSGPACK: (&str, &str) = ("content-type", "application/msgpack");
const REAL: (&str, &str) = ("datadog-send-real-http-status", "true");
const ONE: &str = r#"[[{"service":"shop","name":"n","trace_id":1,"span_id":2,"start":1,"duration":5}]]"#;

fn shown(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), std::str::from_utf8(&answer.body).unwrap())
}

/// One trace with one span, whose service stands for the version.
fn v04(service: &str) -> Vec<u8> {
    let mut body = vec![0x91, 0x91, 0x83];
    for text in ["service", service, "trace_id"] {
        mp::write_str(&mut body, text).unwrap();
    }
    body.push(1);
    mp::write_str(&mut body, "span_id").unwrap();
    body.push(2);
    body
}

#[test]
fn info_advertises_what_is_served() {
    let fixture = fixture();
    let answer = fixture.send("GET", "/info", &[], "");
    let info: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    for endpoint in info["endpoints"].as_array().unwrap() {
        let answer = fixture.send("POST", endpoint.as_str().unwrap(), &[MSGPACK], vec![0x80]);
        assert!([200, 400].contains(&answer.status.as_u16()), "{endpoint}");
    }
    assert_eq!(info["config"]["statsd_port"], 8125);
    assert_eq!(info["config"]["receiver_port"], 8126);
    assert_eq!(info["client_drop_p0s"], false);
    assert_eq!(answer.headers[STATE].len(), 64);
    let state = |answer: Answer| answer.headers[STATE].clone();
    assert_eq!(state(fixture.send("POST", "/v0.4/traces", &[], "{")), answer.headers[STATE]);
    assert_eq!(state(fixture.send("GET", "/nowhere", &[], "")), answer.headers[STATE]);
}

#[test]
fn every_version_is_taken_by_put_and_post() {
    let fixture = fixture();
    let v05 = {
        let mut body = vec![0x92, 0x92, 0xa0];
        mp::write_str(&mut body, "v05").unwrap();
        body.extend([0x91, 0x91, 0x9c, 1, 0, 0, 1, 2, 0, 0, 0, 0, 0x80, 0x80, 0]);
        body
    };
    let v07 = {
        let mut body = vec![0x82];
        mp::write_str(&mut body, "chunks").unwrap();
        body.extend([0x91, 0x81]);
        mp::write_str(&mut body, "spans").unwrap();
        body.extend(&v04("v07")[1..]);
        for text in ["env", "prod"] {
            mp::write_str(&mut body, text).unwrap();
        }
        body
    };
    let v1 = {
        let mut body = vec![0x81, 11, 0x91, 0x82, 6, 0xc4, 1, 1, 4, 0x91, 0x82, 1];
        mp::write_str(&mut body, "v1").unwrap();
        body.extend([4, 2]);
        body
    };
    for (path, service, body) in [
        ("/v0.3/traces", "v03", v04("v03")),
        ("/v0.4/traces", "v04", v04("v04")),
        ("/v0.5/traces", "v05", v05),
        ("/v0.7/traces", "v07", v07),
        ("/v1.0/traces", "v1", v1),
    ] {
        for method in ["PUT", "POST"] {
            let answer = fixture.send(method, path, &[MSGPACK, ("x-datadog-trace-count", "1")], body.clone());
            let wanted = if service == "v03" { "OK\n" } else { RATES };
            assert_eq!(shown(&answer), (200, wanted), "{path}");
            assert_eq!(fixture.services(), [(service.to_owned(), 1)]);
        }
        let answer = fixture.send("GET", path, &[], "");
        assert_eq!(
            (answer.status.as_u16(), &answer.headers[ALLOW]),
            (405, &HeaderValue::from_static("POST, PUT"))
        );
    }
    assert_eq!(fixture.budget.held(), 0);
}

#[test]
fn content_types_are_read_as_the_agent_reads_them() {
    let fixture = fixture();
    let packed = v04("shop");
    for (content_type, body, status) in [
        (None, ONE.as_bytes(), 200),
        (None, &packed, 400),
        (Some("application/json; charset=utf-8"), ONE.as_bytes(), 200),
        (Some("text/json"), ONE.as_bytes(), 200),
        (Some("Application/MsgPack"), &packed, 200),
        (Some("application/msgpack"), ONE.as_bytes(), 400),
        (Some("application/octet-stream"), ONE.as_bytes(), 200),
        (Some("application/octet-stream"), &packed, 200),
    ] {
        let headers: Vec<_> = content_type.map(|value| ("content-type", value)).into_iter().collect();
        let answer = fixture.send("PUT", "/v0.4/traces", &headers, body.to_vec());
        assert_eq!(answer.status.as_u16(), status, "{content_type:?}");
        assert_eq!(fixture.services().len(), usize::from(status == 200));
    }
    let answer = fixture.send("PUT", "/v0.4/traces", &[MSGPACK], vec![0xdd, 0xff, 0xff, 0xff, 0xff]);
    let why = "the traces cannot be read: a length is larger than what is left of the body, at byte 5\n";
    assert_eq!(shown(&answer), (400, why));
}

#[test]
fn no_room_is_told_to_those_who_ask() {
    let fixture = fixture();
    fixture.queue.full.store(true, Ordering::Relaxed);
    for (path, headers, wanted) in [
        ("/v0.4/traces", &[][..], (200, RATES)),
        ("/v0.3/traces", &[], (200, "OK\n")),
        ("/v0.4/traces", &[REAL], (429, "there is no room at present\n")),
    ] {
        assert_eq!(shown(&fixture.send("PUT", path, headers, ONE)), wanted);
    }
    assert_eq!(shown(&fixture.send("PUT", "/v0.6/stats", &[], vec![0x80])).0, 429);
    fixture.queue.full.store(false, Ordering::Relaxed);
    // Neither the body nor what would be made of it may exceed the budget.
    let large = " ".repeat(2 << 20);
    assert_eq!(fixture.send("PUT", "/v0.4/traces", &[REAL], large).status.as_u16(), 429);
    let spans = format!("[[{}{{}}]]", "{},".repeat(1 << 16));
    assert_eq!(fixture.send("PUT", "/v0.4/traces", &[REAL], spans).status.as_u16(), 429);
    assert_eq!(fixture.services(), []);
    assert_eq!(fixture.budget.held(), 0);
}

#[test]
fn traces_beyond_repair_are_dropped_and_the_rest_is_taken() {
    let fixture = fixture();
    let body = r#"[[{"trace_id":0,"span_id":1}],[{"trace_id":1,"span_id":1},{"trace_id":2,"span_id":1}],[],
        [{"trace_id":1,"span_id":1,"service":"Kept Service"}]]"#;
    assert_eq!(shown(&fixture.send("POST", "/v0.4/traces", &[], body)), (200, RATES));
    assert_eq!(fixture.services(), [("kept_service".to_owned(), 1)]);
}

#[test]
fn headers_say_who_sends() {
    let headers = [
        ("datadog-meta-lang", "go"),
        ("datadog-meta-lang-version", "1.22"),
        ("datadog-meta-tracer-version", "v2"),
        ("datadog-entity-id", "ci-abc"),
        ("datadog-client-computed-stats", "yes"),
        ("datadog-client-computed-top-level", "false"),
    ];
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let sender = Said::read(&map).sender();
    assert_eq!(
        (&*sender.language, &*sender.language_version, &*sender.tracer_version, &*sender.container_id),
        ("go", "1.22", "v2", "abc")
    );
    assert_eq!(sender.tags, [("_dd.client_computed_stats".into(), "true".into())]);
    map.insert("datadog-container-id", HeaderValue::from_static("other"));
    assert_eq!(Said::read(&map).sender().container_id, "other");
    // What the body says stands.
    let mut own = crate::traces::datadog::Sender { language: "java".into(), ..Default::default() };
    headers::complete(&mut own, Said::read(&map).sender());
    assert_eq!((&*own.language, &*own.container_id, own.tags.len()), ("java", "other", 1));
}

#[test]
fn rates_that_are_known_are_not_repeated() {
    let fixture = fixture();
    for (version, wanted) in [("", RATES), ("0", RATES), ("1", "{}")] {
        let answer = fixture.send("PUT", "/v0.4/traces", &[("datadog-rates-payload-version", version)], "[]");
        assert_eq!(shown(&answer), (200, wanted));
        assert_eq!(answer.headers[RATES_VERSION], "1");
    }
    assert!(!fixture.send("PUT", "/v0.4/traces", &[], "[]").headers.contains_key(RATES_VERSION));
}

#[test]
fn statistics_are_completed_from_the_headers() {
    let fixture = fixture();
    let body = vec![0x82, 0xa4, b'L', b'a', b'n', b'g', 0xa0, 0xa1, b'x', 0x92, 1, 2];
    let answer = fixture.send("POST", "/v0.6/stats", &[("datadog-meta-lang", "go")], body.clone());
    assert_eq!(shown(&answer), (200, "OK\n"));
    // What is empty is replaced: no key stands twice.
    let mut wanted = vec![0xdf, 0, 0, 0, 2];
    wanted.extend(&body[7..]);
    wanted.extend(b"\xdb\0\0\0\x04Lang\xdb\0\0\0\x02go");
    assert_eq!(*fixture.queue.stats.lock(), [wanted.clone()]);
    // Whole already.
    let answer = fixture.send("POST", "/v0.6/stats", &[], wanted.clone());
    assert_eq!((answer.status.as_u16(), &fixture.queue.stats.lock()[1][..]), (200, &wanted[..]));
    assert_eq!(shown(&fixture.send("POST", "/v0.6/stats", &[], "[]")).0, 400);
    assert_eq!(shown(&fixture.send("POST", "/v0.6/stats", &[], body[..8].to_vec())).0, 400);
}

#[test]
fn other_paths_answer_as_their_clients_need() {
    let fixture = fixture();
    assert_eq!(shown(&fixture.send("POST", "/dogstatsd/v2/proxy", &[], "a:1|c\nb:2|g")), (200, ""));
    assert_eq!(*fixture.lines.lock(), b"a:1|c\nb:2|g");
    for (path, wanted) in [
        ("/services", (200, "OK\n")),
        ("/v0.4/services", (200, "OK\n")),
        ("/telemetry/proxy/api/v2/apmtelemetry", (200, "{}")),
        ("/v0.7/config", (200, "{}")),
        (
            "/profiling/v1/input",
            (404, "`/profiling/v1/input` is not carried: profiles go nowhere from here\n"),
        ),
        ("/v9/traces", (404, "`/v9/traces` is not carried: no such path\n")),
    ] {
        assert_eq!(shown(&fixture.send("POST", path, &[], "")), wanted);
    }
    let answer = fixture.send("POST", "/v0.4/traces", &[("sec-fetch-site", "cross-site")], "[]");
    assert_eq!(answer.status.as_u16(), 403);
}

#[test]
fn refusals_have_their_status_and_reason() {
    let fixture = fixture();
    let head = Head {
        method: http::Method::PUT,
        uri: "/v0.4/traces".parse().unwrap(),
        headers: HeaderMap::new(),
        grpc: false,
    };
    for (refusal, wanted) in [
        (Refusal::TooLarge { limit: 9 }, (413, "the body is larger than 9 bytes (`datadog.max_bytes`)\n")),
        (Refusal::Encoding("br".to_owned()), (415, "the encoding `br` is not known\n")),
        (Refusal::Unreadable("broken".to_owned()), (400, "broken\n")),
        (Refusal::Timeout, (408, "the request did not arrive in time\n")),
        (Refusal::NoRoom, (200, RATES)),
    ] {
        assert_eq!(shown(&fixture.datadog.refuse(&head, Some(1), &refusal)), wanted);
    }
}
