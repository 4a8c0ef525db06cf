// SPDX-License-Identifier: AGPL-3.0-or-later
// @xmpp/client signs in over each transport, chats, uses a room, resumes.
import { client, xml } from "@xmpp/client";
import { alice, bob, bounded, check, done, step, world } from "./common.mjs";

const services = {
  "direct TLS": `xmpps://127.0.0.1:${world.ports.c2s_tls}`,
  STARTTLS: `xmpp://127.0.0.1:${world.ports.c2s}`,
  WebSocket: `wss://127.0.0.1:${world.ports.https}/xmpp-websocket`,
};

function make(account, service) {
  const c = client({ service, domain: world.domain, username: account.node, password: account.password });
  c.on("error", () => {}); // a lost connection is part of the play; steps have time limits
  return c;
}

// Resolves with the first stanza from now on that passes the test.
function stanza(c, test) {
  return new Promise((resolve) => {
    const look = (el) => {
      if (!test(el)) return;
      c.removeListener("stanza", look);
      resolve(el);
    };
    c.on("stanza", look);
  });
}

const online = [];
for (const [name, service] of Object.entries(services)) {
  await step(`xmpp.js signs in over ${name}`, async () => {
    const c = make(alice, service);
    const address = await c.start();
    check(address.bare().toString() === `${alice.node}@${world.domain}`, `signed in as ${address}`);
    await c.stop();
  });
}

const a = make(alice, services["direct TLS"]);
const b = make(bob, services.WebSocket);

await step("xmpp.js: two users chat", async () => {
  online.push(await a.start(), await b.start());
  await a.send(xml("presence"));
  await b.send(xml("presence"));
  const heard = stanza(b, (s) => s.is("message") && s.getChildText("body") === "from xmpp.js 鸿雁");
  await a.send(xml("message", { to: online[1].toString(), type: "chat" }, xml("body", {}, "from xmpp.js 鸿雁")));
  const got = await heard;
  check(got.attrs.from === online[0].toString(), `from is ${got.attrs.from}`);
});

await step("xmpp.js: requests are answered", async () => {
  const answer = await a.iqCaller.get(xml("query", "http://jabber.org/protocol/disco#info"), world.domain);
  check(answer.getChildren("feature").length > 5, "few features");
});

await step("xmpp.js: both talk in a room", async () => {
  const room = `js${Date.now()}@${world.muc}`;
  for (const [c, nick] of [
    [a, "anne"],
    [b, "bert"],
  ]) {
    const inside = stanza(c, (s) => s.is("presence") && s.attrs.from === `${room}/${nick}` && s.attrs.type === undefined);
    await c.send(xml("presence", { to: `${room}/${nick}` }, xml("x", "http://jabber.org/protocol/muc")));
    await inside;
    if (c === a) {
      await a.iqCaller.set(
        xml("query", "http://jabber.org/protocol/muc#owner", xml("x", { xmlns: "jabber:x:data", type: "submit" })),
        room,
      );
    }
  }
  const heard = stanza(a, (s) => s.is("message") && s.attrs.from === `${room}/bert` && s.getChildText("body") === "hello room");
  await b.send(xml("message", { to: room, type: "groupchat" }, xml("body", {}, "hello room")));
  await heard;
});

await step("xmpp.js: a lost connection is resumed with what was missed", async () => {
  check(a.streamManagement.enabled, "stream management is not enabled");
  const before = online[0].toString();
  const resumed = new Promise((resolve) => a.streamManagement.on("resumed", resolve));
  const missed = stanza(a, (s) => s.is("message") && s.getChildText("body") === "while away");
  a.socket.socket ? a.socket.socket.destroy() : a.socket.destroy();
  await b.send(xml("message", { to: before, type: "chat" }, xml("body", {}, "while away")));
  await bounded(resumed, 12000, "resumption");
  await missed;
  check(a.jid.toString() === before, `now ${a.jid}`);
});

await step("xmpp.js: both sign out", async () => {
  await a.stop();
  await b.stop();
});
done();
