// The OpenTelemetry SDK as apps use it. Arguments: grpc|http-protobuf|http-json|zipkin URL [gzip].
// A trace of a request that came from elsewhere, with everything that a span can have, and one of its own.
// Writes what it sent as JSON to stdout; every warning of the SDK goes to stderr.
'use strict';
const { createTraceState, diag, trace } = require('@opentelemetry/api');
const { DiagConsoleLogger, DiagLogLevel, ROOT_CONTEXT, SpanKind, SpanStatusCode } = require('@opentelemetry/api');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { BatchSpanProcessor, NodeTracerProvider } = require('@opentelemetry/sdk-trace-node');

diag.setLogger(new DiagConsoleLogger(), DiagLogLevel.WARN);

const [protocol, url, compression = 'none'] = process.argv.slice(2);
const packages = {
  grpc: ['@opentelemetry/exporter-trace-otlp-grpc', 'OTLPTraceExporter'],
  'http-protobuf': ['@opentelemetry/exporter-trace-otlp-proto', 'OTLPTraceExporter'],
  'http-json': ['@opentelemetry/exporter-trace-otlp-http', 'OTLPTraceExporter'],
  zipkin: ['@opentelemetry/exporter-zipkin', 'ZipkinExporter'],
};
const [library, exporter] = packages[protocol];
if (compression === 'gzip') process.env.OTEL_EXPORTER_OTLP_COMPRESSION = 'gzip';
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({
    'service.name': 'shop',
    'service.version': '1.2.3',
    'deployment.environment.name': 'test',
  }),
  spanProcessors: [new BatchSpanProcessor(new (require(library)[exporter])({ url }))],
});
const tracer = provider.getTracer('checkout', '4.5.6');

const sent = [];
function end(span, { tags = {}, error = false }) {
  const { traceId, spanId } = span.spanContext();
  sent.push({
    trace_id: traceId,
    span_id: spanId,
    parent_id: span.parentSpanContext ? span.parentSpanContext.spanId : '',
    name: span.name,
    tags,
    error,
  });
  span.end();
}

// One of its own.
const order = tracer.startSpan('process-order', { attributes: { 'order.id': 'A-1042', 'order.total': 129.5 } });
order.setStatus({ code: SpanStatusCode.ERROR });
const inOrder = trace.setSpan(ROOT_CONTEXT, order);
const charge = tracer.startSpan('charge-card', { attributes: { 'card.brand': 'visa' } }, inOrder);
end(charge, { tags: { 'card.brand': 'visa' } });
end(order, { tags: { 'order.id': 'A-1042', 'order.total': 129.5 }, error: true });

// One that came with a request.
const remote = trace.setSpanContext(ROOT_CONTEXT, {
  traceId: '640cfd8d00000000778ac6d9d5a3b001',
  spanId: '3000000000000001',
  traceFlags: 1,
  isRemote: true,
  traceState: createTraceState('vendor=abc,other=def'),
});
const tags = {
  'http.request.method': 'GET',
  'http.route': '/orders/{id}',
  'http.response.status_code': 500,
  'order.id': 'Bücher-7',
  'order.paid': false,
  'order.weight': 2.25,
};
const full = tracer.startSpan(
  'GET /orders/{id}',
  {
    kind: SpanKind.SERVER,
    attributes: { ...tags, 'order.items': ['pen', 'book'] },
    links: [{ context: order.spanContext(), attributes: { reason: 'retry of' } }],
  },
  remote,
);
full.addEvent('stock.checked', { left: 2, place: 'north' });
full.recordException(new TypeError('card declined'));
full.setStatus({ code: SpanStatusCode.ERROR, message: 'card declined' });
const query = tracer.startSpan('SELECT orders', { kind: SpanKind.CLIENT }, trace.setSpan(remote, full));
end(query, {});
end(full, { tags, error: true });

provider
  .shutdown()
  .then(() => process.stdout.write(`${JSON.stringify({ spans: sent })}\n`))
  .catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
