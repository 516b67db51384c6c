"""ddtrace as apps use it, its agent's address in DD_TRACE_AGENT_URL (http:// or unix://).

A trace of a request that came from elsewhere, with everything that a span can have, and one of its own.
Writes what it sent as JSON to stdout; every warning of the tracer goes to stderr.
"""

import json
import logging
import sys

logging.basicConfig(level=logging.WARNING, stream=sys.stderr)

from ddtrace import tracer  # noqa: E402 (its log must be heard from the beginning)
from ddtrace.propagation.http import HTTPPropagator  # noqa: E402

sent = []


def note(span, tags=(), error=False):
    sent.append(
        {
            "trace_id": f"{span.trace_id:032x}",
            "span_id": f"{span.span_id:016x}",
            "parent_id": f"{span.parent_id:016x}" if span.parent_id else "",
            "name": span.name,
            "tags": dict(tags),
            "error": error,
        }
    )


def own():
    with tracer.trace("process-order") as order:
        order.set_tag("order.id", "A-1042")
        order.set_metric("order.total", 129.5)
        with tracer.trace("charge-card") as charge:
            charge.set_tag("card.brand", "visa")
            note(charge, {"card.brand": "visa"})
        order.error = 1
        note(order, {"order.id": "A-1042", "order.total": 129.5}, error=True)
    return order


def from_elsewhere(order):
    context = HTTPPropagator.extract(
        {
            "x-datadog-trace-id": "8611686018427387905",
            "x-datadog-parent-id": "3458764513820540929",
            "x-datadog-sampling-priority": "2",
            "x-datadog-origin": "synthetics",
            "x-datadog-tags": "_dd.p.tid=640cfd8d00000000,_dd.p.dm=-4",
        }
    )
    tracer.context_provider.activate(context)
    tags = {"span.kind": "server", "http.method": "GET", "http.route": "/orders/{id}", "order.id": "Bücher-7"}
    try:
        with tracer.trace("web.request", resource="GET /orders/{id}", span_type="web") as full:
            full.set_tags({**tags, "http.status_code": "500"})
            full.set_metric("order.items", 3)
            full.link_span(order.context, attributes={"reason": "retry of"})
            with tracer.trace("postgres.query", service="shop-db", resource="SELECT 1", span_type="sql") as query:
                query.set_tag("span.kind", "client")
                note(query)
            note(full, {**tags, "order.items": 3, "error.message": "card declined"}, error=True)
            raise ValueError("card declined")
    except ValueError:
        pass


def main():
    from_elsewhere(own())
    # Waits until the traces are sent.
    tracer.shutdown()
    print(json.dumps({"spans": sent}), flush=True)


main()
