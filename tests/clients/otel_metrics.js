// OpenTelemetry's metrics and logs as apps use them. Arguments: grpc|http-protobuf|http-json URL delta|cumulative [gzip].
// URL has no path. Two rounds of measurements of every synchronous instrument, exported one by one, and log records.
// Writes one JSON line when all is exported; every warning of the SDK goes to stderr.
'use strict';
const { DiagConsoleLogger, DiagLogLevel, diag } = require('@opentelemetry/api');
const { ROOT_CONTEXT, ValueType, context, trace } = require('@opentelemetry/api');
const { SeverityNumber } = require('@opentelemetry/api-logs');
const { AsyncLocalStorageContextManager } = require('@opentelemetry/context-async-hooks');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { BatchLogRecordProcessor, LoggerProvider } = require('@opentelemetry/sdk-logs');
const { AggregationType, MeterProvider, PeriodicExportingMetricReader } = require('@opentelemetry/sdk-metrics');

diag.setLogger(new DiagConsoleLogger(), DiagLogLevel.WARN);
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());

const [protocol, url, temporality, compression = 'none'] = process.argv.slice(2);
process.env.OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE = temporality;
if (compression === 'gzip') process.env.OTEL_EXPORTER_OTLP_COMPRESSION = 'gzip';
const library = { grpc: 'grpc', 'http-protobuf': 'proto', 'http-json': 'http' }[protocol];
const { OTLPMetricExporter } = require(`@opentelemetry/exporter-metrics-otlp-${library}`);
const { OTLPLogExporter } = require(`@opentelemetry/exporter-logs-otlp-${library}`);
const to = (signal) => ({ url: protocol === 'grpc' ? url : `${url}/v1/${signal}` });

const resource = resourceFromAttributes({
  'service.name': 'shop',
  'service.version': '1.2.3',
  'service.instance.id': 'i-7',
});
// A span that is under way elsewhere: its ids are those of records.
const inSpan = trace.setSpanContext(ROOT_CONTEXT, {
  traceId: '640cfd8d00000000778ac6d9d5a3b001',
  spanId: '3000000000000001',
  traceFlags: 1,
  isRemote: true,
});

async function metrics() {
  // Only when it is told to: each round is one export.
  const exporter = new OTLPMetricExporter(to('metrics'));
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3600000 });
  const aggregation = { type: AggregationType.EXPONENTIAL_HISTOGRAM };
  const provider = new MeterProvider({
    resource,
    readers: [reader],
    views: [{ instrumentName: 'size', aggregation }],
  });
  const meter = provider.getMeter('checkout', '4.5.6');
  const orders = meter.createCounter('orders', {
    unit: '{order}',
    description: 'Orders taken.',
    valueType: ValueType.INT,
  });
  const weight = meter.createCounter('weight', { unit: 'kg' });
  const queue = meter.createUpDownCounter('queue.length');
  const temperature = meter.createGauge('temperature', { unit: 'Cel' });
  const latency = meter.createHistogram('latency', {
    unit: 'ms',
    advice: { explicitBucketBoundaries: [10, 100] },
  });
  const size = meter.createHistogram('size', { unit: 'By' });
  orders.add(3, { kind: 'book', paid: true });
  orders.add(2, { kind: 'pen', paid: false });
  weight.add(2.5);
  queue.add(5);
  queue.add(-2);
  temperature.record(21.5);
  for (const value of [3, 30, 300]) latency.record(value);
  for (const value of [0, 1, 2, 4]) size.record(value);
  await provider.forceFlush();
  orders.add(4, { kind: 'book', paid: true });
  queue.add(1);
  temperature.record(22.5);
  latency.record(5);
  size.record(8);
  await provider.shutdown();
}

async function logs() {
  const exporter = new OTLPLogExporter(to('logs'));
  const provider = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({ exporter })] });
  const logger = provider.getLogger('checkout', '4.5.6');
  logger.emit({
    severityNumber: SeverityNumber.INFO,
    severityText: 'INFO',
    body: 'order taken',
    attributes: { 'order.id': 'Bücher-7', 'order.count': 2, 'order.paid': true },
  });
  const error = { severityNumber: SeverityNumber.ERROR, severityText: 'ERROR', body: 'card declined: no credit' };
  logger.emit({ ...error, context: inSpan });
  await provider.shutdown();
}

metrics()
  .then(logs)
  .then(() => console.log(JSON.stringify({ records: 2 })));
