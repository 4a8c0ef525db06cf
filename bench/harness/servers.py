# SPDX-License-Identifier: AGPL-3.0-or-later
"""The servers that are compared: how each is started, seeded, stopped and killed. Loopback only."""

import base64
import dataclasses
import hashlib
import hmac
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent.parent
PASSWORD = "pw"
START_SECONDS = 60


def run(command, **options):
    return subprocess.run(command, check=True, text=True, **options)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a server stands: alone, or (with an authority) as one of two that federate."""

    domain: str = "localhost"
    ports_off: int = 0         # added to the ports of its kind
    dns_port: int = 0          # on 127.0.0.1
    authority: object = None   # issues the certificates: tests/flow/s2s.py

    @property
    def federates(self):
        return self.authority is not None


def make_certificate(directory, place):
    """An ECDSA P-256 certificate, the same kind for everybody; self-signed where nobody checks it."""
    directory.mkdir(parents=True, exist_ok=True)
    key, cert = directory / "server.key", directory / "server.crt"
    names = [place.domain, "conference." + place.domain]
    if place.federates:
        for made, path in zip(place.authority.issue(*names), (cert, key)):
            shutil.copy(made, path)
    else:
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-days", "30", "-subj", "/CN=" + place.domain,
             "-addext", "subjectAltName=" + ",".join("DNS:" + name for name in names),
             "-keyout", str(key), "-out", str(cert)], stderr=subprocess.DEVNULL)
    (directory / "server.pem").write_text(cert.read_text() + key.read_text())


class Server:
    """One candidate. `state` is wiped by start(); ports are fixed per kind."""

    label = "?"
    port = tls_port = 0
    raw = False
    arguments = ()  # of the generator

    def __init__(self, state_root, pin="0", place=Place()):
        self.state = pathlib.Path(state_root) / f"{self.label.replace(' ', '-')}-{place.domain}"
        self.pin, self.place = pin, place
        self.port, self.tls_port = self.port + place.ports_off, self.tls_port + place.ports_off
        self.s2s_port = self.tls_port + 1
        self.process = None

    def command(self):
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)

    def prepare(self, accounts):
        """Writes configuration and, where they are files, accounts."""

    def seed(self, accounts):
        """Makes accounts while the server runs."""

    def version(self):
        return ""

    def start(self, accounts=0, keep=False):
        if not keep:
            shutil.rmtree(self.state, ignore_errors=True)
            self.state.mkdir(parents=True)
            self.prepare(accounts)
        self.launch()
        self.wait_ready()
        if not keep:
            self.seed(accounts)

    def launch(self):
        pin = ["taskset", "-c", self.pin] if self.pin else []
        with open(self.state / "output", "ab") as log:
            self.process = subprocess.Popen(pin + self.command(), cwd=self.state, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=self.environment())

    def wait_ready(self):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.label} ended at once, see {self.state / 'output'}")
            try:
                socket.create_connection(("127.0.0.1", self.tls_port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{self.label} does not listen on {self.tls_port}")

    @property
    def pid(self):
        return self.process.pid

    @property
    def pids(self):
        return [self.pid]

    def stop(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self.process = None

    def wipe(self):
        self.stop()
        shutil.rmtree(self.state, ignore_errors=True)


def fill_in(template, target, words):
    text = (HERE / "peers" / template).read_text()
    for word, value in words.items():
        text = text.replace(f"@{word}@", str(value))
    target.write_text(text)


def package_version(name):
    out = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], text=True, capture_output=True)
    return out.stdout if out.returncode == 0 else ""


class Prosody(Server):
    label = "prosody"
    port, tls_port = 21522, 21523
    tuned = False

    def version(self):
        return package_version("prosody")

    def command(self):
        return ["prosody", "--root", "-F", "--config", str(self.state / "prosody.cfg.lua")]

    def prepare(self, accounts):
        make_certificate(self.state / "certs", self.place)
        fill_in("prosody.cfg.lua", self.state / "prosody.cfg.lua", {
            "S2S": self.federation(), "DOMAIN": self.place.domain,
            "TRUST": f'; cafile = "{self.place.authority.root}"' if self.place.federates else "",
            "DIR": self.state, "PORT": self.port, "TLSPORT": self.tls_port,
            "NAGLE": "false" if self.tuned else "true",
            "GC": "generational" if self.tuned else "incremental"})
        self.write_accounts(accounts)

    def federation(self):
        if not self.place.federates:
            return 'modules_disabled = { "s2s" }'
        return (f's2s_ports = {{ {self.s2s_port} }}\n'
                's2s_require_encryption = true\ns2s_secure_auth = true\n'
                f'unbound = {{ resolvconf = false, hoststxt = false, forward = "127.0.0.1@{self.place.dns_port}", '
                'options = { ["do-not-query-localhost:"] = "no" } }')

    def write_accounts(self, accounts):
        """Account files as mod_auth_internal_hashed writes them (SCRAM-SHA-1, 10000 rounds)."""
        directory = self.state / "data" / self.place.domain.replace(".", "%2e") / "accounts"
        directory.mkdir(parents=True)
        salt, rounds = "d1f5b8ac-1f0c-4d4e-9f53-1b1d3f0a7c11", 10000
        salted = hashlib.pbkdf2_hmac("sha1", PASSWORD.encode(), salt.encode(), rounds)
        client = hmac.new(salted, b"Client Key", "sha1").digest()
        server = hmac.new(salted, b"Server Key", "sha1").hexdigest()
        stored = hashlib.sha1(client).hexdigest()
        record = (f'return {{ ["iteration_count"] = {rounds}; ["salt"] = "{salt}"; '
                  f'["stored_key"] = "{stored}"; ["server_key"] = "{server}"; }};\n')
        for i in range(accounts):
            (directory / f"u{i}.dat").write_text(record)


class TunedProsody(Prosody):
    label = "prosody tuned"
    tuned = True


class Ejabberd(Server):
    label = "ejabberd"
    port, tls_port = 21622, 21623

    def version(self):
        return package_version("ejabberd")

    def libraries(self):
        files = run(["dpkg", "-L", "ejabberd"], capture_output=True).stdout
        return re.search(r"^(.*)/ejabberd-[^/]*/ebin$", files, re.M).group(1)

    def environment(self):
        return dict(os.environ, HOME=str(self.state), ERL_LIBS=self.libraries(),
                    EJABBERD_CONFIG_PATH=str(self.state / "ejabberd.yml"),
                    EJABBERD_LOG_PATH=str(self.state / "ejabberd.log"), ERL_CRASH_DUMP_BYTES="0")

    def command(self):
        data, seed = self.state / "data", self.state / "seed.erl"
        command = ["erl", "-noinput", "+K", "true", "+P", "1000000", "+Q", "1000000",
                   "-mnesia", "dir", f'"{data}"', "-s", "ejabberd"]
        if self.place.federates:
            command += ["-eval", 'inet_db:set_resolv_conf(""), inet_db:set_lookup([file, dns]), '
                        f"inet_db:res_option(nameservers, [{{{{127,0,0,1}}, {self.place.dns_port}}}])."]
        if not (self.state / "seeded").exists():
            command += ["-eval", f'ok = file:eval("{seed}")']
        return command

    def prepare(self, accounts):
        (self.state / "data").mkdir()
        make_certificate(self.state / "certs", self.place)
        fill_in("ejabberd.yml", self.state / "ejabberd.yml",
                {"S2S": self.federation(), "DOMAIN": self.place.domain,
                 "DIR": self.state, "PORT": self.port, "TLSPORT": self.tls_port})
        fill_in("seed.erl", self.state / "seed.erl",
                {"DIR": self.state, "DOMAIN": self.place.domain, "PREFIX": "u", "COUNT": max(accounts, 1)})

    def federation(self):
        if not self.place.federates:
            return ""
        return (f'  - port: {self.s2s_port}\n    ip: "127.0.0.1"\n    module: ejabberd_s2s_in\n'
                's2s_use_starttls: required\ns2s_protocol_options: [no_sslv3, no_tlsv1, no_tlsv1_1]\n'
                f'ca_file: "{self.place.authority.root}"\ns2s_cafile: "{self.place.authority.root}"\n'
                'outgoing_s2s_families: [ipv4]\n')

    def seed(self, accounts):
        end = time.monotonic() + START_SECONDS
        while not (self.state / "seeded").exists():
            if time.monotonic() > end or self.process.poll() is not None:
                raise RuntimeError(f"ejabberd made no accounts, see {self.state / 'output'}")
            time.sleep(0.1)


class Relay(Server):
    label = "floor"
    tls_port = 21722
    raw = True

    def __init__(self, state_root, binary, pin="0"):
        super().__init__(state_root, pin)
        self.binary = str(binary)

    def command(self):
        return [self.binary, str(self.tls_port)]


class Anser(Server):
    label = "anser"
    port, tls_port = 21822, 21823

    def __init__(self, state_root, binary, pin="0", shards=1, place=Place()):
        super().__init__(state_root, pin, place)
        self.binary = str(binary)
        self.shards = shards

    def version(self):
        out = subprocess.run([self.binary, "version"], text=True, capture_output=True)
        return out.stdout.strip().splitlines()[0] if out.stdout.strip() else ""

    def command(self):
        return [self.binary, "serve", "--data", str(self.state / "data"), "--domain", self.place.domain,
                "--set", f"listen.c2s=127.0.0.1:{self.port}",
                "--set", f"listen.c2s_tls=127.0.0.1:{self.tls_port}",
                "--set", "listen.https=", "--set", "limits.enabled=false",
                "--set", f"shards={self.shards}", "--set", "log.level=warning", *self.federation()]

    def federation(self):
        if not self.place.federates:
            return ["--set", "listen.s2s="]
        certs = self.state / "certs"
        options = {"listen.s2s": f"127.0.0.1:{self.s2s_port}", "s2s.nameserver": f"127.0.0.1:{self.place.dns_port}",
                   "tls.certificate": certs / "server.crt", "tls.key": certs / "server.key",
                   "s2s.ca_file": self.place.authority.root, "s2s.require_certificate": "true"}
        return [word for key, value in options.items() for word in ("--set", f"{key}={value}")]

    def prepare(self, accounts):
        if self.place.federates:
            make_certificate(self.state / "certs", self.place)

    def launch(self):
        pin = ["taskset", "-c", self.pin] if self.pin else []
        with open(self.state / "output", "ab") as log:
            self.process = subprocess.Popen(pin + self.command(), cwd=self.state, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=log)

    def wait_ready(self):
        """Reads the server's output until the line that begins with "ready"."""
        end, seen = time.monotonic() + START_SECONDS, b""
        while time.monotonic() < end:
            if select.select([self.process.stdout], [], [], 0.2)[0]:
                chunk = os.read(self.process.stdout.fileno(), 4096)
                if not chunk:
                    break
                seen += chunk
                if re.search(rb"^ready", seen, re.M):
                    return
        raise RuntimeError(f"anser is not ready, see {self.state / 'output'}: {seen[-300:]!r}")

    def user_add(self, *arguments):
        run([self.binary, "user", "add", *arguments, "--data", str(self.state / "data"),
             "--password-stdin"], input=PASSWORD + "\n", stdout=subprocess.DEVNULL)

    def seed(self, accounts):
        if accounts > 0:
            self.user_add("--many", "u", str(accounts))
