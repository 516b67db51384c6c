// node-statsd as apps use it: one metric a datagram over UDP.
// Arguments: PORT COUNT. Sends COUNT of each and ends when all are out.
'use strict';
const StatsD = require('node-statsd');

const [port, count] = process.argv.slice(2).map(Number);
const statsd = new StatsD({ host: '127.0.0.1', port });

const send = (method, ...parameters) =>
  new Promise((resolve, reject) => {
    statsd[method](...parameters, undefined, undefined, (error) => (error ? reject(error) : resolve()));
  });

(async () => {
  for (let i = 1; i <= count; i += 1) {
    await send('increment', 'orders.created', 1);
    await send('increment', 'orders.items', i);
    await send('timing', 'orders.latency', i);
    await send('gauge', 'orders.open', i);
    await send('unique', 'orders.buyers', `buyer${i % 7}`);
  }
  statsd.close();
})().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
