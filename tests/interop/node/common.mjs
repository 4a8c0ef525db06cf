// SPDX-License-Identifier: AGPL-3.0-or-later
// What the scripts share: where the server is (environment ANSER_TEST, JSON), TAP lines, waiting with a bound.
import WebSocket from "ws";

globalThis.WebSocket ??= WebSocket; // Node 20 has none of its own

export const world = JSON.parse(process.env.ANSER_TEST);
export const [alice, bob] = world.accounts;

let failed = 0;
let count = 0;

export async function step(name, fn) {
  count += 1;
  try {
    await bounded(fn(), 15000, name);
    console.log(`ok ${count} - ${name}`);
  } catch (err) {
    failed += 1;
    console.log(`not ok ${count} - ${name}\n  # ${String(err?.stack ?? err).replaceAll("\n", "\n  # ")}`);
  }
}

export function bounded(promise, ms, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing for ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export function done() {
  console.log(`1..${count}`);
  process.exit(failed ? 1 : 0);
}

export function check(cond, what) {
  if (!cond) throw new Error(what);
}
