//! Messages as a client writes them: the other half of the round trip.

use super::super::{Alert, Check, Event, Kind, Status};
use proptest::prelude::*;

/// What a client means by a metric line.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) values: Vec<f64>,
    pub(super) member: String,
    /// Of `rate`, `#`, `c:`, `e:`, `card:` and `T`, those that are there, in their order on the wire.
    pub(super) fields: Vec<Field>,
}

#[derive(Clone, Debug)]
pub(super) enum Field {
    Rate(f64),
    Tags(Vec<String>),
    Local(String),
    External(String),
    Cardinality(String),
    Timestamp(u64),
}

impl Sent {
    pub(super) fn encode(&self) -> String {
        let values = match self.kind {
            Kind::Set => self.member.clone(),
            _ => self.values.iter().map(f64::to_string).collect::<Vec<_>>().join(":"),
        };
        let mut line = format!("{}:{values}|{}", self.name, self.kind.symbol());
        for field in &self.fields {
            line += &match field {
                Field::Rate(rate) => format!("|@{rate}"),
                Field::Tags(tags) => format!("|#{}", tags.join(",")),
                Field::Local(data) => format!("|c:{data}"),
                Field::External(data) => format!("|e:{data}"),
                Field::Cardinality(word) => format!("|card:{word}"),
                Field::Timestamp(time) => format!("|T{time}"),
            };
        }
        line
    }
}

fn kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(&Kind::ALL[..])
}

/// No separator, no control character; never pillion's own name.
fn name() -> impl Strategy<Value = String> {
    "[a-oq-zäλ_.][a-zA-Z0-9_. äλ-]{0,30}"
}

fn tag() -> impl Strategy<Value = String> {
    "[a-zA-Zü_][a-zA-Z0-9_./=-]{0,8}(:[a-zA-Z0-9:_ /ü-]{0,8})?"
}

fn tags() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(tag(), 1..8)
}

fn seconds() -> impl Strategy<Value = u64> {
    1_u64..=18_446_744_073
}

pub(super) fn sent() -> impl Strategy<Value = Sent> {
    let fields = (
        prop::option::of((0.000_001..=1.0).prop_map(Field::Rate)),
        prop::option::of(tags().prop_map(Field::Tags)),
        prop::option::of("[a-z0-9,-]{1,12}".prop_map(Field::Local)),
        prop::option::of("[a-z0-9,-]{1,12}".prop_map(Field::External)),
        prop::option::of("none|low|orchestrator|high".prop_map(Field::Cardinality)),
        prop::option::of(seconds().prop_map(Field::Timestamp)),
    );
    let fields =
        fields.prop_map(|(a, b, c, d, e, f)| [a, b, c, d, e, f].into_iter().flatten().collect::<Vec<_>>());
    let number = prop_oneof![(-1000_i32..1000).prop_map(f64::from), -1e3..1e3, prop::num::f64::NORMAL];
    (name(), kind(), prop::collection::vec(number, 1..5), "[a-z:0-9]{1,9}", fields.prop_shuffle())
        .prop_map(|(name, kind, values, member, fields)| Sent { name, kind, values, member, fields })
}

fn text() -> impl Strategy<Value = String> {
    "[a-z ü:|\n,#]{1,30}"
}

fn optional() -> impl Strategy<Value = Option<String>> {
    prop::option::of("[a-z0-9:.-]{1,12}")
}

fn sorted(mut tags: Vec<String>) -> Vec<String> {
    tags.sort();
    tags.dedup();
    tags
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    let alert = prop::sample::select(&[Alert::Info, Alert::Success, Alert::Warning, Alert::Error][..]);
    (text(), text(), seconds(), optional(), optional(), optional(), any::<bool>(), alert, tags()).prop_map(
        |(title, text, time_s, host, aggregation_key, source_type, low_priority, alert, tags)| Event {
            title,
            text,
            time_s,
            host,
            aggregation_key,
            source_type,
            low_priority,
            alert,
            tags: sorted(tags),
        },
    )
}

/// `escaped`: newlines as two characters, as clients send them; else as they are.
pub(super) fn encode_event(event: &Event, escaped: bool) -> String {
    let escape = |text: &str| if escaped { text.replace('\n', "\\n") } else { text.to_owned() };
    let (title, text) = (escape(&event.title), escape(&event.text));
    let mut line = format!("_e{{{},{}}}:{title}|{text}|d:{}", title.len(), text.len(), event.time_s);
    for (letter, field) in [('h', &event.host), ('k', &event.aggregation_key), ('s', &event.source_type)] {
        if let Some(field) = field {
            line += &format!("|{letter}:{field}");
        }
    }
    let alert = format!("{:?}", event.alert).to_lowercase();
    line + if event.low_priority { "|p:low" } else { "" } + &format!("|t:{alert}|#{}", event.tags.join(","))
}

pub(super) fn check() -> impl Strategy<Value = Check> {
    let status = prop::sample::select(&[Status::Ok, Status::Warning, Status::Critical, Status::Unknown][..]);
    let message = prop::option::of("[a-ln-z m:\n]{1,20}");
    (name(), status, seconds(), optional(), message, tags()).prop_map(
        |(name, status, time_s, host, message, tags)| Check {
            name,
            status,
            time_s,
            host,
            message,
            tags: sorted(tags),
        },
    )
}

pub(super) fn encode_check(check: &Check) -> String {
    let mut line = format!("_sc|{}|{}|d:{}", check.name, check.status as u8, check.time_s);
    if let Some(host) = &check.host {
        line += &format!("|h:{host}");
    }
    line += &format!("|#{}", check.tags.join(","));
    if let Some(message) = &check.message {
        line += &format!("|m:{}", message.replace("m:", "m\\:").replace('\n', "\\n"));
    }
    line
}
