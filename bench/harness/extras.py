# SPDX-License-Identifier: AGPL-3.0-or-later
"""Measurements that stop and start servers: kill -9, start-up, and two shards."""

import os
import pathlib
import random
import sys

from plan import Figure, Step

DURABLE = [
    Figure("acked", "acknowledged", "messages", digits=0),
    Figure("acked_but_lost", "acknowledged, then lost", "messages", 0, digits=0),
    Figure("acked_not_in_recipients_archive", "acknowledged, not in the recipient's archive", "messages",
           0, digits=0),
    Figure("acked_not_in_senders_archive", "acknowledged, not in the sender's archive", "messages", 0,
           digits=0),
    Figure("repeated_but_lost", "repeated after the restart, then lost", "messages", 0, digits=0),
    Figure("archived_twice", "archived twice (repeats carry the same origin-id)", "messages", 0, digits=0),
]

START = [
    Figure("exec_to_login_ms", "exec to first login answered", "ms", 50),
    Figure("rss_kb", "memory after it", "kB", 25600, digits=0),
]

SHARDS = [
    Figure("message_per_s", "throughput", "messages/s", lower=False, digits=0),
    Figure("cpu_us_per_message", "server CPU per message", "µs"),
    Figure("shard_us_per_message", "CPU of the busiest shard's thread per message", "µs"),
    Figure("store_us_per_message", "CPU of the store's writer thread per message", "µs"),
    Figure("generator_us_per_message", "generator's CPU per message", "µs"),
]

# With two cores the generator and the store's writer take most of one, so the throughput of two shards cannot show.
# Two ways around it. The steps "-slow" give each shard's thread a fifth of a core (cgroup of the kernel) and nobody else a limit:
# then the shards are the bottleneck, and the ratio of the throughputs is what counts. And without any limit, the CPU that the
# busiest shard's thread spends per message says what a core each would allow: too low, since turns of two shards that wait
# for the generator find fewer messages each.
SCALING = Figure("scaling_ratio", "throughput of two shards, in shards", "", 1.7, lower=False, digits=2)
CAPACITY = Figure("capacity_ratio", "capacity of two shards by CPU, in shards (busiest thread of one / of two)", "", lower=False, digits=2)
CGROUP = pathlib.Path("/sys/fs/cgroup/cpu")
PERIOD_US, QUOTA_US = 5000, 1000

STEPS = [
    Step("durable-online", [], DURABLE, "kill -9 at 100 messages/s, recipient on line"),
    Step("durable-offline", [], DURABLE, "kill -9 at 100 messages/s, recipient off line"),
    Step("durable-online-fast", [], DURABLE, "kill -9 at 2,000 messages/s, recipient on line"),
    Step("durable-offline-fast", [], DURABLE, "kill -9 at 2,000 messages/s, recipient off line"),
    Step("start", [], START, "Start-up, empty database"),
    Step("start-million", [], [Figure("exec_to_login_ms", "exec to first login answered", "ms", 200)],
         "Start-up, 1,000,000 archived messages"),
    Step("shards-1", [], SHARDS, "Chat, 100 pairs, 8 in flight, one shard, nothing pinned"),
    Step("shards-2", [], [*SHARDS, CAPACITY], "Chat, 100 pairs, 8 in flight, two shards, nothing pinned"),
    Step("shards-1-slow", [], SHARDS[:3], "Chat, 100 pairs, 16 in flight, one shard with a fifth of a core"),
    Step("shards-2-slow", [], [*SHARDS[:3], SCALING], "Chat, 100 pairs, 16 in flight, two shards with a fifth of a core each"),
]



def durable(bench, label, state, name, offline, rate):
    """Kills the server under load, starts it again and asks what is left."""
    server = bench.server(label, state)
    log = state + "/durable.log"
    common = ["--log", log, "--offline", str(int(offline))]
    try:
        server.start(10)
        sent = bench.generate(server, ["durable-send", "--rate", str(rate), "--kill-after-ms", str(random.randint(1500, 4500)),
                                       "--server-pids", str(server.pid), *common])
        server.process.wait()
        if sent is None:
            return
        server.start(keep=True)
        found = bench.generate(server, ["durable-check", *common])
        if found is not None:
            bench.keep(label, name, found)
            print(f"  {label:14} {name:20} acked {found['acked']}, lost {found['acked_but_lost']}",
                  file=sys.stderr)
    finally:
        server.wipe()


