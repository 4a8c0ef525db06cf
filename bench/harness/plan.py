# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is measured: for each step the generator's arguments, the figures kept, and our targets."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    key: str            # in the generator's JSON
    title: str          # in the table
    unit: str
    target: float = None  # what anser must reach; None = only reported
    lower: bool = True  # lower is better
    digits: int = 1


@dataclass(frozen=True)
class Step:
    name: str
    arguments: list
    figures: list
    title: str
    group: str = "main"        # steps of a group share one started server
    floor: list = None         # arguments for the relay; None = it cannot do this
    only: tuple = None         # labels of the servers that take part
    setup: bool = False        # run, but not reported
    first: int = 0             # first account
    latency: bool = False      # at a low rate: what counts is when the scheduler lets it run
    extra: dict = field(default_factory=dict)


def chat_figures(cost, rate=None, p99=None):
    return [
        Figure("cpu_us_per_message", "server CPU per message", "µs", cost),
        Figure("message_per_s", "throughput", "messages/s", rate, lower=False, digits=0),
        Figure("latency_p50_ms", "latency p50", "ms", digits=2),
        Figure("latency_p99_ms", "latency p99", "ms", p99, digits=2),
        Figure("ack_drain_ms", "until all is acknowledged", "ms"),
    ]


FEDERATING = ("anser", "ejabberd", "prosody tuned")


def s2s_figures():
    return [
        Figure("cpu_us_per_message", "CPU of both servers per message", "µs"),
        Figure("times_cheaper", "CPU of the cheaper peer, by Anser's", "×", 10, lower=False),
        Figure("by_local", "by the CPU of a message within one server", "×"),
        *chat_figures(None)[1:],
    ]


def plan(quick, sessions):
    """The steps in their order. Accounts u0...: 2000-2999 are kept for rosters and archives."""
    seconds = ["--seconds", "1.5" if quick else "4"]
    long_room = 200 if quick else 1000
    archive = 2000 if quick else 10000
    room = lambda count, window: ["room", "--count", str(count), "--window", str(window),
                                  "--room", f"r{count}", *seconds]
    room_figures = [
        Figure("join_cpu_us_per_presence", "joining, CPU per presence", "µs", 8),
        Figure("cpu_us_per_delivery", "CPU per delivery", "µs", 8),
        Figure("delivery_per_s", "deliveries", "1/s", lower=False, digits=0),
        Figure("last_occupant_p50_ms", "last occupant p50", "ms", digits=1),
    ]
    crowd = 1000 if quick else min(sessions, 10000)
    one = ["chat", "--pairs", "100", "--window", "1", *seconds]
    eight = ["chat", "--pairs", "20", "--window", "8", *seconds]
    steady = ["chat", "--pairs", "100", "--rate", "200", *seconds]
    login = ["login", "--count", "100", "--cycles", "3" if quick else "10"]
    alone = ["login", "--count", "20", "--cycles", "3", "--concurrency", "1"]
    return [
        Step("chat-100x1", one, chat_figures(45), "Chat, 100 pairs, one message in flight each",
             floor=[*one, "--answer", "1"]),
        Step("chat-20x8", eight, chat_figures(25), "Chat, 20 pairs, eight messages in flight each",
             floor=[*eight, "--answer", "1"]),
        Step("chat-200ps", steady, chat_figures(None, p99=1.0)[:4], "Chat, 200 messages/s in all",
             floor=steady, latency=True),
        Step("chat-100x1-ask", [*one, "--ask-every", "1"], chat_figures(None),
             "Chat, 100 pairs, an acknowledgement asked after every message"),
        Step("login", login, [
            Figure("cpu_ms_per_login", "server CPU per login", "ms", 0.6, digits=2),
            Figure("login_per_s", "logins", "1/s", lower=False, digits=0)],
            "Logins, STARTTLS, 20 at a time (floor: TLS handshake and one message)", floor=login),
        Step("login-alone", alone, [Figure("latency_p50_ms", "latency p50", "ms", digits=2)],
             "Logins, one at a time", floor=alone, latency=True),
        Step("room-100", room(100, 4), room_figures, "Room of 100 occupants", floor=room(100, 4)),
        Step("room-1000", room(long_room, 2), room_figures, f"Room of {long_room} occupants",
             floor=room(long_room, 2)),
        Step("room-crowd", ["room", "--count", str(crowd), "--crowd", "1", "--room", "crowd", "--sources", "20",
                            "--concurrency", "64", "--seconds", "2"], [
            Figure("enter_p50_ms", "entering the nearly full room, p50", "ms", digits=1),
            Figure("join_cpu_us_per_join", "CPU per join", "µs"),
            Figure("cpu_us_per_delivery", "CPU per delivery", "µs", 8),
            Figure("last_occupant_p50_ms", "last occupant p50", "ms", digits=1)],
            f"Room of {crowd} occupants, crowd settings as shipped", group="crowd"),
        Step("presence", ["presence", "--count", "200", "--cycles", "5" if quick else "20"],
             [Figure("cpu_us_per_presence", "CPU per presence", "µs", 8),
              Figure("presence_per_s", "presences", "1/s", lower=False, digits=0)],
             "Presence to 200 contacts", first=2000),
        Step("pep-200", ["pep", "--count", "200", "--cycles", "10" if quick else "50"],
             [Figure("cpu_us_per_event", "CPU per event", "µs", 10),
              Figure("event_per_s", "events", "1/s", lower=False, digits=0),
              Figure("latency_p50_ms", "latency p50", "ms", digits=2)],
             "PEP publication to 200 contacts", first=2500),
        Step("archive-fill", ["chat", "--pairs", "1", "--window", "16", "--count", str(archive)],
             [Figure("cpu_us_per_message", "storing, CPU per message", "µs")],
             "Archive: one pair, 16 in flight", first=2300),
        Step("archive-page", ["archive", "--page", "50", "--cycles", "2",
                              "--count", str(archive)],
             [Figure("cpu_us_per_message", "paging, CPU per message", "µs", 8),
              Figure("page_p50_ms", "page of 50, p50", "ms", digits=2)],
             f"Archive of {archive} messages, pages of 50", first=2301),
        Step("idle", ["idle", "--count", str(sessions), "--sources", "20", "--seconds", "2"],
             [Figure("rss_kb_per_session", "memory per session", "kB", 18),
              Figure("idle_cpu_pct", "CPU while idle", "%", digits=2)],
             f"{sessions} idle sessions", group="idle",
             floor=["idle", "--count", str(sessions), "--sources", "20", "--seconds", "1"]),
        Step("disk-100x1", one, chat_figures(45, 20000), "Chat, 100 pairs, database on disk",
             group="disk"),
        Step("disk-100x8", ["chat", "--pairs", "100", "--window", "8", *seconds],
             chat_figures(25, 20000), "Chat, 100 pairs, eight in flight, database on disk",
             group="disk"),
        Step("s2s-100x1", one, s2s_figures(), "Chat between two servers, 100 pairs, one message in flight each",
             group="s2s", only=FEDERATING, extra={"local": "chat-100x1"}),
        Step("s2s-20x8", eight, s2s_figures(), "Chat between two servers, 20 pairs, eight messages in flight each",
             group="s2s", only=FEDERATING, extra={"local": "chat-20x8"}),
    ]
