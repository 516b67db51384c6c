"""An OTLP receiver that is not ours: gRPC by grpcio, HTTP in protobuf and in JSON by the standard library.

Arguments: GRPC_PORT HTTP_PORT. Writes a JSON line when it listens, and another after each request: the
request itself in the JSON of OTLP, and of metrics and logs also what the transport has heard so far (sums of
counters by name, counts of histograms, log bodies).
"""

import base64
import gzip
import json
import sys
import threading
from collections import Counter
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from google.protobuf.json_format import MessageToDict, ParseDict
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.metrics.v1 import metrics_pb2

DELTA = metrics_pb2.AGGREGATION_TEMPORALITY_DELTA
IDS = ("traceId", "spanId", "parentSpanId")
WRITING = threading.Lock()


def say(report):
    """One line in one write: the transports report at the same time, and `print` writes its newline apart."""
    with WRITING:
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()


def with_ids(value, change):
    """The same JSON with every id changed: OTLP has them in hex, protobuf's own JSON in base64."""
    if isinstance(value, list):
        return [with_ids(item, change) for item in value]
    if isinstance(value, dict):
        return {key: change(item) if key in IDS else with_ids(item, change) for key, item in value.items()}
    return value


def hex_of(text):
    return base64.b64decode(text).hex()


def base64_of(text):
    return base64.b64encode(bytes.fromhex(text)).decode()


class Heard:
    """What came over one transport."""

    def __init__(self, transport):
        self.transport = transport
        self.counters = Counter()
        self.cumulative = {}
        self.histograms = Counter()
        self.logs = []
        self.lock = threading.Lock()

    def metrics(self, request):
        with self.lock:
            self.say("metrics", request)
            for resource in request.resource_metrics:
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        self.metric(metric)
            self.report()

    def metric(self, metric):
        kind = metric.WhichOneof("data")
        if kind == "sum":
            for point in metric.sum.data_points:
                value = point.as_double if point.WhichOneof("value") == "as_double" else point.as_int
                if metric.sum.aggregation_temporality == DELTA:
                    self.counters[metric.name] += value
                else:
                    key = metric.name, tuple(sorted(str(a) for a in point.attributes))
                    self.cumulative[key] = value
        elif kind in ("exponential_histogram", "histogram"):
            data = getattr(metric, kind)
            for point in data.data_points:
                if data.aggregation_temporality == DELTA:
                    self.histograms[metric.name] += point.count

    def records(self, request):
        with self.lock:
            self.say("records", request)
            for resource in request.resource_logs:
                for scope in resource.scope_logs:
                    self.logs += [str(record) for record in scope.log_records]
            self.report()

    def spans(self, request):
        with self.lock:
            self.say("traces", request)

    def say(self, kind, request):
        whole = with_ids(MessageToDict(request, use_integers_for_enums=True), hex_of)
        say({"transport": self.transport, kind: whole})

    def report(self):
        counters = self.counters.copy()
        for (name, _), value in self.cumulative.items():
            counters[name] += value
        say(
            {
                "transport": self.transport,
                "counter_sum": sum(counters.values()),
                "counters": counters,
                "histograms": self.histograms,
                "logs": self.logs,
            }
        )


class GrpcMetrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self, heard):
        self.heard = heard

    def Export(self, request, context):
        self.heard.metrics(request)
        return metrics_service_pb2.ExportMetricsServiceResponse()


class GrpcLogs(logs_service_pb2_grpc.LogsServiceServicer):
    def __init__(self, heard):
        self.heard = heard

    def Export(self, request, context):
        self.heard.records(request)
        return logs_service_pb2.ExportLogsServiceResponse()


class GrpcTraces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, heard):
        self.heard = heard

    def Export(self, request, context):
        self.heard.spans(request)
        return trace_service_pb2.ExportTraceServiceResponse()


def http_handler(heard, heard_json):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.body()
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            if self.headers.get("content-type") == "application/json":
                return self.json(body)
            if self.headers.get("content-type") != "application/x-protobuf":
                return self.answer(415, b"")
            if self.path == "/v1/metrics":
                heard.metrics(metrics_service_pb2.ExportMetricsServiceRequest.FromString(body))
                answer = metrics_service_pb2.ExportMetricsServiceResponse()
            elif self.path == "/v1/logs":
                heard.records(logs_service_pb2.ExportLogsServiceRequest.FromString(body))
                answer = logs_service_pb2.ExportLogsServiceResponse()
            elif self.path == "/v1/traces":
                heard.spans(trace_service_pb2.ExportTraceServiceRequest.FromString(body))
                answer = trace_service_pb2.ExportTraceServiceResponse()
            else:
                return self.answer(404, b"")
            self.answer(200, answer.SerializeToString())

        def json(self, body):
            kinds = {
                "/v1/metrics": (metrics_service_pb2.ExportMetricsServiceRequest, heard_json.metrics),
                "/v1/logs": (logs_service_pb2.ExportLogsServiceRequest, heard_json.records),
                "/v1/traces": (trace_service_pb2.ExportTraceServiceRequest, heard_json.spans),
            }
            if self.path not in kinds:
                return self.answer(404, b"")
            request, hear = kinds[self.path]
            # Unknown fields are a fault here: what is sent must be what the protocol has.
            hear(ParseDict(with_ids(json.loads(body), base64_of), request()))
            self.answer(200, b"{}", "application/json")

        def body(self):
            if self.headers.get("transfer-encoding") != "chunked":
                return self.rfile.read(int(self.headers["content-length"]))
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def answer(self, status, body, kind="application/x-protobuf"):
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler


def main():
    grpc_port, http_port = sys.argv[1:3]
    over_grpc, over_http = Heard("grpc"), Heard("http")
    limit = [("grpc.max_receive_message_length", 64 << 20)]
    server = grpc.server(futures.ThreadPoolExecutor(2), options=limit)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(GrpcMetrics(over_grpc), server)
    logs_service_pb2_grpc.add_LogsServiceServicer_to_server(GrpcLogs(over_grpc), server)
    if not server.add_insecure_port(f"127.0.0.1:{grpc_port}"):
        sys.exit(f"port {grpc_port} is taken")
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(GrpcTraces(over_grpc), server)
    server.start()
    http = ThreadingHTTPServer(("127.0.0.1", int(http_port)), http_handler(over_http, Heard("json")))
    say({"listening": [grpc_port, http_port]})
    http.serve_forever()


main()
