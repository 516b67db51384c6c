//! Every thread, task and channel of the agent: who owns it, its bound, what happens when it is full, who
//! stops it. `/status` shows this list and `ARCHITECTURE.md` holds it; a test compares them.

use serde::Serialize;
use std::fmt::Write as _;

/// A thread, task or channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// As the operating system shows it, for a thread.
    pub name: &'static str,
    pub form: Form,
    /// The file that starts it.
    pub owner: &'static str,
    /// How many there are, or how much it holds.
    pub bound: &'static str,
    pub when_full: &'static str,
    pub stopped_by: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    Thread,
    Task,
    Channel,
}

impl Form {
    pub fn as_str(self) -> &'static str {
        match self {
            Form::Thread => "thread",
            Form::Task => "task",
            Form::Channel => "channel",
        }
    }
}

/// The list, in the order of the data's way and then of start.
pub static ALL: &[Part] = &[
    Part {
        name: "statsd-KIND-ADDRESS-N",
        form: Form::Thread,
        owner: "src/intake/statsd/running.rs",
        bound: "one a socket: `statsd.workers` for UDP, else one a listener",
        when_full: "UDP: the kernel drops and counts, and its count is shown; Unix sockets and TCP: the sender waits",
        stopped_by: "`Aggregator::stop_intake`: it reads what the kernel holds, hands over and ends",
    },
    Part {
        name: "stream connection",
        form: Form::Task,
        owner: "src/intake/statsd/stream.rs",
        bound: "`statsd.max_connections` a listener",
        when_full: "a newcomer is refused and counted",
        stopped_by: "its client, or the end of its listener's thread",
    },
    Part {
        name: "intake accept",
        form: Form::Task,
        owner: "src/intake/http/server.rs",
        bound: "one a listener for requests",
        when_full: "the kernel's accept queue holds newcomers",
        stopped_by: "the end of the agent, before the last batches",
    },
    Part {
        name: "intake connection",
        form: Form::Task,
        owner: "src/intake/http/connection.rs",
        bound: "`intake.max_connections` a listener, HTTP/2 with 128 requests each; as many refusals at once",
        when_full: "the longest idle one is closed, else the newcomer gets a 503",
        stopped_by: "its client, its timeouts, or the end of its listener",
    },
    Part {
        name: "intake drain",
        form: Form::Task,
        owner: "src/intake/http/exchange.rs",
        bound: "one a connection, for the rest of a refused body: 64 MiB or five seconds",
        when_full: "the connection is closed",
        stopped_by: "the end of the body, or its bounds",
    },
    Part {
        name: "notes",
        form: Form::Channel,
        owner: "src/agent/mod.rs",
        bound: "1024 events and service checks",
        when_full: "the newest are dropped, counted at their listener",
        stopped_by: "the end of the intake",
    },
    Part {
        name: "notes",
        form: Form::Task,
        owner: "src/agent/notes.rs",
        bound: "one",
        when_full: "holds 256 notes at most half a second",
        stopped_by: "the end of the agent, when the channel is empty",
    },
    Part {
        name: "windows",
        form: Form::Task,
        owner: "src/agent/windows.rs",
        bound: "one",
        when_full: "a window that comes too late is merged into the next and counted",
        stopped_by: "the end of the agent, which closes the last window itself",
    },
    Part {
        name: "batches",
        form: Form::Channel,
        owner: "src/otlp/batch.rs",
        bound: "less than one batch a signal: `traces.batch_bytes`, `traces.batch_spans`, `traces.batch_age`",
        when_full: "a batch goes into the backends' queues; without room there, requests are refused and counted",
        stopped_by: "`Batcher::close`, after the intakes of requests and before the queues",
    },
    Part {
        name: "batches",
        form: Form::Task,
        owner: "src/otlp/batch.rs",
        bound: "one",
        when_full: "holds nothing itself",
        stopped_by: "the end of the agent; the last batches go with `Batcher::close`",
    },
    Part {
        name: "backend queue",
        form: Form::Channel,
        owner: "src/deliver/queue.rs",
        bound: "`queue_bytes` of the backend, or one flush or batch if that is larger",
        when_full: "counted as `queue_full`: the oldest items go for StatsD's metrics and notes; new OTLP is refused",
        stopped_by: "`Queue::close`, within `shutdown.deadline`",
    },
    Part {
        name: "backend",
        form: Form::Task,
        owner: "src/deliver/run.rs",
        bound: "one a push backend, one request at a time",
        when_full: "what waits stays in its queue",
        stopped_by: "`Queue::close`, when the queue is empty or `shutdown.deadline` has passed",
    },
    Part {
        name: "summary",
        form: Form::Task,
        owner: "src/agent/view.rs",
        bound: "one",
        when_full: "nothing waits for it",
        stopped_by: "the end of the agent",
    },
    Part {
        name: "http accept",
        form: Form::Task,
        owner: "src/admin/http.rs",
        bound: "one",
        when_full: "the kernel's accept queue holds newcomers",
        stopped_by: "`Server::shutdown`",
    },
    Part {
        name: "http connection",
        form: Form::Task,
        owner: "src/admin/connection.rs",
        bound: "`http.max_connections`, and as many refusals",
        when_full: "the longest idle one is closed; when none is idle, the newcomer gets a 503",
        stopped_by: "its client, its timeouts, or `Server::shutdown`",
    },
    Part {
        name: "page chunks",
        form: Form::Channel,
        owner: "src/admin/body.rs",
        bound: "one a page under way (at most 4 pages); its maker bounds the chunks",
        when_full: "the maker of the page waits; a client that takes nothing for 30 s is cut off",
        stopped_by: "its last mark, or the client going away",
    },
    Part {
        name: "OpenTelemetry.Traces.BatchProcessor",
        form: Form::Thread,
        owner: "src/telemetry/export.rs",
        bound: "one, with `telemetry.otlp` set",
        when_full: "holds 2048 spans; more are dropped",
        stopped_by: "`Exporter::shutdown`",
    },
    Part {
        name: "OpenTelemetry.Logs.BatchProcessor",
        form: Form::Thread,
        owner: "src/telemetry/export.rs",
        bound: "one, with `telemetry.otlp` set",
        when_full: "holds 2048 log records; more are dropped",
        stopped_by: "`Exporter::shutdown`",
    },
];

/// The list as the table that `ARCHITECTURE.md` holds.
pub fn markdown() -> String {
    let mut table =
        String::from("| name | form | owner | bound | when full | stopped by |\n|---|---|---|---|---|---|\n");
    for Part { name, form, owner, bound, when_full, stopped_by } in ALL {
        let form = form.as_str();
        // Writing to a string cannot fail.
        let _ = writeln!(table, "| {name} | {form} | `{owner}` | {bound} | {when_full} | {stopped_by} |");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_complete_and_its_owner_exists() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        for (i, part) in ALL.iter().enumerate() {
            assert!(root.join(part.owner).is_file(), "{part:?}");
            assert!(
                ALL[..i].iter().all(|other| (other.name, other.form) != (part.name, part.form)),
                "{} stands twice",
                part.name
            );
            let texts = [part.name, part.bound, part.when_full, part.stopped_by];
            assert!(texts.iter().all(|text| !text.is_empty() && !text.contains('|')), "{part:?}");
        }
        assert_eq!(markdown().lines().count(), ALL.len() + 2);
    }
}
