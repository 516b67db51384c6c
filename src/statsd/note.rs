//! Events and service checks as they leave the hot path: owned, with every escape undone.
//!
//! Both are rare and go straight to the backends, so they may allocate; nothing here reads bytes.
//! They are made by `EventRef::to_owned` and `CheckRef::to_owned`. Next: `crate::deliver`.

/// An event or a service check, owned: it leaves the hot path at once.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    Event(Event),
    Check(Check),
}

/// `_e{…}`
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Event {
    pub title: String,
    /// Newlines restored.
    pub text: String,
    /// Unix seconds; the time of receipt when the message had none.
    pub time_s: u64,
    pub host: Option<String>,
    pub aggregation_key: Option<String>,
    pub source_type: Option<String>,
    pub low_priority: bool,
    pub alert: Alert,
    /// As they came, `key:value` or bare; sorted, no duplicates.
    pub tags: Vec<String>,
}

/// `_sc|…`
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    pub name: String,
    pub status: Status,
    /// Unix seconds; the time of receipt when the message had none.
    pub time_s: u64,
    pub host: Option<String>,
    /// Newlines and `m:` restored.
    pub message: Option<String>,
    /// As they came, `key:value` or bare; sorted, no duplicates.
    pub tags: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Alert {
    #[default]
    Info,
    Success,
    Warning,
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Ok,
    Warning,
    Critical,
    Unknown,
}
