// SPDX-License-Identifier: AGPL-3.0-or-later
// The Test Anything Protocol: steps in order; after a failure the rest is not run, for it stands on what failed.

let count = 0;
let failed = false;

export async function step(name, work) {
  count += 1;
  if (failed) {
    console.log(`not ok ${count} - ${name} # not run, an earlier step failed`);
    return;
  }
  try {
    await work();
    console.log(`ok ${count} - ${name}`);
  } catch (error) {
    failed = true;
    console.log(`not ok ${count} - ${name}`);
    for (const line of String(error?.stack ?? error).split("\n")) console.log(`# ${line}`);
  }
}

export function finish() {
  console.log(`1..${count}`);
  return failed ? 1 : 0;
}

export const hasFailed = () => failed;

export function equal(actual, expected, what) {
  const [a, e] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== e) throw new Error(`${what}: expected ${e}, got ${a}`);
}
