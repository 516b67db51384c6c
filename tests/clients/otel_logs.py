"""Log records by the bridges of `logging`. Arguments: grpc|http-protobuf ENDPOINT sdk|instrumentation none|gzip.

Writes one JSON line when all is exported; every warning of the SDK goes to stderr.
"""

import json
import logging
import os
import sys

protocol, endpoint, bridge, compression = sys.argv[1:]
# Read by the exporter when it is made.
os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
if compression == "gzip":
    os.environ["OTEL_EXPORTER_OTLP_COMPRESSION"] = "gzip"

from opentelemetry import trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

# The handler of the SDK itself, and its successor.
if bridge == "sdk":
    from opentelemetry.sdk._logs import LoggingHandler
else:
    from opentelemetry.instrumentation.logging.handler import LoggingHandler

if protocol == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
else:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
RESOURCE = Resource.create({"service.name": "shop", "service.version": "1.2.3", "service.instance.id": "i-7"})
# A span that is under way elsewhere: its ids are those of records.
SPAN = NonRecordingSpan(
    SpanContext(0x640CFD8D00000000778AC6D9D5A3B001, 0x3000000000000001, is_remote=True, trace_flags=TraceFlags(1))
)

provider = LoggerProvider(resource=RESOURCE)
provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
logger = logging.getLogger("checkout")
logger.propagate = False
logger.setLevel(logging.INFO)
logger.addHandler(LoggingHandler(logger_provider=provider))
logger.debug("not for anyone")
logger.info("order taken", extra={"order.id": "Bücher-7", "order.count": 2, "order.paid": True})
with trace.use_span(SPAN):
    logger.warning("card declined: %s", "no credit")
try:
    raise ValueError("no route to the bank")
except ValueError:
    logger.exception("payment failed")
provider.shutdown()
print(json.dumps({"records": 3}), flush=True)
