"""The Python `datadog` client as apps use it.

Arguments: ADDRESS COUNT [buffered]; ADDRESS is udp://HOST:PORT, unixgram://PATH or unixstream://PATH.
"""

import logging
import sys

from datadog.dogstatsd.base import DogStatsd

logging.basicConfig(level=logging.WARNING)


def client(address, buffered):
    options = {"disable_telemetry": False, "disable_buffering": not buffered, "constant_tags": ["env:dev"]}
    if address.startswith("udp://"):
        host, port = address.removeprefix("udp://").rsplit(":", 1)
        return DogStatsd(host=host, port=int(port), **options)
    # Blocking: what the server does not take at once must wait, not be dropped.
    return DogStatsd(socket_path=address, socket_timeout=None, **options)


def main():
    address, count = sys.argv[1], int(sys.argv[2])
    statsd = client(address, buffered="buffered" in sys.argv[3:])
    for i in range(1, count + 1):
        statsd.increment("orders.created", tags=["shop:north"])
        statsd.increment("orders.items", i, tags=["shop:north"])
        statsd.timing("orders.latency", i)
        statsd.histogram("orders.size", i)
        statsd.distribution("orders.weight", i)
        statsd.gauge("orders.open", i)
        statsd.set("orders.buyers", f"buyer{i % 7}")
    statsd.event("deploy", "version 2\nis out", alert_type="success", tags=["team:web"])
    statsd.service_check("database", statsd.CRITICAL, message="no route", tags=["team:web"])
    statsd.flush()
    if statsd.packets_dropped:
        sys.exit(f"the client dropped {statsd.packets_dropped} packets")
    statsd.close_socket()


main()
