//! `pillion send`: one message by hand, to see whether it arrives.
//!
//! `message` writes it, `transport` sends it; nothing here is used by the agent.

mod message;
mod transport;

use super::exit::{Failure, print};
use crate::config::{ListenAddress, Loaded, listen_address};
use clap::{Args, Subcommand};
pub(super) use transport::reachable;

#[derive(Args, Debug)]
pub(super) struct Send {
    /// Where to: udp://127.0.0.1:8125, unixgram:///path, unix:///path or tcp://127.0.0.1:8125; without it,
    /// the first listener of the configuration.
    #[arg(long, global = true, value_name = "URL", value_parser = target)]
    to: Option<ListenAddress>,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// A metric: `pillion send metric orders.created 1 --tag env:dev`.
    Metric(message::Metric),
    /// An event: `pillion send event "Deployed" "version 7 is live"`.
    Event(message::Event),
    /// A service check: `pillion send check database ok`.
    Check(message::Check),
}

fn target(text: &str) -> Result<ListenAddress, String> {
    listen_address(text).map_err(|hint| {
        hint.unwrap_or_else(|| "write udp://, tcp://, unixgram:// or unix:// and an address".into())
    })
}

impl Send {
    /// `load` is called only when the configuration has to say where to.
    pub(super) fn perform(self, load: impl FnOnce() -> Result<Loaded, Failure>) -> Result<(), Failure> {
        let message = match &self.what {
            What::Metric(metric) => metric.line(),
            What::Event(event) => event.line(),
            What::Check(check) => check.line(),
        }
        .map_err(Failure::Argument)?;
        let to = match self.to {
            Some(to) => to,
            None => {
                let listeners = load()?.config.statsd.listeners;
                let none = || Failure::Argument("no listener is configured; name one with --to".into());
                listeners.into_iter().next().ok_or_else(none)?.address
            }
        };
        transport::send(message.as_bytes(), &to).map_err(|error| {
            Failure::Unavailable(format!(
                "cannot send to {to}: {error}; start `pillion run` there, or name another address with --to"
            ))
        })?;
        print(&format!("sent {message:?} to {to}\n"))
    }
}
