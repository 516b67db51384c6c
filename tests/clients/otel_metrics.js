// OpenTelemetry's metrics as apps use them. Arguments: grpc|http-protobuf|http-json URL delta|cumulative none|gzip
// SERVICE. URL has no path. Two rounds of measurements of every instrument, exported one by one; what they come to says
// tests/harness/measured.rs. Writes one JSON line when all is exported; every warning of the SDK goes to stderr.
'use strict';
const { DiagConsoleLogger, DiagLogLevel, ValueType, diag } = require('@opentelemetry/api');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { AggregationType, MeterProvider, PeriodicExportingMetricReader } = require('@opentelemetry/sdk-metrics');

diag.setLogger(new DiagConsoleLogger(), DiagLogLevel.WARN);

const [protocol, url, temporality, compression, service] = process.argv.slice(2);
// Read by the exporter when it is made.
process.env.OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE = temporality;
process.env.OTEL_EXPORTER_OTLP_COMPRESSION = compression;
const library = { grpc: 'grpc', 'http-protobuf': 'proto', 'http-json': 'http' }[protocol];
const { OTLPMetricExporter } = require(`@opentelemetry/exporter-metrics-otlp-${library}`);

const resource = resourceFromAttributes({
  'service.name': service,
  'service.version': '1.2.3',
  'service.instance.id': 'i-7',
});

async function main() {
  const exporter = new OTLPMetricExporter({ url: protocol === 'grpc' ? url : `${url}/v1/metrics` });
  // Only when it is told to: each round is one export.
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3600000 });
  const aggregation = { type: AggregationType.EXPONENTIAL_HISTOGRAM };
  const views = [{ instrumentName: 'size', aggregation }];
  const provider = new MeterProvider({ resource, readers: [reader], views });
  const meter = provider.getMeter('checkout', '4.5.6');
  const whole = { unit: '{order}', description: 'Orders taken.', valueType: ValueType.INT };
  const orders = meter.createCounter('orders', whole);
  const weight = meter.createCounter('weight', { unit: 'g' });
  const queue = meter.createUpDownCounter('queue.length');
  const temperature = meter.createGauge('temperature', { unit: 'Cel' });
  const latency = meter.createHistogram('latency', { unit: 's', advice: { explicitBucketBoundaries: [1, 10] } });
  const size = meter.createHistogram('size', { unit: 'By' });
  let observed = { served: 10, workers: 8, fill: 0.75 };
  meter.createObservableCounter('served').addCallback((to) => to.observe(observed.served, { route: '/' }));
  meter.createObservableUpDownCounter('workers').addCallback((to) => to.observe(observed.workers));
  meter.createObservableGauge('fill', { unit: '1' }).addCallback((to) => to.observe(observed.fill));

  orders.add(3, { kind: 'book', paid: true });
  orders.add(2, { kind: 'pen', paid: false });
  weight.add(2.5);
  queue.add(5);
  queue.add(-2);
  temperature.record(21.5);
  for (const value of [0.5, 5, 50]) latency.record(value);
  for (const value of [0, 1, 2, 4]) size.record(value);
  await provider.forceFlush();
  orders.add(4, { kind: 'book', paid: true });
  queue.add(1);
  temperature.record(22.5);
  latency.record(0.25);
  size.record(8);
  observed = { served: 25, workers: 6, fill: 0.5 };
  await provider.shutdown();
}

main().then(() => console.log(JSON.stringify({ exports: 2 })));
