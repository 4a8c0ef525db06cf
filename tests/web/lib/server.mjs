// SPDX-License-Identifier: AGPL-3.0-or-later
// The server under test: the binary on free loopback ports with an empty data directory.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL("..", import.meta.url));
const START_MS = 30_000;
const LOG_LINES_KEPT = 200;

async function freePort() {
  const probe = createServer();
  await new Promise((done) => probe.listen(0, "127.0.0.1", done));
  const { port } = probe.address();
  await new Promise((done) => probe.close(done));
  return port;
}

/** Starts the server; resolves when it printed the link that makes the first administrator and is ready. */
export async function startServer() {
  const binary = resolve(HERE, process.env.ANSER ?? "../../build/anser");
  const data = mkdtempSync(join(tmpdir(), "anser-journey-"));
  const port = await freePort();
  const settings = { "listen.https": `127.0.0.1:${port}`, "listen.c2s": "", "listen.c2s_tls": "", "listen.s2s": "" };
  const sets = Object.entries(settings).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
  const child = spawn(binary, ["serve", "--data", join(data, "data"), "--domain", "localhost", ...sets], { stdio: ["ignore", "pipe", "pipe"] });
  const log = [];
  let text = "";
  const ready = new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error("the server did not become ready")), START_MS);
    const take = (chunk) => {
      text += chunk;
      log.push(...String(chunk).split("\n").filter(Boolean));
      log.splice(0, log.length - LOG_LINES_KEPT);
      const code = /\/setup#([\w-]+)/.exec(text)?.[1];
      if (code && /\bready\b/.test(text)) {
        clearTimeout(timer);
        done(code);
      }
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.on("error", fail);
    child.on("exit", (status) => fail(new Error(`the server ended with ${status}`)));
  });
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null && child.pid) {
      const ended = new Promise((done) => child.once("exit", done));
      child.kill("SIGTERM");
      await ended;
    }
    rmSync(data, { recursive: true, force: true });
  };
  try {
    return { port, scheme: "https", code: await ready, log, stop };
  } catch (error) {
    await stop();
    throw new Error(`${error.message}\n${log.join("\n")}`);
  }
}
