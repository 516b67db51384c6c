//! Writes `docs/metrics.md` from the table of own metrics, and fails when the file is stale.

use crate::statsd::{Reject, Remark};
use crate::telemetry::Metric;
use crate::telemetry::table::Type;
use std::fmt::Write as _;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");

fn reference() -> String {
    let mut text = String::from(
        "# pillion's own metrics\n\n\
         Generated from `src/telemetry/table.rs` by `PILLION_BLESS=1 cargo test --lib admin::reference`; do not edit.\n\n\
         They stand on `/metrics` beside the metrics of the app. Names, labels and meanings are a contract: within \
         one major version they only grow. The prefix `pillion_` is reserved: a message with such a name is refused \
         (`reserved_name`).\n\n\
         | name | type | labels | meaning |\n|---|---|---|---|\n",
    );
    for metric in Metric::ALL {
        let kind = match metric.kind() {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
        };
        let labels: Vec<String> = metric.labels().iter().map(|label| format!("`{label}`")).collect();
        writeln!(text, "| `{}` | {kind} | {} | {} |", metric.name(), labels.join(", "), metric.help())
            .unwrap();
    }
    text.push_str("\n## Reasons of `pillion_listener_rejected_total`\n\n| reason | meaning |\n|---|---|\n");
    for reason in Reject::ALL {
        writeln!(text, "| `{}` | {} |", reason.as_str(), cell(reason.meaning())).unwrap();
    }
    text.push_str("\n## Remarks of `pillion_listener_remarked_total`\n\n| remark | meaning |\n|---|---|\n");
    for remark in Remark::ALL {
        writeln!(text, "| `{}` | {} |", remark.as_str(), cell(remark.meaning())).unwrap();
    }
    text
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[test]
fn the_reference_of_own_metrics_is_up_to_date() {
    let fresh = reference();
    if std::env::var_os("PILLION_BLESS").is_some() {
        std::fs::write(PATH, &fresh).unwrap();
    }
    let stands = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(
        stands == fresh,
        "docs/metrics.md is stale: PILLION_BLESS=1 cargo test --lib admin::reference writes it anew"
    );
}
