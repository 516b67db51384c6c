//! The one table of pillion's own metrics: names are under contract and frozen per major version.

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Counter,
    Gauge,
}

macro_rules! table {
    ($($variant:ident $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        /// One of pillion's own metrics.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Metric { $(#[doc = $help] $variant,)* }

        impl Metric {
            pub const ALL: &[Metric] = &[$(Metric::$variant),*];

            /// The name on `/metrics`; counters end in `_total`.
            pub fn name(self) -> &'static str {
                match self { $(Metric::$variant => $name,)* }
            }

            pub fn kind(self) -> Type {
                match self { $(Metric::$variant => Type::$kind,)* }
            }

            pub fn labels(self) -> &'static [&'static str] {
                match self { $(Metric::$variant => &[$($label),*],)* }
            }

            pub fn help(self) -> &'static str {
                match self { $(Metric::$variant => $help,)* }
            }
        }
    };
}

table! {
    BuildInfo Gauge "pillion_build_info" ["version"] "Always 1; the label says which version runs.";
    ProcessCpuSeconds Counter "pillion_process_cpu_seconds_total" [] "Processor time used, user and system, in seconds.";
    ProcessResidentMemory Gauge "pillion_process_resident_memory_bytes" [] "Resident memory, in bytes.";
    ProcessOpenFds Gauge "pillion_process_open_fds" [] "Open file descriptors.";
    ProcessMaxFds Gauge "pillion_process_max_fds" [] "Limit of open file descriptors (soft).";
    ProcessThreads Gauge "pillion_process_threads" [] "Threads of the process.";
    ProcessStartTime Gauge "pillion_process_start_time_seconds" [] "When the process started, in seconds since the Unix epoch.";

    ListenerPackets Counter "pillion_listener_packets_total" ["listener"] "Datagrams, frames or stream reads received.";
    ListenerBytes Counter "pillion_listener_bytes_total" ["listener"] "Bytes received.";
    ListenerMessages Counter "pillion_listener_messages_total" ["listener"] "Metric lines taken.";
    ListenerValues Counter "pillion_listener_values_total" ["listener"] "Values inside the metric lines taken; a packed line holds several.";
    ListenerEvents Counter "pillion_listener_events_total" ["listener"] "Events received.";
    ListenerChecks Counter "pillion_listener_checks_total" ["listener"] "Service checks received.";
    ListenerEventsDropped Counter "pillion_listener_events_dropped_total" ["listener"] "Events and service checks dropped because too many waited for the backends.";
    ListenerTimestamped Counter "pillion_listener_timestamped_total" ["listener"] "Points that carried a timestamp of their own.";
    ListenerTimestampedDropped Counter "pillion_listener_timestamped_dropped_total" ["listener"] "Points with a timestamp of their own dropped: over the limit of a flush window, or no push backend to go to.";
    ListenerRuledOut Counter "pillion_listener_ruled_out_total" ["listener"] "Messages that a rule told to drop.";
    ListenerFolded Counter "pillion_listener_folded_total" ["listener"] "Messages that went into an overflow series because a limit of contexts was reached.";
    ListenerNoRoom Counter "pillion_listener_no_room_total" ["listener"] "Messages that found no room even in an overflow series.";
    ListenerFormsRefused Counter "pillion_listener_forms_refused_total" ["listener"] "Messages whose form was not remembered because the table of forms was full; they were taken all the same.";
    ListenerRejected Counter "pillion_listener_rejected_total" ["listener", "reason"] "Messages refused, by reason.";
    ListenerRemarked Counter "pillion_listener_remarked_total" ["listener", "remark"] "Messages taken with a remark, by remark.";
    ListenerOversized Counter "pillion_listener_oversized_packets_total" ["listener"] "Packets larger than the limit; not read.";
    ListenerBadFrames Counter "pillion_listener_bad_frames_total" ["listener"] "Frames with an impossible length, and streams that ended inside a frame or line.";
    ListenerConnections Counter "pillion_listener_connections_total" ["listener"] "Stream connections accepted.";
    ListenerConnectionsRefused Counter "pillion_listener_connections_refused_total" ["listener"] "Stream connections refused because the limit was reached.";
    ListenerKernelDropped Counter "pillion_listener_kernel_dropped_total" ["listener"] "Datagrams that the kernel dropped because the receive buffer was full.";
    ListenerPanics Counter "pillion_listener_panics_total" ["listener"] "Listener threads that ended by a panic; what they had not handed over is lost.";
    ListenerReceiveBuffer Gauge "pillion_listener_receive_buffer_bytes" ["listener"] "Receive buffer that the kernel gave, in bytes, per socket.";
    ListenerWakeups Counter "pillion_listener_wakeups_total" ["listener"] "Receive calls made.";
    ListenerWaits Counter "pillion_listener_waits_total" ["listener"] "Times a listener slept to let datagrams gather.";

    Contexts Gauge "pillion_contexts" [] "Contexts held.";
    ContextLimit Gauge "pillion_context_limit" [] "Most contexts that are held.";
    ContextsCreated Counter "pillion_contexts_created_total" [] "Contexts made since the start.";
    ContextsEvicted Counter "pillion_contexts_evicted_total" ["reason"] "Contexts given up, by reason: expired, or room for new ones.";
    Forms Gauge "pillion_forms" [] "Forms held: the ways in which contexts were written on the wire.";
    NamesOverLimit Gauge "pillion_names_over_limit" [] "Names whose newest contexts folded into an overflow series, in this flush window or the one before.";
    Flushes Counter "pillion_flushes_total" [] "Flush windows closed.";
    FlushesSkipped Counter "pillion_flushes_skipped_total" [] "Flush windows that came too late and were merged into the next.";
    FlushSeconds Counter "pillion_flush_seconds_total" [] "Time spent in flushes, in seconds.";
    FlushLastDuration Gauge "pillion_flush_last_duration_seconds" [] "Time that the last flush took, in seconds.";
    NotesUnsupported Counter "pillion_notes_unsupported_total" [] "Events and service checks that no configured backend could carry.";
    Pages Counter "pillion_pages_total" [] "Whole pages given to scrapers.";
    PageBytes Counter "pillion_page_bytes_total" [] "Bytes of whole pages, as sent.";
    PagesCut Counter "pillion_pages_cut_total" [] "Pages cut off because they were not finished before the scraper's timeout.";
    PagesAbandoned Counter "pillion_pages_abandoned_total" [] "Pages whose reader went away before their end.";
    PageConflicts Counter "pillion_page_conflicts_total" ["reason"] "Lines left out of pages or changed on them, by reason; each page counts anew.";

    BackendSent Counter "pillion_backend_sent_total" ["backend", "signal"] "Points, records, spans or client payloads that a backend took.";
    BackendRetried Counter "pillion_backend_retried_total" ["backend", "signal"] "Payloads sent again after a passing fault.";
    BackendDropped Counter "pillion_backend_dropped_total" ["backend", "signal", "reason"] "Points, records, spans or client payloads lost at a backend, by reason.";
    BackendQueueBytes Gauge "pillion_backend_queue_bytes" ["backend"] "Bytes that wait for a backend.";

    SpansReceived Counter "pillion_spans_received_total" ["protocol"] "Spans taken from clients; what is neither sent nor dropped by a backend, nor dropped before, waits.";
    SpansRefused Counter "pillion_spans_refused_total" ["protocol", "reason"] "Spans that were not taken and whose client was told so, by reason.";
    SpansDropped Counter "pillion_spans_dropped_total" ["reason"] "Spans taken and dropped before any backend's queue, by reason.";
    SpansPending Gauge "pillion_spans_pending" [] "Spans in the batch that is being gathered.";
    PointsReceived Counter "pillion_points_received_total" ["protocol"] "Data points of OTLP metrics taken from clients; what is neither sent nor dropped by a backend, nor dropped before, waits.";
    PointsRefused Counter "pillion_points_refused_total" ["protocol", "reason"] "Data points that were not taken and whose client was told so, by reason; a faulty metric without points counts as one.";
    PointsDropped Counter "pillion_points_dropped_total" ["reason"] "Data points taken and dropped before any backend's queue, by reason.";
    PointsPending Gauge "pillion_points_pending" [] "Data points in the batch that is being gathered.";
    PointsShown Counter "pillion_points_shown_total" [] "Data points that are in series on `/metrics`; with those left out, all that were received, when `metrics.otlp` is on.";
    PointsLeftOut Counter "pillion_points_left_out_total" ["reason"] "Data points that are in no series on `/metrics`, by reason; push backends get them all the same.";
    PointsRemarked Counter "pillion_points_remarked_total" ["remark"] "Remarks on data points that are in series, by remark.";
    PointStreams Gauge "pillion_point_streams" [] "Streams of data points whose last point is remembered.";
    PointsConverted Counter "pillion_points_converted_total" ["backend"] "Data points made deltas or totals for a backend with `points`; those that cannot be are in `pillion_backend_dropped_total`.";
    PointConversionRemarked Counter "pillion_point_conversion_remarked_total" ["backend", "remark"] "Remarks on data points made deltas or totals for a backend: `reset`, a stream began anew; `gap`, a delta does not cover the time since the last.";
    PointConversionStreams Gauge "pillion_point_conversion_streams" ["backend"] "Streams of data points that are remembered for making deltas or totals for a backend.";
    PointTargetsDropped Counter "pillion_point_targets_dropped_total" [] "Resources of metrics that `target_info` does not show any more, or never did, for want of room.";
    LogRecordsReceived Counter "pillion_log_records_received_total" ["protocol"] "Log records of OTLP taken from clients; what is neither sent nor dropped by a backend, nor dropped before, waits.";
    LogRecordsRefused Counter "pillion_log_records_refused_total" ["protocol", "reason"] "Log records that were not taken and whose client was told so, by reason.";
    LogRecordsDropped Counter "pillion_log_records_dropped_total" ["reason"] "Log records taken and dropped before any backend's queue, by reason.";
    LogRecordsPending Gauge "pillion_log_records_pending" [] "Log records in the batch that is being gathered.";
    TracesBudgetHeld Gauge "pillion_traces_budget_held_bytes" [] "Memory that request bodies, spans, metrics and log records hold, from reading to delivery.";
    TracesBudgetLimit Gauge "pillion_traces_budget_limit_bytes" [] "The most that they may hold.";
    ClientStatsReceived Counter "pillion_client_stats_received_total" [] "Payloads of statistics taken from Datadog clients.";
    ClientStatsRefused Counter "pillion_client_stats_refused_total" [] "Payloads of statistics refused because no queue had room.";
    ClientStatsNotCarried Counter "pillion_client_stats_not_carried_total" [] "Payloads of statistics dropped because no configured backend carries them.";

    SpansNormalized Counter "pillion_spans_normalized_total" ["reason"] "Changes made to Datadog spans, coming or leaving, by what was wrong with them.";
    DatadogSpansDropped Counter "pillion_datadog_spans_dropped_total" ["reason"] "Spans read from Datadog tracers and not taken, by reason; a trace that cannot be repaired goes whole.";
    DatadogCountMismatches Counter "pillion_datadog_trace_count_mismatches_total" [] "Requests of Datadog tracers whose header tells another number of traces than their body has.";
    DatadogClientDropped Counter "pillion_datadog_client_dropped_total" ["kind"] "Traces and spans that Datadog tracers say they dropped themselves by sampling.";
    DatadogNotCarried Counter "pillion_datadog_not_carried_total" ["path"] "Requests of Datadog clients for what is not carried, by path.";

    HttpRequests Counter "pillion_http_requests_total" ["path", "code"] "Requests answered, by path and status code; unknown paths are counted as `other`.";
    HttpConnections Gauge "pillion_http_connections" [] "Open connections of the HTTP server.";
    HttpConnectionsClosed Counter "pillion_http_connections_closed_total" ["reason"] "Connections that the HTTP server ended, by reason.";
    HttpAcceptErrors Counter "pillion_http_accept_errors_total" [] "Connections that could not be accepted, most often for want of file descriptors.";
    IntakeRequests Counter "pillion_intake_requests_total" ["protocol", "status"] "Requests answered by the intakes of OTLP, Datadog and Zipkin, by protocol and by HTTP status or, over gRPC, the name of its code.";
    IntakeRefused Counter "pillion_intake_refused_total" ["protocol", "reason"] "Requests refused by these intakes, by reason.";
    IntakeBodyBytes Counter "pillion_intake_body_bytes_total" ["protocol"] "Bytes of request bodies that these intakes read, as sent.";
    IntakeConnections Gauge "pillion_intake_connections" ["protocol"] "Open connections of these intakes.";
    IntakeConnectionsClosed Counter "pillion_intake_connections_closed_total" ["protocol", "reason"] "Connections that these intakes ended, by reason.";
    IntakeAcceptErrors Counter "pillion_intake_accept_errors_total" ["protocol"] "Connections that such an intake could not accept, most often for want of file descriptors.";
    LogSuppressed Counter "pillion_log_lines_suppressed_total" [] "Log lines held back by the rate limit of their call site.";
    TelemetryOffered Counter "pillion_telemetry_offered_total" ["signal"] "Own spans and log records meant for the configured endpoint; what is neither sent nor lost waits or found no room.";
    TelemetrySent Counter "pillion_telemetry_sent_total" ["signal"] "Own spans and log records that the configured endpoint took.";
    TelemetryLost Counter "pillion_telemetry_lost_total" ["signal"] "Own spans and log records that could not be sent.";
}

