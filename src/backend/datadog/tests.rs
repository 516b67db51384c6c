//! The Datadog backend: its payloads read by a decoder that is not ours.
