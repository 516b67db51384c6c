//! `[otlp]`, `[datadog]`, `[zipkin]`: what listens for requests; `[intake]`: what all of them share; `[traces]`:
//! what holds spans, data points and log records on their way.

use super::format::{Bytes, Count, HttpListens, SocketMode, Span, Texts, YEAR_MS};
use super::section::section;
use super::statsd::ListenAddress;
use std::net::SocketAddr;
use std::time::Duration;

section! {
    /// OTLP from OpenTelemetry SDKs. Both ports speak both gRPC and HTTP.
    pub struct OtlpIntake {
        /// Where gRPC is expected: `ADDRESS:PORT` or `unix:///PATH`. An empty list turns it off.
        grpc "grpc": Vec<ListenAddress> as HttpListens = local(4317);
        /// Where HTTP is expected, protobuf or JSON, HTTP/1.1 or HTTP/2 without TLS.
        http "http": Vec<ListenAddress> as HttpListens = local(4318);
        /// Largest gRPC message, as sent and after decompression.
        max_grpc_bytes "max_grpc_bytes": usize as Bytes<usize, 1_024, { 1 << 30 }> = 16 << 20;
        /// Largest HTTP body, as sent and after decompression.
        max_http_bytes "max_http_bytes": usize as Bytes<usize, 1_024, { 1 << 30 }> = 20 << 20;
        /// Origins of web pages that may send, such as `"https://shop.example"`; `"*"` allows all.
        cors_origins "cors_origins": Vec<String> as Texts = Vec::new();
    }
}

section! {
    /// The API of Datadog's trace agent, for Datadog's tracers.
    pub struct DatadogIntake {
        /// Where to listen: `ADDRESS:PORT` or `unix:///PATH`. An empty list turns it off.
        listen "listen": Vec<ListenAddress> as HttpListens = local(8126);
        /// Largest body, as sent and after decompression.
        max_bytes "max_bytes": usize as Bytes<usize, 1_024, { 1 << 30 }> = 25_000_000;
    }
}

section! {
    /// Zipkin v2, JSON or protobuf.
    pub struct ZipkinIntake {
        /// Where to listen: `ADDRESS:PORT` or `unix:///PATH`, by convention port 9411. Off when empty.
        listen "listen": Vec<ListenAddress> as HttpListens = Vec::new();
        /// Largest body, as sent and after decompression.
        max_bytes "max_bytes": usize as Bytes<usize, 1_024, { 1 << 30 }> = 20 << 20;
    }
}

section! {
    /// What all HTTP and gRPC intakes share.
    pub struct HttpIntake {
        /// Open connections of one listener. One more takes the place of the longest idle, or is refused.
        max_connections "max_connections": usize as Count<1, 65_536> = 1_024;
        /// Longest time for a whole request to arrive.
        request_timeout "request_timeout": Duration as Span<1, YEAR_MS> = Duration::from_secs(10);
        /// A connection without a request is closed after so long.
        idle_timeout "idle_timeout": Duration as Span<1, YEAR_MS> = Duration::from_secs(120);
        /// Permissions of Unix sockets. Writing is all that a client needs.
        socket_mode "socket_mode": u32 as SocketMode = 0o722;
    }
}

section! {
    /// Spans on their way to the backends, and in the same way the metrics and log records that come by OTLP.
    pub struct Traces {
        /// Memory for all request bodies that are being read, decoded and queued. A request that does not
        /// fit is refused as its protocol says it, and counted.
        budget_bytes "budget_bytes": usize as Bytes<usize, 1_024, { 16 << 30 }> = 64 << 20;
        /// A batch, one of each signal, is sent on when it has so many bytes.
        batch_bytes "batch_bytes": usize as Bytes<usize, 1, { 1 << 30 }> = 1 << 20;
        /// Or so many spans, data points or log records.
        batch_spans "batch_spans": usize as Count<1, 1_000_000> = 8_192;
        /// Or when the first in it is so old.
        batch_age "batch_age": Duration as Span<0, 60_000> = Duration::from_millis(500);
    }
}

fn local(port: u16) -> Vec<ListenAddress> {
    vec![ListenAddress::Tcp(SocketAddr::from(([127, 0, 0, 1], port)))]
}
