"""OpenTelemetry's metrics and logs as apps use them. Arguments: grpc|http-protobuf ENDPOINT delta|cumulative [gzip].

Two rounds of measurements of every synchronous instrument, exported one by one, and records through the bridge of
`logging`. Writes one JSON line when all is exported; every warning of the SDK goes to stderr.
"""

import json
import logging
import os
import sys

protocol, endpoint, temporality, compression = (sys.argv[1:] + ["none"])[:4]
# Read by the exporters when they are made.
os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
os.environ["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"] = temporality
if compression == "gzip":
    os.environ["OTEL_EXPORTER_OTLP_COMPRESSION"] = "gzip"

from opentelemetry import trace
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

if protocol == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
else:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
RESOURCE = Resource.create({"service.name": "shop", "service.version": "1.2.3", "service.instance.id": "i-7"})
# A span that is under way elsewhere: its ids are those of exemplars and records.
SPAN = NonRecordingSpan(
    SpanContext(0x640CFD8D00000000778AC6D9D5A3B001, 0x3000000000000001, is_remote=True, trace_flags=TraceFlags(1))
)


def metrics():
    # Only when it is told to: each round is one export.
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=3_600_000)
    views = [View(instrument_name="size", aggregation=ExponentialBucketHistogramAggregation())]
    provider = MeterProvider(metric_readers=[reader], resource=RESOURCE, views=views)
    meter = provider.get_meter("checkout", "4.5.6", attributes={"team": "pay"})
    orders = meter.create_counter("orders", "{order}", "Orders taken.")
    weight = meter.create_counter("weight", "kg")
    queue = meter.create_up_down_counter("queue.length")
    temperature = meter.create_gauge("temperature", "Cel")
    latency = meter.create_histogram("latency", "ms", explicit_bucket_boundaries_advisory=[10, 100])
    size = meter.create_histogram("size", "By")
    with trace.use_span(SPAN):
        orders.add(3, {"kind": "book", "paid": True})
        orders.add(2, {"kind": "pen", "paid": False})
        weight.add(2.5)
        queue.add(5)
        queue.add(-2)
        temperature.set(21.5)
        for value in [3, 30, 300]:
            latency.record(value)
        for value in [0, 1, 2, 4]:
            size.record(value)
    provider.force_flush()
    orders.add(4, {"kind": "book", "paid": True})
    queue.add(1)
    temperature.set(22.5)
    latency.record(5)
    size.record(8)
    provider.shutdown()


def logs():
    provider = LoggerProvider(resource=RESOURCE)
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    logger = logging.getLogger("checkout")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(LoggingHandler(logger_provider=provider))
    logger.info("order taken", extra={"order.id": "Bücher-7", "order.count": 2, "order.paid": True})
    with trace.use_span(SPAN):
        logger.error("card declined: %s", "no credit")
    provider.shutdown()


metrics()
logs()
print(json.dumps({"records": 2}), flush=True)
