//! The attributes' names that both directions of the mapping share, so that what one writes the other finds.
//!
//! OpenTelemetry's names where its semantic conventions have one, else Datadog's. A tag of a span that
//! happens to have a name which the mapping itself writes stands behind a prefix instead.

/// The resource of a Datadog span. Its presence says that a span came from a Datadog tracer.
pub(super) const RESOURCE: &str = "dd.span.Resource";
/// The type of a Datadog span.
pub(super) const TYPE: &str = "span.type";
/// The sampling priority: an integer where it is the chunk's, a double where it is a span's metric.
pub(super) const PRIORITY: &str = "sampling.priority";
/// The sampling priority among a span's metrics.
pub(super) const PRIORITY_METRIC: &str = "_sampling_priority_v1";
/// The upper half of the trace id, 16 hex digits, in the first span of a chunk.
pub(super) const TRACE_ID_HIGH: &str = "_dd.p.tid";
/// W3C `tracestate` among a span's meta.
pub(super) const TRACESTATE: &str = "w3c.tracestate";
/// The error number of a span where it is neither 0 nor 1.
pub(super) const ERROR: &str = "_dd.error";
/// Span links and events as JSON, where a version of the protocol has no field for them.
pub(super) const LINKS_TEXT: &str = "_dd.span_links";
pub(super) const EVENTS_TEXT: &str = "events";
/// True on an event or link that repeats what the span's meta says.
pub(super) const DERIVED: &str = "_dd.derived";
/// The flags of a link where OTLP cannot tell them.
pub(super) const LINK_FLAGS: &str = "_dd.flags";

/// Prefixes of what is not a span's meta or metric of that name.
pub(super) const META: &str = "_dd.meta.";
pub(super) const METRICS: &str = "_dd.metrics.";
pub(super) const META_STRUCT: &str = "_dd.meta_struct.";
pub(super) const CHUNK: &str = "_dd.chunk.";
pub(super) const CHUNK_ORIGIN: &str = "_dd.chunk.origin";
pub(super) const CHUNK_DROPPED: &str = "_dd.chunk.dropped";
pub(super) const CHUNK_TAGS: &str = "_dd.chunk.tags.";

/// Prefixes and names of what a request says of its sender, on the resource.
pub(super) const PAYLOAD_TAGS: &str = "_dd.payload.tags.";
/// The sender's own value where the resource's standard attribute says another.
pub(super) const PAYLOAD_ENV: &str = "_dd.payload.env";
pub(super) const PAYLOAD_VERSION: &str = "_dd.payload.app_version";
pub(super) const PAYLOAD_RUNTIME_ID: &str = "_dd.payload.runtime_id";
pub(super) const PAYLOAD_LANGUAGE: &str = "_dd.payload.language";

pub(super) const SERVICE_NAME: &str = "service.name";
pub(super) const SERVICE_VERSION: &str = "service.version";
pub(super) const SERVICE_INSTANCE: &str = "service.instance.id";
pub(super) const ENVIRONMENT: &str = "deployment.environment.name";
pub(super) const SDK_NAME: &str = "telemetry.sdk.name";
pub(super) const SDK_LANGUAGE: &str = "telemetry.sdk.language";
pub(super) const SDK_VERSION: &str = "telemetry.sdk.version";
pub(super) const RUNTIME_VERSION: &str = "process.runtime.version";
pub(super) const CONTAINER_ID: &str = "container.id";
pub(super) const HOST_NAME: &str = "host.name";
/// The name of the scope, and of the SDK, of spans from Datadog tracers.
pub(super) const DATADOG: &str = "Datadog";

/// Whether the mapping itself writes span attributes of that name.
pub(super) fn is_reserved(key: &str) -> bool {
    match key.as_bytes().first() {
        Some(b'_') => {
            [META, METRICS, META_STRUCT, CHUNK].iter().any(|prefix| key.starts_with(prefix)) || key == ERROR
        }
        Some(b'd') => key == RESOURCE,
        Some(b's') => key == TYPE || key == PRIORITY,
        Some(_) | None => false,
    }
}

/// The language of a tracer as OpenTelemetry names it.
pub(super) fn language_to_otlp(language: &str) -> &str {
    if language == ".NET" { "dotnet" } else { language }
}

/// The language of an SDK as Datadog names it.
pub(super) fn language_from_otlp(language: &str) -> &str {
    if language == "dotnet" { ".NET" } else { language }
}
