// SPDX-License-Identifier: AGPL-3.0-or-later
// converse.js in headless Chromium, over our WebSocket: signs in, chats both ways with a script, shows receipts and an avatar, uses a
// room, and has its history back on a fresh device. Screenshots go to the folder $INTEROP_SHOTS, when it is set.
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { client, xml } from "@xmpp/client";
import { chromium } from "playwright-core";
import { alice, bob, check, done, step, world } from "./common.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const DIST = join(HERE, "node_modules", "converse.js", "dist");
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".json": "application/json", ".svg": "image/svg+xml" };
const TIMEOUT_MS = 14_000;
const RECEIPTS = "urn:xmpp:receipts";
const DATA = "urn:xmpp:avatar:data", METADATA = "urn:xmpp:avatar:metadata";
// A red point.
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";
const jid = (account) => `${account.node}@${world.domain}`;

/** Serves the page and converse's own files. */
async function startPages() {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url, "http://localhost").pathname);
    const file = path === "/" ? join(HERE, "converse.html") : path.startsWith("/dist/") ? join(DIST, path.slice("/dist".length)) : null;
    try {
      const body = readFileSync(file);
      response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream" }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** A scripted person: a client of xmpp.js that keeps what it heard. */
async function startPerson({ node, password }) {
  const c = client({ service: `xmpps://127.0.0.1:${world.ports.c2s_tls}`, domain: world.domain, username: node, password });
  const heard = [], waiting = new Set();
  c.on("error", () => {});
  c.on("stanza", (el) => {
    heard.push(el);
    for (const look of [...waiting]) look();
  });
  c.hear = (test) => new Promise((resolve) => {
    const look = () => {
      const at = heard.findIndex(test);
      if (at < 0) return;
      waiting.delete(look);
      resolve(heard.splice(at, 1)[0]);
    };
    waiting.add(look);
    look();
  });
  await c.start();
  await c.iqCaller.get(xml("query", "jabber:iq:roster"));
  await c.send(xml("presence"));
  return c;
}

const says = (body, from) => (s) => s.is("message") && s.getChildText("body") === body && (!from || s.attrs.from.startsWith(from));

async function befriend(one, other) {
  for (const [a, b] of [[one, other], [other, one]]) {
    await a.send(xml("presence", { type: "subscribe", to: b.jid.bare().toString() }));
    await b.hear((s) => s.is("presence") && s.attrs.type === "subscribe");
    await b.send(xml("presence", { type: "subscribed", to: a.jid.bare().toString() }));
    await a.hear((s) => s.is("presence") && s.attrs.type === "subscribed");
  }
}

async function publishAvatar(c) {
  const bytes = Buffer.from(PNG, "base64"), id = createHash("sha1").update(bytes).digest("hex");
  const publish = (node, payload) =>
    c.iqCaller.set(xml("pubsub", "http://jabber.org/protocol/pubsub", xml("publish", { node }, xml("item", { id }, payload))));
  await publish(DATA, xml("data", DATA, PNG));
  await publish(METADATA, xml("metadata", METADATA, xml("info", { id, bytes: bytes.length, type: "image/png", width: 1, height: 1 })));
}

const shots = process.env.INTEROP_SHOTS;
const crashes = mkdtempSync(join(tmpdir(), "converse-chromium-"));
const pages = await startPages();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--ignore-certificate-errors", `--crash-dumps-dir=${crashes}`],
});
const partner = await startPerson(bob);
await publishAvatar(partner);
const before = await startPerson(alice);
await befriend(before, partner);
await before.stop();
const room = `converse${Date.now()}@${world.muc}`;
let page;

