"""OpenTelemetry's metrics as apps use them. Arguments: grpc|http-protobuf ENDPOINT delta|cumulative none|gzip SERVICE.

Two rounds of measurements of every instrument, exported one by one; tests/harness/measured.rs says what they come to.
Writes one JSON line when all is exported; every warning of the SDK goes to stderr.
"""

import json
import logging
import os
import sys

protocol, endpoint, temporality, compression, service = sys.argv[1:]
# Read by the exporter when it is made.
os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
os.environ["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"] = temporality
if compression == "gzip":
    os.environ["OTEL_EXPORTER_OTLP_COMPRESSION"] = "gzip"

from opentelemetry import trace
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

if protocol == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
else:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
RESOURCE = Resource.create({"service.name": service, "service.version": "1.2.3", "service.instance.id": "i-7"})
# A span that is under way elsewhere: its ids are those of exemplars.
SPAN = NonRecordingSpan(
    SpanContext(0x640CFD8D00000000778AC6D9D5A3B001, 0x3000000000000001, is_remote=True, trace_flags=TraceFlags(1))
)
# What the observable instruments see: served, workers, fill.
observed = (10, 8, 0.75)

# Only when it is told to: each round is one export.
reader = PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=3_600_000)
views = [View(instrument_name="size", aggregation=ExponentialBucketHistogramAggregation())]
provider = MeterProvider(metric_readers=[reader], resource=RESOURCE, views=views)
meter = provider.get_meter("checkout", "4.5.6")
orders = meter.create_counter("orders", "{order}", "Orders taken.")
weight = meter.create_counter("weight", "g")
queue = meter.create_up_down_counter("queue.length")
temperature = meter.create_gauge("temperature", "Cel")
latency = meter.create_histogram("latency", "s", explicit_bucket_boundaries_advisory=[1, 10])
size = meter.create_histogram("size", "By")
meter.create_observable_counter("served", [lambda _: [Observation(observed[0], {"route": "/"})]])
meter.create_observable_up_down_counter("workers", [lambda _: [Observation(observed[1])]])
meter.create_observable_gauge("fill", [lambda _: [Observation(observed[2])]], "1")

with trace.use_span(SPAN):
    orders.add(3, {"kind": "book", "paid": True})
    orders.add(2, {"kind": "pen", "paid": False})
    weight.add(2.5)
    queue.add(5)
    queue.add(-2)
    temperature.set(21.5)
    for value in [0.5, 5, 50]:
        latency.record(value)
    for value in [0, 1, 2, 4]:
        size.record(value)
provider.force_flush()
orders.add(4, {"kind": "book", "paid": True})
queue.add(1)
temperature.set(22.5)
latency.record(0.25)
size.record(8)
observed = (25, 6, 0.5)
provider.shutdown()
print(json.dumps({"exports": 2}), flush=True)