def start(bench, label, state, name, fill):
    """Starts the stopped server anew and measures until the first login."""
    server = bench.server(label, state)
    try:
        server.start(200)
        if fill and bench.generate(server, ["chat", "--pairs", "100", "--window", "16", "--count",
                                            str(fill), "--server-pids", str(server.pid)]) is None:
            return
        server.stop()
        environment = [f"{k}={v}" for k, v in server.environment().items() if bench_variable(k)]
        values = bench.generate(server, ["start"], after=["--", "taskset", "-c", "0", "env", *environment,
                                                          *server.command()])
        if values is not None:
            bench.keep(label, name, values)
            print(f"  {label:14} {name:16} {values['exec_to_login_ms']:.1f} ms", file=sys.stderr)
    finally:
        server.wipe()


def bench_variable(name):
    return name.startswith(("EJABBERD", "ERL", "HOME"))


def thread_ns(pid):
    """CPU nanoseconds so far of each thread of the server, by name."""
    times = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        times[name] = times.get(name, 0) + int((task / "schedstat").read_text().split()[0])
    return times


def slow_down(pid):
    """Puts each shard's thread into a cgroup of its own that gets QUOTA of each PERIOD. Returns the cgroups."""
    groups = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().startswith("shard"):
            group = CGROUP / f"anser-bench-{task.name}"
            group.mkdir()
            groups.append(group)
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(QUOTA_US))
            os.sched_setscheduler(int(task.name), os.SCHED_OTHER, os.sched_param(0))  # a limit does not hold real-time threads
            (group / "tasks").write_text(task.name)
    return groups


def can_slow_down():
    return (CGROUP / "tasks").exists() and os.access(CGROUP, os.W_OK)


def shards(bench, label, state, name, count):
    server = bench.server(label, state, pin=None, shards=count)
    groups = []
    try:
        server.start(200)
        slow = name.endswith("-slow")
        if slow:
            groups = slow_down(server.pid)
        seconds = ["--seconds", "1.5" if bench.args.quick else "4"]
        before = thread_ns(server.pid)
        # Without a warm-up: the threads' clocks are read from outside and count all messages.
        values = bench.generate(server, ["chat", "--pairs", "100", "--window", "16" if slow else "8", *seconds, "--warmup", "0",
                                         "--server-pids", str(server.pid)], pin=None)
        if values is not None:
            spent = {name: ns - before.get(name, 0) for name, ns in thread_ns(server.pid).items()}
            busiest = max(ns for name, ns in spent.items() if name.startswith("shard"))
            values["shard_us_per_message"] = busiest / 1000 / values["messages"]
            values["store_us_per_message"] = spent.get("store", 0) / 1000 / values["messages"]
            one = bench.results.get(label, {}).get(name.replace("-2", "-1"), {})
            if count == 2 and one:
                values["capacity_ratio"] = one["shard_us_per_message"][-1] / values["shard_us_per_message"]
                values["scaling_ratio"] = values["message_per_s"] / one["message_per_s"][-1]
            bench.keep(label, name, values)
            print(f"  {label:14} {name}: {values['message_per_s']:.0f} messages/s", file=sys.stderr)
    finally:
        server.wipe()
        for group in groups:
            group.rmdir()


def round(bench, label, state):
    """One round of everything here for one server. The relay has nothing to lose or to start."""
    if label == "floor":
        return
    jobs = [("durable-online", lambda: durable(bench, label, state, "durable-online", False, 100)),
            ("durable-offline", lambda: durable(bench, label, state, "durable-offline", True, 100)),
            ("start", lambda: start(bench, label, state, "start", 0))]
    if label == "anser":
        # The peers' disk takes fewer messages than that.
        jobs += [("durable-online-fast", lambda: durable(bench, label, state, "durable-online-fast", False, 2000)),
                 ("durable-offline-fast", lambda: durable(bench, label, state, "durable-offline-fast", True, 2000))]
        if bench.args.million:
            jobs.append(("start-million", lambda: start(bench, label, state, "start-million", 500000)))
        slow = [("shards-1-slow", 1), ("shards-2-slow", 2)] if can_slow_down() else []
        for name, count in [("shards-1", 1), ("shards-2", 2), *slow]:
            jobs.append((name, lambda name=name, count=count: shards(bench, label, state, name, count)))
    for name, job in jobs:
        if not bench.takes(name):
            continue
        try:
            job()
        except Exception as error:  # one server's trouble must not end the others' measurement
            bench.notes.append(f"{label}: {name}: {error}")
            print("  FAILED", label, name, error, file=sys.stderr)
