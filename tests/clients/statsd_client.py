"""The Python `statsd` client as apps use it. Arguments: udp|tcp HOST PORT COUNT."""

import sys

import statsd


def main():
    protocol, host, port, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    make = {"udp": statsd.StatsClient, "tcp": statsd.TCPStatsClient}[protocol]
    client = make(host=host, port=port)
    for i in range(1, count + 1):
        client.incr("orders.created")
        client.timing("orders.latency", i)
        client.gauge("orders.open", i)
        client.set("orders.buyers", f"buyer{i % 7}")
    # A pipeline puts several messages into one datagram.
    with client.pipeline() as pipe:
        for i in range(1, count + 1):
            pipe.incr("orders.items", i)
    client.gauge("orders.open", -3, delta=True)
    client.close()


main()
