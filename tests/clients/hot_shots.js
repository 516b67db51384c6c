// hot-shots as apps use it. Arguments: udp PORT COUNT, or uds PATH COUNT.
'use strict';
const StatsD = require('hot-shots');

const [protocol, where, times] = process.argv.slice(2);
const count = Number(times);
const fail = (error) => {
  console.error(error);
  process.exitCode = 1;
};
const address = protocol === 'uds' ? { path: where } : { host: '127.0.0.1', port: Number(where) };
const statsd = new StatsD({ protocol, ...address, globalTags: { env: 'dev' }, errorHandler: fail });

const send = (method, ...parameters) =>
  new Promise((resolve, reject) => {
    // A buffering client calls back when the message is in its buffer.
    statsd[method](...parameters, (error) => (error ? reject(error) : resolve()));
  });

(async () => {
  for (let i = 1; i <= count; i += 1) {
    await send('increment', 'orders.created', 1, 1, ['shop:north']);
    await send('increment', 'orders.items', i, 1, ['shop:north']);
    await send('timing', 'orders.latency', i, 1, []);
    await send('histogram', 'orders.size', i, 1, []);
    await send('distribution', 'orders.weight', i, 1, []);
    await send('gauge', 'orders.open', i, 1, []);
    await send('set', 'orders.buyers', `buyer${i % 7}`, 1, []);
  }
  await send('event', 'deploy', 'version 2\nis out', { alert_type: 'success' }, ['team:web']);
  await send('check', 'database', statsd.CHECKS.CRITICAL, { message: 'no route' }, ['team:web']);
  statsd.close((error) => error && fail(error));
})().catch(fail);
