//! The books of a signal: what was received is sent, dropped by a reason, waiting or in flight, at each backend.

use super::{Agent, wait_for_or_tell};
use serde_json::{Map, Value, json};
use std::cell::RefCell;

/// What is counted of a signal: its word in `/status` and in own metrics, and the signal's name in the books of
/// backends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) word: &'static str,
    pub(crate) signal: &'static str,
}

pub(crate) const SPANS: Counted = Counted { word: "spans", signal: "traces" };
pub(crate) const POINTS: Counted = Counted { word: "points", signal: "metrics" };
pub(crate) const RECORDS: Counted = Counted { word: "log_records", signal: "logs" };

/// What `/status` says: `received`, `pending`, `no_backend`, and of each backend `sent`, `dropped` by
/// reason, `waiting` and `in_flight`. For agents that get nothing of another signal.
pub(crate) fn books_of(counted: Counted, agent: &Agent) -> Value {
    let status = agent.status();
    let spans = &status[counted.word];
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

/// The books of spans.
pub(crate) fn books(agent: &Agent) -> Value {
    books_of(SPANS, agent)
}

/// As [`expect_books_of`], of spans.
pub(crate) fn expect_books(agent: &Agent, want: &Value) {
    expect_books_of(SPANS, agent, want);
}

/// Waits until the books are these; asserts that they balance, and that the page says the same.
pub(crate) fn expect_books_of(counted: Counted, agent: &Agent, want: &Value) {
    let last = RefCell::new(Value::Null);
    let look = || {
        *last.borrow_mut() = books_of(counted, agent);
        (*last.borrow() == *want).then_some(())
    };
    wait_for_or_tell("the books", look, || {
        format!("want {want:#}\nfound {:#}\n{}\n{}", last.borrow(), agent.status(), agent.log())
    });
    balance(want);
    agrees(counted, agent, want);
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("a number: {value}"))
}

/// Everything that was received stands in one column, at every backend.
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

fn agrees(counted: Counted, agent: &Agent, books: &Value) {
    let Counted { word, signal } = counted;
    let page = agent.page();
    let expect = |name: &str, labels: &[(&str, &str)], want: &Value| {
        let found = page.sum(name, labels);
        assert_eq!(found, number(want) as f64, "{name}{labels:?}\n{}", page.text);
    };
    expect(&format!("pillion_{word}_received_total"), &[], &books["received"]);
    expect(&format!("pillion_{word}_pending"), &[], &books["pending"]);
    expect(&format!("pillion_{word}_dropped_total"), &[("reason", "no_backend")], &books["no_backend"]);
    for (name, of) in books["backends"].as_object().unwrap() {
        let backend = ("backend", name.as_str());
        let of_signal = [backend, ("signal", signal)];
        expect("pillion_backend_sent_total", &of_signal, &of["sent"]);
        let mut total = 0;
        for (reason, count) in of["dropped"].as_object().unwrap() {
            let labels = [backend, ("signal", signal), ("reason", reason.as_str())];
            expect("pillion_backend_dropped_total", &labels, count);
            total += number(count);
        }
        // And for no other reason.
        expect("pillion_backend_dropped_total", &of_signal, &json!(total));
    }
}
