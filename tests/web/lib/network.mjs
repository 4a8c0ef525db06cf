// SPDX-License-Identifier: AGPL-3.0-or-later
// One person's way to the server: a relay that can be cut and mended, as networks are.

import { connect, createServer } from "node:net";

export async function openNetwork(port) {
  const pairs = new Set();
  let up = true;
  const relay = createServer((near) => {
    near.on("error", () => near.destroy());
    if (!up) return near.destroy();
    const far = connect(port, "127.0.0.1");
    const pair = [near, far];
    pairs.add(pair);
    for (const [from, to] of [[near, far], [far, near]]) {
      from.pipe(to);
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
    mend: () => {
      up = true;
    },
    close: async () => {
      cut();
      await new Promise((done) => relay.close(done));
    },
  };
}
