//! The books of spans: what was received is sent, dropped by a reason, waiting or in flight, at each backend.

use super::{Agent, wait_for_or_tell};
use serde_json::{Map, Value, json};
use std::cell::RefCell;

/// What `/status` says: `received`, `pending`, `no_backend`, and of each backend `sent`, `dropped` by
/// reason, `waiting` and `in_flight`. For agents that get nothing but spans.
pub(crate) fn books(agent: &Agent) -> Value {
    let status = agent.status();
    let spans = &status["spans"];
    let received: u64 = spans["received"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    let backend = |backend: &Value| {
        let detail = &backend["detail"];
        let of = json!({
            "sent": detail["sent"],
            "dropped": detail["dropped"],
            "waiting": detail["queue_items"],
            "in_flight": detail["in_flight"],
        });
        (detail["name"].as_str().unwrap().to_owned(), of)
    };
    let backends: Map<String, Value> = status["backends"].as_array().unwrap().iter().map(backend).collect();
    json!({
        "received": received,
        "pending": spans["pending"],
        "no_backend": spans["dropped_no_backend"],
        "backends": backends,
    })
}

/// Waits until the books are these; asserts that they balance, and that the page says the same.
pub(crate) fn expect_books(agent: &Agent, want: &Value) {
    let last = RefCell::new(Value::Null);
    let look = || {
        *last.borrow_mut() = books(agent);
        (*last.borrow() == *want).then_some(())
    };
    wait_for_or_tell("the books", look, || {
        format!("want {want:#}\nfound {:#}\n{}\n{}", last.borrow(), agent.status(), agent.log())
    });
    balance(want);
    agrees(agent, want);
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("a number: {value}"))
}

/// Every span that was received stands in one column, at every backend.
fn balance(books: &Value) {
    let queued = number(&books["received"]) - number(&books["pending"]);
    let backends = books["backends"].as_object().unwrap();
    if backends.is_empty() {
        assert_eq!(queued, number(&books["no_backend"]), "{books:#}");
    }
    for of in backends.values() {
        let dropped: u64 = of["dropped"].as_object().unwrap().values().map(number).sum();
        let found = number(&of["sent"]) + dropped + number(&of["waiting"]) + number(&of["in_flight"]);
        assert_eq!(queued, found, "{books:#}");
    }
}

fn agrees(agent: &Agent, books: &Value) {
    let page = agent.page();
    let expect = |name: &str, labels: &[(&str, &str)], want: &Value| {
        let found = page.sum(name, labels);
        assert_eq!(found, number(want) as f64, "{name}{labels:?}\n{}", page.text);
    };
    expect("pillion_spans_received_total", &[], &books["received"]);
    expect("pillion_spans_pending", &[], &books["pending"]);
    expect("pillion_spans_dropped_total", &[("reason", "no_backend")], &books["no_backend"]);
    for (name, of) in books["backends"].as_object().unwrap() {
        let backend = ("backend", name.as_str());
        let traces = [backend, ("signal", "traces")];
        expect("pillion_backend_sent_total", &traces, &of["sent"]);
        let mut total = 0;
        for (reason, count) in of["dropped"].as_object().unwrap() {
            let labels = [backend, ("signal", "traces"), ("reason", reason.as_str())];
            expect("pillion_backend_dropped_total", &labels, count);
            total += number(count);
        }
        // And for no other reason.
        expect("pillion_backend_dropped_total", &traces, &json!(total));
    }
}
