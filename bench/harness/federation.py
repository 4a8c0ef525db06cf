# SPDX-License-Identifier: AGPL-3.0-or-later
"""Two servers of one kind that federate: own names, the tests' DNS server and authority, all on 127.0.0.1."""

import pathlib
import sys

import servers

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "flow"))

from kit.dns import Dns  # noqa: E402
from s2s import Authority  # noqa: E402

DOMAINS = ("one.example", "two.example")
PORTS_APART = 40
DNS_TTL_SECONDS = 3600  # names are looked up before the measurement, not in it


class Pair:
    """Looks like one server to the steps: near and far are started, stopped and accounted for together."""

    raw = False

    def __init__(self, make):
        """make(place) gives the server that stands there."""
        self.dns, self.authority = Dns(), Authority("Benchmark Authority")
        self.dns.ttl = DNS_TTL_SECONDS
        self.dns.target = "localhost"  # ejabberd asks the DNS for SRV records, but the system for addresses
        self.dns.a("localhost")
        self.servers = [make(servers.Place(domain, i * PORTS_APART, self.dns.port, self.authority))
                        for i, domain in enumerate(DOMAINS)]
        for server in self.servers:
            self.dns.domain(server.place.domain, server.s2s_port)
        self.near, self.far = self.servers
        self.label, self.port, self.tls_port = self.near.label, self.near.port, self.near.tls_port
        self.arguments = ["--domain", self.near.place.domain, "--far-domain", self.far.place.domain,
                          "--far-port", str(self.far.port)]

    @property
    def pids(self):
        return [pid for server in self.servers for pid in server.pids]

    def start(self, accounts):
        for server in self.servers:
            server.start(accounts)

    def wipe(self):
        for server in self.servers:
            server.wipe()
        self.dns.stop()
        self.authority.remove()


def compare(bench, steps):
    """Adds this round's ratios: to the cheaper of the peers, and to a message that stays on its server."""
    def cost(label, name):
        return (bench.results.get(label, {}).get(name, {}).get("cpu_us_per_message") or [None])[-1]

    for step in steps:
        for label in bench.labels:
            here, there = cost(label, step.extra["local"]), cost(label, step.name)
            if here and there:
                bench.keep(label, step.name, {"by_local": there / here})
        own = cost("anser", step.name)
        peers = [there for label in bench.labels if label != "anser" and (there := cost(label, step.name))]
        if own and peers:
            bench.keep("anser", step.name, {"times_cheaper": min(peers) / own})
