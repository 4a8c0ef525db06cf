# SPDX-License-Identifier: AGPL-3.0-or-later
"""Two servers of one kind that federate: own names, the tests' DNS server and authority, all on 127.0.0.1."""

import pathlib
import sys

import servers

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "flow"))

from kit.dns import Dns  # noqa: E402
from s2s import Authority  # noqa: E402

DOMAINS = ("one.example", "two.example")
PORTS_APART = 40  # of the two, and from a server that runs alone
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
        self.servers = [make(servers.Place(domain, (i + 1) * PORTS_APART, self.dns.port, self.authority))
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


def compare(results, steps):
    """Adds the ratios of each round: to the cheaper of the peers, and to a message that stays on its server."""
    for step in steps:
        cost = {label: of[step.name]["cpu_us_per_message"] for label, of in results.items() if step.name in of}
        for label, values in cost.items():
            local = results[label].get(step.extra["local"], {}).get("cpu_us_per_message", [])
            if len(local) == len(values):  # else a round failed, and it is not known which
                results[label][step.name]["by_local"] = [there / here for here, there in zip(local, values)]
        own = cost.pop("anser", [])
        peers = [values for values in cost.values() if len(values) == len(own)]
        if own and peers:
            results["anser"][step.name]["times_cheaper"] = [min(others) / mine for mine, *others in zip(own, *peers)]
