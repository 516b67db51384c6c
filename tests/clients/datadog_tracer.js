// dd-trace as apps use it, its agent's address in DD_TRACE_AGENT_URL.
// Arguments: VERSION (0.4 or 0.5) [metrics | no-statsd].
// A trace of a request that came from elsewhere, with everything that a span can have, and one of its own.
// Writes what it sent as JSON to stdout; every warning of the tracer goes to stderr.
'use strict';
const [protocolVersion, mode] = process.argv.slice(2);
const warn = (...parts) => {
  // The tracer's StatsD client reports about itself, unasked; Datadog's test agent has no place for that.
  if (mode === 'no-statsd' && parts.some((part) => /\/dogstatsd\/v2\/proxy: 404/.test(String(part)))) return;
  console.error('dd-trace:', ...parts);
};
const quiet = () => {};
process.env.DD_TRACE_DEBUG = 'true';
process.env.DD_TRACE_LOG_LEVEL = 'warn';

const tracer = require('dd-trace').init({
  service: 'shop',
  env: 'test',
  version: '1.2.3',
  plugins: false,
  protocolVersion,
  logger: { debug: quiet, info: quiet, warn, error: warn },
});

const sent = [];
const hex = (id) => id.toString(16).padStart(16, '0');

// What a span is from outside: its ids, its name, and what the app has set.
function finish(span, { name, tags = {}, error = false }) {
  const context = span.context();
  sent.push({
    trace_id: context.toTraceId(true).padStart(32, '0'),
    span_id: context.toSpanId(true).padStart(16, '0'),
    parent_id: context._parentId ? hex(context._parentId) : '',
    name,
    tags,
    error,
  });
  span.finish();
}

// One of its own: what stands in every beginner's guide.
const order = tracer.startSpan('process-order');
order.setTag('order.id', 'A-1042');
order.setTag('order.total', 129.5);
order.setTag('error', true);
const charge = tracer.startSpan('charge-card', { childOf: order, tags: { 'card.brand': 'visa' } });
finish(charge, { name: 'charge-card', tags: { 'card.brand': 'visa' } });
finish(order, { name: 'process-order', tags: { 'order.id': 'A-1042', 'order.total': 129.5 }, error: true });

// One that came with a request.
const remote = tracer.extract('http_headers', {
  'x-datadog-trace-id': '8611686018427387905',
  'x-datadog-parent-id': '3458764513820540929',
  'x-datadog-sampling-priority': '2',
  'x-datadog-origin': 'synthetics',
  'x-datadog-tags': '_dd.p.tid=640cfd8d00000000,_dd.p.dm=-4',
});
const full = tracer.startSpan('web.request', {
  childOf: remote,
  tags: {
    'resource.name': 'GET /orders/{id}',
    'span.type': 'web',
    'span.kind': 'server',
    'http.method': 'GET',
    'http.route': '/orders/{id}',
    'http.status_code': 500,
    'order.id': 'Bücher-7',
    'order.items': 3,
  },
});
full.addLink({ context: order.context(), attributes: { reason: 'retry of' } });
full.addEvent('stock.checked', { left: 2, place: 'north' });
const declined = new Error('card declined');
full.setTag('error', declined);
const query = tracer.startSpan('postgres.query', {
  childOf: full,
  tags: { 'service.name': 'shop-db', 'span.type': 'sql', 'span.kind': 'client', 'resource.name': 'SELECT 1' },
});
finish(query, { name: 'postgres.query', tags: {} });
finish(full, {
  name: 'web.request',
  tags: { 'http.method': 'GET', 'order.id': 'Bücher-7', 'order.items': 3, 'error.message': 'card declined' },
  error: true,
});

// Metrics take the same way where the agent's address is a URL.
if (mode === 'metrics') {
  tracer.dogstatsd.increment('orders.created', 3, { shop: 'north' });
  tracer.dogstatsd.flush();
}

// Traces go out when nothing is left to do.
process.stdout.write(`${JSON.stringify({ spans: sent })}\n`);
