// Log records by OpenTelemetry's API and by the bridges of loggers. Arguments: grpc|http-protobuf|http-json URL
// api|winston|pino none|gzip. URL has no path. Writes one JSON line when all is exported; every warning of the SDK goes
// to stderr.
'use strict';
const { DiagConsoleLogger, DiagLogLevel, diag } = require('@opentelemetry/api');
const { ROOT_CONTEXT, context, trace } = require('@opentelemetry/api');
const { SeverityNumber, logs } = require('@opentelemetry/api-logs');
const { AsyncLocalStorageContextManager } = require('@opentelemetry/context-async-hooks');
const { registerInstrumentations } = require('@opentelemetry/instrumentation');
const { PinoInstrumentation } = require('@opentelemetry/instrumentation-pino');
const { WinstonInstrumentation } = require('@opentelemetry/instrumentation-winston');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { BatchLogRecordProcessor, LoggerProvider } = require('@opentelemetry/sdk-logs');

diag.setLogger(new DiagConsoleLogger(), DiagLogLevel.WARN);
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());

const [protocol, url, bridge, compression] = process.argv.slice(2);
// Read by the exporter when it is made.
process.env.OTEL_EXPORTER_OTLP_COMPRESSION = compression;
const library = { grpc: 'grpc', 'http-protobuf': 'proto', 'http-json': 'http' }[protocol];
const { OTLPLogExporter } = require(`@opentelemetry/exporter-logs-otlp-${library}`);

const exporter = new OTLPLogExporter({ url: protocol === 'grpc' ? url : `${url}/v1/logs` });
const resource = resourceFromAttributes({
  'service.name': 'shop',
  'service.version': '1.2.3',
  'service.instance.id': 'i-7',
});
const provider = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({ exporter })] });
logs.setGlobalLoggerProvider(provider);
// Before the loggers are loaded.
registerInstrumentations({ instrumentations: [new PinoInstrumentation(), new WinstonInstrumentation()] });

// A span that is under way elsewhere: its ids are those of records.
const inSpan = trace.setSpanContext(ROOT_CONTEXT, {
  traceId: '640cfd8d00000000778ac6d9d5a3b001',
  spanId: '3000000000000001',
  traceFlags: 1,
  isRemote: true,
});
const order = { 'order.id': 'Bücher-7', 'order.count': 2, 'order.paid': true };
const failure = new TypeError('no route to the bank');

// Each logs the same by its own means, and ends when its logger has handed on all.
const bridges = {
  api() {
    const logger = logs.getLogger('checkout', '4.5.6');
    const emit = (severityText, body, more) =>
      logger.emit({ severityNumber: SeverityNumber[severityText], severityText, body, ...more });
    emit('INFO', 'order taken', { attributes: order });
    emit('WARN', 'card declined: no credit', { context: inSpan });
    emit('ERROR', 'payment failed', { exception: failure });
  },
  async winston() {
    const winston = require('winston');
    const logger = winston.createLogger({ transports: [new winston.transports.Console({ silent: true })] });
    logger.debug('not for anyone');
    logger.info('order taken', order);
    context.with(inSpan, () => logger.warn('card declined: no credit'));
    logger.error('payment failed', { err: failure });
    await new Promise((done) => logger.on('finish', done).end());
  },
  pino() {
    const pino = require('pino');
    const logger = pino(pino.destination('/dev/null'));
    logger.debug('not for anyone');
    logger.info(order, 'order taken');
    context.with(inSpan, () => logger.warn('card declined: %s', 'no credit'));
    logger.error(failure, 'payment failed');
  },
};

async function main() {
  await bridges[bridge]();
  await provider.shutdown();
}

main().then(() => console.log(JSON.stringify({ records: 3 })));
