// SPDX-License-Identifier: AGPL-3.0-or-later
// Signing out: a short stream of its own that ends the token of this device (XEP-0484).

import { bare, domain } from "./jid";
import { login } from "./login";
import { NS } from "./ns";
import { Disconnected } from "./stanza";
import { el, parse } from "./xml";
import type { El } from "./xml";

const GIVE_UP_MS = 5000;

/** Ends a token on the server (XEP-0484 §3.6), with a stream of its own. Gives up quietly. */
export function invalidateToken(url: string, jid: string, agentId: string, token: string): Promise<void> {
  return new Promise<void>((resolve) => {
    const socket = new WebSocket(url, "xmpp");
    const queue: El[] = [];
    let wake: (() => void) | undefined;
    const done = (): void => {
      clearTimeout(guard);
      socket.close();
      resolve();
    };
    const guard = setTimeout(done, GIVE_UP_MS);
    socket.onclose = done;
    socket.onmessage = (event: MessageEvent<unknown>) => {
      queue.push(parse(String(event.data)));
      wake?.();
    };
    const next = async (): Promise<El> => {
      while (queue.length === 0) await new Promise<void>((r) => (wake = r));
      const [node] = queue.splice(0, 1);
      if (!node) throw new Disconnected("closed");
      return node;
    };
    socket.onopen = () => {
      socket.send(el("open", NS.framing, { to: domain(jid), from: bare(jid), version: "1.0" }).toString());
      void (async () => {
        await next();
        const credentials = { kind: "token", token } as const;
        const channel = { send: (node: El) => socket.send(node.toString()), next };
        await login(channel, await next(), { user: jid.slice(0, jid.indexOf("@")), credentials, agentId, device: "", invalidate: true });
      })().then(done, done);
    };
  });
}
