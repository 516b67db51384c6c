//! The counters of a listener, summed over its threads: one list behind `/status` and own metrics, so that
//! neither can forget one that the other shows.

use crate::metrics::tally::Tally;
use crate::telemetry::Metric;
use serde::Serialize;
use std::sync::Arc;

macro_rules! counts {
    ($($(#[$doc:meta])* $field:ident $metric:ident;)*) => {
        /// What the threads of one listener saw together. The fields are those of [`Tally`].
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
        pub struct ListenerCounts { $($(#[$doc])* pub $field: u64,)* }

        impl ListenerCounts {
            pub fn sum(tallies: &[Arc<Tally>]) -> Self {
                ListenerCounts { $($field: tallies.iter().map(|tally| tally.$field.get()).sum(),)* }
            }

            /// Each counter with the own metric that shows it.
            pub fn metrics(&self) -> impl Iterator<Item = (Metric, u64)> {
                [$((Metric::$metric, self.$field)),*].into_iter()
            }
        }
    };
}

counts! {
    packets ListenerPackets;
    bytes ListenerBytes;
    messages ListenerMessages;
    values ListenerValues;
    events ListenerEvents;
    checks ListenerChecks;
    events_dropped ListenerEventsDropped;
    timestamped ListenerTimestamped;
    timestamped_dropped ListenerTimestampedDropped;
    ruled_out ListenerRuledOut;
    folded ListenerFolded;
    no_room ListenerNoRoom;
    forms_refused ListenerFormsRefused;
    oversized ListenerOversized;
    bad_frames ListenerBadFrames;
    connections ListenerConnections;
    connections_refused ListenerConnectionsRefused;
    kernel_dropped ListenerKernelDropped;
    wakeups ListenerWakeups;
    waits ListenerWaits;
}
