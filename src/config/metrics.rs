//! `[metrics]` and `[limits]`: aggregation, and what one message may hold.

use super::format::{
    Bounds, Bytes, Count, Namespace, OneOf, Quantiles, Span, Switch, Tags, Texts, WholeSeconds, YEAR_MS,
    choices,
};
use super::section::section;
use std::time::Duration;

section! {
    /// What one message may hold. A message beyond a limit is refused and counted by reason.
    pub struct Limits {
        /// Longest name of a metric.
        name_bytes "name_bytes": usize as Bytes<usize, 1, 65_535> = 200;
        /// Longest tag, key and value together.
        tag_bytes "tag_bytes": usize as Bytes<usize, 1, 65_535> = 200;
        /// Most tags of one message.
        tags "tags": usize as Count<0, 10_000> = 100;
    }
}

choices! {
    Style: HistogramStyle {
        "histogram" => HistogramStyle::Histogram,
        "summary" => HistogramStyle::Summary,
    }
}

section! {
    /// How messages become metrics.
    pub struct Metrics {
        /// How often push backends get a snapshot; its windows begin at whole multiples of this on the wall
        /// clock. `/metrics` is always current.
        flush_interval "flush_interval": Duration as WholeSeconds = Duration::from_secs(10);
        /// How long push backends hear of a context without messages: counters as 0, gauges with their last
        /// value. At least `flush_interval`, which it follows when it is not written.
        expiry "expiry": Duration as Span<1_000, YEAR_MS> = Duration::from_secs(300);
        /// Contexts (names with their tags) held in total. Over it, the longest idle beyond `expiry` go; when
        /// there are none, new contexts fold into their name's overflow series.
        context_limit "context_limit": usize as Count<1, 100_000_000> = 1_000_000;
        /// Contexts per name before new ones fold into the name's overflow series. At most `context_limit`,
        /// which it follows when it is not written.
        name_limit "name_limit": usize as Count<1, 100_000_000> = 100_000;
        /// Members that a set counts exactly in one window before it estimates.
        set_exact "set_exact": usize as Count<0, 65_536> = 256;
        /// Quantiles, between 0 and 1, of timers, histograms and distributions, wherever quantiles are sent.
        percentiles "percentiles": Vec<f64> as Quantiles = vec![0.5, 0.9, 0.95, 0.99];
        /// How timers, histograms and distributions stand on `/metrics`.
        histograms "histograms": HistogramStyle as OneOf<Style> = HistogramStyle::Histogram;
        /// Upper bounds, in seconds, of the buckets of timers on `/metrics`; the one up to infinity is always
        /// there.
        timer_buckets "timer_buckets": Vec<f64> as Bounds =
            vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        /// Upper bounds, in the unit of the values, of the buckets of histograms and distributions on
        /// `/metrics`.
        histogram_buckets "histogram_buckets": Vec<f64> as Bounds = vec![
            0.01, 0.1, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1e3, 2.5e3, 5e3, 1e4, 1e5, 1e6,
        ];
        /// The time that the quantiles of a summary on `/metrics` look back.
        summary_window "summary_window": Duration as Span<1_000, YEAR_MS> = Duration::from_secs(300);
        /// Points with a client's own timestamp kept in one window; more are dropped and counted. Without a push
        /// backend all are, since `/metrics` shows no past. A timestamp that is no whole number of seconds is
        /// refused as `bad_timestamp`.
        timestamped_limit "timestamped_limit": usize as Count<0, 10_000_000> = 10_000;
        /// Whether the data points of OTLP become series on `/metrics`. Without, only push backends get them,
        /// which costs less.
        otlp "otlp": bool as Switch = true;
        /// Put before every name, with its separator: `"shop."`. `pillion_` is reserved.
        namespace "namespace": String as Namespace = String::new();
        /// Names that begin with one of these get no namespace.
        namespace_exclude "namespace_exclude": Vec<String> as Texts = Vec::new();
        /// Tags of every context, `key:value` or bare; a message's own key wins. `DD_ENV`, `DD_SERVICE`,
        /// `DD_VERSION` and `DD_TAGS` add to them, and a key written here wins over theirs.
        tags "tags": Vec<String> as Tags = Vec::new();
    }
}

/// How timers, histograms and distributions appear on `/metrics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum HistogramStyle {
    #[default]
    Histogram,
    Summary,
}
