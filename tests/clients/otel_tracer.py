"""The OpenTelemetry SDK as apps use it. Arguments: grpc|http-protobuf|zipkin-json|zipkin-protobuf ENDPOINT [gzip].

A trace of a request that came from elsewhere, with everything that a span can have, and one of its own.
Writes what it sent as JSON to stdout; every warning of the SDK goes to stderr.
"""

import json
import logging
import os
import sys

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceState

logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
sent = []


def exporter(protocol, endpoint):
    if protocol.startswith("zipkin"):
        if protocol == "zipkin-json":
            from opentelemetry.exporter.zipkin.json import ZipkinExporter
        else:
            from opentelemetry.exporter.zipkin.proto.http import ZipkinExporter
        return ZipkinExporter(endpoint=endpoint, local_node_ipv4="10.0.0.1", local_node_port=8080)
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    return OTLPSpanExporter()


def note(span, tags=(), error=False):
    context = span.get_span_context()
    sent.append(
        {
            "trace_id": f"{context.trace_id:032x}",
            "span_id": f"{context.span_id:016x}",
            "parent_id": f"{span.parent.span_id:016x}" if span.parent else "",
            "name": span.name,
            "tags": dict(tags),
            "error": error,
        }
    )


def own(tracer):
    with tracer.start_as_current_span("process-order") as order:
        order.set_attribute("order.id", "A-1042")
        order.set_attribute("order.total", 129.5)
        order.set_status(Status(StatusCode.ERROR))
        with tracer.start_as_current_span("charge-card") as charge:
            charge.set_attribute("card.brand", "visa")
            note(charge, {"card.brand": "visa"})
        note(order, {"order.id": "A-1042", "order.total": 129.5}, error=True)
    return order


def from_elsewhere(tracer, order):
    remote = SpanContext(
        trace_id=0x640CFD8D00000000778AC6D9D5A3B001,
        span_id=0x3000000000000001,
        is_remote=True,
        trace_flags=trace.TraceFlags(1),
        trace_state=TraceState([("vendor", "abc"), ("other", "def")]),
    )
    tags = {
        "http.request.method": "GET",
        "http.route": "/orders/{id}",
        "http.response.status_code": 500,
        "order.id": "Bücher-7",
        "order.paid": False,
        "order.weight": 2.25,
    }
    full = tracer.start_span(
        "GET /orders/{id}",
        context=trace.set_span_in_context(NonRecordingSpan(remote)),
        kind=SpanKind.SERVER,
        attributes={**tags, "order.items": ["pen", "book"]},
        links=[Link(order.get_span_context(), {"reason": "retry of"})],
    )
    full.add_event("stock.checked", {"left": 2, "place": "north"})
    full.record_exception(ValueError("card declined"))
    full.set_status(Status(StatusCode.ERROR, "card declined"))
    with trace.use_span(full):
        with tracer.start_as_current_span("SELECT orders", kind=SpanKind.CLIENT) as query:
            note(query)
    note(full, tags, error=True)
    full.end()


def main():
    protocol, endpoint, compression = (sys.argv[1:] + ["none"])[:3]
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
    if compression == "gzip":
        os.environ["OTEL_EXPORTER_OTLP_COMPRESSION"] = "gzip"
    resource = {"service.name": "shop", "service.version": "1.2.3", "deployment.environment.name": "test"}
    provider = TracerProvider(resource=Resource.create(resource))
    provider.add_span_processor(BatchSpanProcessor(exporter(protocol, endpoint)))
    tracer = provider.get_tracer("checkout", "4.5.6")
    from_elsewhere(tracer, own(tracer))
    provider.shutdown()
    print(json.dumps({"spans": sent}), flush=True)


main()