/** A device that holds nothing yet, signed in. */
async function signIn() {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB", ignoreHTTPSErrors: true });
  context.setDefaultTimeout(TIMEOUT_MS);
  page = await context.newPage();
  if (process.env.INTEROP_LOG) page.on("console", (m) => console.log(`# ${m.text()}`));
  await page.goto(`http://127.0.0.1:${pages.address().port}/`);
  await page.waitForFunction(() => window.converse?.plugins);
  await page.evaluate((url) => {
    window.converse.plugins.add("test", { initialize() { window.api = this._converse.api; } });
    window.converse.initialize({ websocket_url: url, discover_connection_methods: false, assets_path: "/dist/", view_mode: "fullscreen",
      auto_away: 0, show_desktop_notifications: "never", play_sounds: false, i18n: "en", whitelisted_plugins: ["test"], loglevel: "warn" });
  }, `wss://127.0.0.1:${world.ports.https}/xmpp-websocket`);
  await page.locator("input[name=jid]").fill(jid(alice));
  await page.locator("input[name=password]").fill(alice.password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.locator("converse-user-profile, .userinfo").first().waitFor();
}

const shot = async (name) => shots && page.screenshot({ path: join(shots, `converse-${name}.png`) });
const write = async (text) => {
  const box = page.locator("textarea.chat-textarea:visible");
  await box.fill(text);
  await box.press("Enter");
};
const sees = (text) => page.locator(".chat-msg__text:visible", { hasText: text }).first().waitFor();

const openChat = async () => {
  await page.locator("converse-roster .list-item", { hasText: bob.node }).first().click();
  await page.locator("textarea.chat-textarea:visible").waitFor();
};

await step("converse.js signs in over WebSocket and shows a contact", async () => {
  await signIn();
  await partner.hear((s) => s.is("presence") && !s.attrs.type && s.attrs.from.startsWith(`${jid(alice)}/converse`));
  await page.locator("converse-roster .list-item", { hasText: bob.node }).first().waitFor();
  await shot("roster");
});

await step("converse.js chats both ways, with receipts", async () => {
  await openChat();
  await write("from converse 鸿雁");
  const got = await partner.hear(says("from converse 鸿雁", jid(alice)));
  check(got.getChild("request", RECEIPTS), "no receipt is asked for");
  await partner.send(xml("message", { to: got.attrs.from, id: "back", type: "chat" }, xml("body", {}, "back to the browser"), xml("request", RECEIPTS)));
  await sees("back to the browser");
  await partner.hear((s) => s.is("message") && s.getChild("received", RECEIPTS)?.attrs.id === "back");
  await partner.send(xml("message", { to: got.attrs.from, type: "chat" }, xml("received", { xmlns: RECEIPTS, id: got.attrs.id })));
  await page.locator(".chat-msg__receipt:visible").first().waitFor();
});

await step("converse.js shows the avatar of a contact", async () => {
  await page.waitForFunction((png) => document.body.innerHTML.includes(png) || [...document.querySelectorAll("converse-avatar")].some(
    (el) => (el.shadowRoot ?? el).innerHTML.includes(png)), PNG.slice(0, 60), { timeout: TIMEOUT_MS });
  await shot("chat");
});

await step("converse.js uploads a picture and shows it", async () => {
  await page.locator("input[type=file]").first().setInputFiles({ name: "point.png", mimeType: "image/png", buffer: Buffer.from(PNG, "base64") });
  const got = await partner.hear((s) => s.is("message") && s.getChild("x", "jabber:x:oob"));
  const url = got.getChild("x", "jabber:x:oob").getChildText("url");
  check(url.endsWith("/point.png"), url);
  const answer = await fetch(url);
  check(answer.headers.get("content-type") === "image/png", answer.headers.get("content-type"));
  check(Buffer.from(await answer.arrayBuffer()).toString("base64") === PNG, "other bytes");
  await page.locator(`img[src^="${url}"]`).first().waitFor();
  await shot("picture");
});

await step("converse.js talks in a room", async () => {
  await page.evaluate(([name, nick]) => window.api.rooms.open(name, { nick }, true), [room, alice.node]);
  await page.locator("converse-muc textarea.chat-textarea:visible").waitFor();
  await partner.send(xml("presence", { to: `${room}/bert` }, xml("x", "http://jabber.org/protocol/muc")));
  await partner.hear((s) => s.is("presence") && s.attrs.from === `${room}/bert` && !s.attrs.type);
  await write("hello room");
  await partner.hear(says("hello room", `${room}/${alice.node}`));
  await partner.send(xml("message", { to: room, type: "groupchat" }, xml("body", {}, "hello browser")));
  await sees("hello browser");
  await page.locator("converse-muc .occupant-list", { hasText: "bert" }).waitFor();
  await shot("room");
});

await step("converse.js has its history on a fresh device", async () => {
  await page.context().close();
  await signIn();
  await openChat();
  await sees("from converse 鸿雁");
  await sees("back to the browser");
  await shot("history");
});

for (const context of browser.contexts()) await context.close();
await browser.close();
await partner.stop();
pages.close();
rmSync(crashes, { recursive: true, force: true });
done();