impl Metric {
    /// Whether a counter counts seconds: those have fractions, which whole-number counters cannot hold.
    pub fn in_seconds(self) -> bool {
        self.kind() == Type::Counter && self.name().ends_with("_seconds_total")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// The rules of `promtool check metrics`, as far as they concern counters and gauges.
    #[test]
    fn every_name_follows_the_rules_of_prometheus() {
        let mut seen = HashSet::new();
        for &metric in Metric::ALL {
            let name = metric.name();
            assert!(seen.insert(name), "{name} stands twice");
            assert!(name.starts_with("pillion_"), "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            assert_eq!(name.ends_with("_total"), metric.kind() == Type::Counter, "{name}");
            for suffix in ["_count", "_sum", "_bucket"] {
                assert!(!name.ends_with(suffix), "{name}");
            }
            for word in name.split('_') {
                let foreign = "counter gauge histogram summary s ms us ns sec m h d b kb mb gb milliseconds \
                               microseconds nanoseconds minutes hours days kilobytes megabytes gigabytes percent";
                assert!(!foreign.split(' ').any(|f| f == word), "{name} holds {word}");
            }
            // In OpenMetrics a counter's family is called by its bare name.
            let bare = name.strip_suffix("_total");
            assert!(bare.is_none_or(|bare| Metric::ALL.iter().all(|other| other.name() != bare)), "{name}");
            let help = metric.help();
            assert!(help.len() > 10 && help.ends_with('.'), "{name}: {help}");
            for label in metric.labels() {
                assert!(!["le", "quantile"].contains(label), "{name} {label}");
            }
        }
    }
}
