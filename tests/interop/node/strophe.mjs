// SPDX-License-Identifier: AGPL-3.0-or-later
// strophe.js signs in over WebSocket and over BOSH, chats, uses a room. (It has no stream resumption.)
import { $iq, $msg, $pres, Strophe } from "strophe.js";
import { alice, bob, bounded, check, done, step, world } from "./common.mjs";
import "./xhr.mjs";

const services = {
  WebSocket: `wss://127.0.0.1:${world.ports.https}/xmpp-websocket`,
  BOSH: `https://127.0.0.1:${world.ports.https}/http-bind`,
};

function connect(service, account) {
  const c = new Strophe.Connection(service);
  return new Promise((resolve, reject) => {
    c.connect(`${account.node}@${world.domain}`, account.password, (status, reason) => {
      if (status === Strophe.Status.CONNECTED) resolve(c);
      if ([Strophe.Status.AUTHFAIL, Strophe.Status.CONNFAIL, Strophe.Status.ERROR].includes(status)) {
        reject(new Error(`status ${status} ${reason}`));
      }
    });
  });
}

// Resolves with the first stanza of this name that passes the test.
function stanza(c, name, test) {
  return new Promise((resolve) => {
    c.addHandler(
      (el) => {
        if (!test(el)) return true;
        resolve(el);
        return false;
      },
      null,
      name,
    );
  });
}

const body = (el) => el.getElementsByTagName("body")[0]?.textContent;
async function play(transport, service) {
  let a;
  let b;

  await step(`strophe.js over ${transport} signs in`, async () => {
    a = await connect(service, alice);
    b = await connect(service, bob);
    check(Strophe.getBareJidFromJid(a.jid) === `${alice.node}@${world.domain}`, a.jid);
    a.send($pres());
    b.send($pres());
  });

  await step(`strophe.js over ${transport} refuses a wrong password`, async () => {
    await connect(service, { node: alice.node, password: "wrong" }).then(
      () => check(false, "accepted"),
      (err) => check(String(err).includes(String(Strophe.Status.AUTHFAIL)), String(err)),
    );
  });

  await step(`strophe.js over ${transport}: two users chat`, async () => {
    const heard = stanza(b, "message", (el) => body(el) === "from strophe 鸿雁");
    a.send($msg({ to: b.jid, type: "chat" }).c("body").t("from strophe 鸿雁"));
    check((await heard).getAttribute("from") === a.jid, "from");
  });

  await step(`strophe.js over ${transport}: requests are answered`, async () => {
    await bounded(
      new Promise((resolve, reject) => {
        a.sendIQ($iq({ type: "get", to: world.domain }).c("ping", { xmlns: "urn:xmpp:ping" }), resolve, reject);
      }),
      5000,
      "ping",
    );
  });

  await step(`strophe.js over ${transport}: both talk in a room`, async () => {
    const room = `st${transport.toLowerCase()}${Date.now()}@${world.muc}`;
    for (const [c, nick] of [
      [a, "anne"],
      [b, "bert"],
    ]) {
      const inside = stanza(c, "presence", (el) => el.getAttribute("from") === `${room}/${nick}` && !el.getAttribute("type"));
      c.send($pres({ to: `${room}/${nick}` }).c("x", { xmlns: "http://jabber.org/protocol/muc" }));
      await inside;
      if (c === a) {
        await new Promise((resolve, reject) => {
          a.sendIQ(
            $iq({ type: "set", to: room })
              .c("query", { xmlns: "http://jabber.org/protocol/muc#owner" })
              .c("x", { xmlns: "jabber:x:data", type: "submit" }),
            resolve,
            reject,
          );
        });
      }
    }
    const heard = stanza(a, "message", (el) => el.getAttribute("from") === `${room}/bert` && body(el) === "hello room");
    b.send($msg({ to: room, type: "groupchat" }).c("body").t("hello room"));
    await heard;
  });

  await step(`strophe.js over ${transport} signs out`, async () => {
    await Promise.all(
      [a, b].map(
        (c) =>
          new Promise((resolve) => {
            const poll = setInterval(() => {
              if (!c.connected) {
                clearInterval(poll);
                resolve();
              }
            }, 20);
            c.disconnect("done");
          }),
      ),
    );
  });
}

for (const [transport, service] of Object.entries(services)) await play(transport, service);
done();
