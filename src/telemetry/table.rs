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
    ListenerPackets Counter "pillion_listener_packets_total" ["listener"] "Datagrams, frames or stream reads received.";
    ListenerBytes Counter "pillion_listener_bytes_total" ["listener"] "Bytes received.";
    ListenerMessages Counter "pillion_listener_messages_total" ["listener"] "Metric lines taken.";
    ListenerRejected Counter "pillion_listener_rejected_total" ["listener", "reason"] "Messages refused, by reason.";
    ListenerKernelDropped Counter "pillion_listener_kernel_dropped_total" ["listener"] "Datagrams that the kernel dropped because the receive buffer was full.";
    BackendSent Counter "pillion_backend_sent_total" ["backend", "signal"] "Points or records that a backend took.";
    BackendRetried Counter "pillion_backend_retried_total" ["backend", "signal"] "Payloads sent again after a passing fault.";
    BackendDropped Counter "pillion_backend_dropped_total" ["backend", "signal", "reason"] "Points or records lost at a backend, by reason.";
    BackendQueueBytes Gauge "pillion_backend_queue_bytes" ["backend"] "Bytes that wait for a backend.";
    Contexts Gauge "pillion_contexts" [] "Contexts held.";
}
