// SPDX-License-Identifier: AGPL-3.0-or-later
// One person's way to the server: a relay that can be cut and mended, as networks are.

import { connect, createServer } from "node:net";

/** Passes bytes on until the allowance is used up; then the line is open but dead. */
function pass(from, to, allowance) {
  from.on("data", (chunk) => {
    allowance.left -= chunk.length;
    if (allowance.left < 0) from.pause();
    else if (!to.write(chunk)) from.pause();
  });
  to.on("drain", () => {
    if (allowance.left >= 0) from.resume();
  });
  from.on("end", () => to.end());
}

export async function openNetwork(port) {
  const pairs = new Set();
  const unlimited = { left: Infinity };
  const upstream = { left: Infinity };
  let up = true;
  const relay = createServer((near) => {
    near.on("error", () => near.destroy());
    if (!up) return near.destroy();
    const far = connect(port, "127.0.0.1");
    const pair = [near, far];
    pairs.add(pair);
    for (const [from, to] of [[near, far], [far, near]]) {
      pass(from, to, from === near ? upstream : unlimited);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        to.destroy();
        pairs.delete(pair);
      });
    }
  });
  await new Promise((done) => relay.listen(0, "127.0.0.1", done));
  const cut = () => {
    up = false;
    for (const pair of pairs) for (const socket of pair) socket.destroy();
  };
  return {
    port: relay.address().port,
    cut,
    /** Lets only so many bytes more go up, then stalls everything that goes up. */
    stallAfter: (bytes) => {
      upstream.left = bytes;
    },
    mend: () => {
      up = true;
      upstream.left = Infinity;
    },
    close: async () => {
      cut();
      await new Promise((done) => relay.close(done));
    },
  };
}
