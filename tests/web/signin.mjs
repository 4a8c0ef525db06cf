// SPDX-License-Identifier: AGPL-3.0-or-later
// Signing in and staying so: a reload in the first moment of a new account, a second factor, and system notifications.

import { createHash, randomBytes } from "node:crypto";
import { findBarriers } from "./lib/accessible.mjs";
import { openPerson } from "./lib/person.mjs";
import { startServer } from "./lib/server.mjs";
import { askAs, command } from "./lib/stanzas.mjs";
import { equal, hasFailed, step } from "./lib/tap.mjs";
import { Authenticator } from "./lib/totp.mjs";

const FACTOR = "urn:anser:second-factor:0";

/** Reloads once, in the very moment in which the client shows itself. */
function reloadAtFirstSight() {
  const look = () => {
    const seen = [...document.querySelectorAll("h1, h2")].some((h) => h.textContent === "Chats");
    if (!seen || sessionStorage.getItem("reloaded")) return;
    sessionStorage.setItem("reloaded", "yes");
    location.reload();
  };
  new MutationObserver(look).observe(document, { childList: true, subtree: true, characterData: true });
}

async function firstMoment(alice, server) {
  await step("sign-in: a reload right after the account was made stays signed in", async () => {
    await alice.page.addInitScript(reloadAtFirstSight);
    await alice.page.goto(`${alice.origin}/setup#${server.code}`);
    await alice.createAccount();
    await alice.page.waitForFunction(() => sessionStorage.getItem("reloaded") === "yes" && document.readyState === "complete");
    const chats = alice.page.getByRole("heading", { name: "Chats" }), door = alice.page.getByLabel("Password", { exact: true });
    await chats.or(door).first().waitFor();
    equal(await door.count(), 0, "sign-in forms after the reload");
    equal(await alice.page.evaluate(() => sessionStorage.getItem("reloaded")), "yes", "reloaded");
  });
}

async function enrol(alice, password) {
  const [first] = await askAs(alice.page, "alice", password, [command(`${FACTOR}#on`, { password })]);
  const app = new Authenticator(/var='secret'[^>]*>\s*<value>([A-Z2-7]+)</.exec(first)[1]);
  const [second] = await askAs(alice.page, "alice", password, [command(`${FACTOR}#on`, { code: app.code() })]);
  return { app, recovery: [.../recovery-codes.*/s.exec(second)[0].matchAll(/<value>([a-z2-7-]+)</g)].map((m) => m[1]) };
}

async function secondFactor(browser, server, alice) {
  const other = await openPerson(browser, server, "alice", {});
  const { page } = other;
  const signIn = page.getByRole("button", { name: "Sign in" }), code = page.getByLabel("Code", { exact: true });
  let factor;
  await step("sign-in: an account with a second factor asks for its code, in the same form", async () => {
    factor = await enrol(alice, "alice likes long pass phrases");
    equal(factor.recovery.length, 10, "recovery codes");
    await page.goto(other.origin);
    await page.getByLabel("Name", { exact: true }).fill("alice");
    await page.getByLabel("Password", { exact: true }).fill("not the password");
    await signIn.click();
    await page.getByRole("alert").filter({ hasText: "Name and password do not match." }).waitFor();
    equal(await code.count(), 0, "code fields while the password is wrong");
    await page.getByLabel("Password", { exact: true }).fill("alice likes long pass phrases");
    await signIn.click();
    await code.waitFor();
    await other.meetsNoBarrier("the sign-in form with a code");
  });
  await step("sign-in: a wrong code is told, a right one opens the account, a reload needs none", async () => {
    await code.fill(factor.app.wrong());
    await signIn.click();
    await page.getByRole("alert").filter({ hasText: "This code is wrong" }).waitFor();
    await code.fill(factor.app.code());
    await signIn.click();
    await page.getByRole("heading", { name: "Chats" }).waitFor();
    await other.reload();
    await page.getByRole("heading", { name: "Chats" }).waitFor();
    equal(await code.count(), 0, "code fields after the reload");
  });
  const third = await openPerson(browser, server, "alice", {});
  await step("sign-in: a recovery code opens the account, and the form speaks Chinese", async () => {
    const inChinese = third.page;
    await inChinese.goto(third.origin);
    await inChinese.getByLabel("Name", { exact: true }).waitFor();
    await inChinese.getByRole("radio", { name: "简体中文" }).check({ force: true });
    await inChinese.getByLabel("用户名", { exact: true }).fill("alice");
    await inChinese.getByLabel("密码", { exact: true }).fill("alice likes long pass phrases");
    await inChinese.getByRole("button", { name: "登录" }).click();
    await inChinese.getByLabel("验证码", { exact: true }).fill(factor.recovery[0]);
    await inChinese.getByRole("button", { name: "登录" }).click();
    await inChinese.getByLabel("验证码", { exact: true }).waitFor({ state: "detached" });
    await inChinese.getByRole("button", { name: "登录" }).waitFor({ state: "detached" });
  });
  for (const person of [other, third]) await person.close();
  await consent(alice, factor);
}

/** What the page asked the system to show, instead of showing it. asWorker: as on a telephone, where only a service worker may. */
function recordNotifications(asWorker) {
  window.shown = [];
  const note = (way, title, options) => window.shown.push({ way, title, body: options?.body, tag: options?.tag, data: options?.data });
  ServiceWorkerRegistration.prototype.showNotification = function showNotification(title, options) {
    note("worker", title, options);
    return Promise.resolve();
  };
  window.Notification = class extends Notification {
    constructor(title, options) {
      super(title, { ...options, silent: true });
      if (asWorker) {
        this.close();
        throw new TypeError("Illegal constructor");
      }
      note("page", title, options);
      window.lastNote = this;
    }
  };
}

/** Headless pages always have the focus unless they are told that they may lose it. */
async function lookElsewhere(person) {
  const cdp = await person.context.newCDPSession(person.page);
  await cdp.send("Emulation.setFocusEmulationEnabled", { enabled: false });
  const elsewhere = await person.context.newPage();
  await elsewhere.bringToFront();
  await person.page.waitForFunction(() => !document.hasFocus());
  return elsewhere;
}

async function befriend(server, browser, alice, name) {
  const bob = await openPerson(browser, server, name, {});
  await alice.pickMenu("Invite people");
  const link = await alice.page.getByLabel("Invitation link").inputValue();
  await alice.page.keyboard.press("Escape");
  await bob.page.goto(bob.origin + new URL(link).pathname);
  await bob.createAccount();
  await bob.page.getByRole("textbox", { name: "Message alice" }).waitFor();
  return bob;
}

async function notifications(browser, server, alice) {
  for (const asWorker of [false, true]) {
    const how = asWorker ? "through the service worker where pages may not" : "to who looks elsewhere";
    await step(`notifications: a message is shown ${how}`, async () => {
      const bob = await befriend(server, browser, alice, asWorker ? "dora" : "bob");
      const { page } = bob;
      const cdp = await browser.newBrowserCDPSession();
      const { targetInfos } = await cdp.send("Target.getTargets");
      const { browserContextId } = targetInfos.find((t) => t.url.startsWith(bob.origin));
      await cdp.send("Browser.grantPermissions", { origin: bob.origin, permissions: ["notifications"], browserContextId });
      await page.addInitScript(recordNotifications, asWorker);
      await page.goto(`${bob.origin}/settings`);
      equal(await page.evaluate(() => Notification.permission), "granted", "permission");
      await page.evaluate(() => navigator.serviceWorker.ready);
      await page.getByRole("switch", { name: "Tell me about new messages" }).check({ force: true });
      await page.keyboard.press("Escape");
      await alice.openChat(bob.name);
      await alice.write("while you look");
      await bob.openChat("alice");
      await bob.sees("while you look");
      equal(await page.evaluate(() => window.shown), [], "shown while looking");
      const elsewhere = await lookElsewhere(bob);
      await alice.write("while you look elsewhere");
      await page.waitForFunction(() => window.shown.length > 0);
      const [shown, ...more] = await page.evaluate(() => window.shown);
      equal(more, [], "further notifications");
      equal(shown, { way: asWorker ? "worker" : "page", title: "alice", body: "while you look elsewhere", tag: "alice@localhost",
        ...(asWorker ? { data: "/c/alice" } : {}) }, "notification");
      await elsewhere.close();
      equal(bob.problems, [], "problems");
      await bob.close();
    });
  }
}

/** An application of somebody else asks for access; its own page is played here. */
async function consent(alice, factor) {
  await step("sign-in: the owner lets an application in on a page of the server", async () => {
    const page = await alice.context.newPage();
    await page.goto(alice.origin);
    const verifier = randomBytes(32).toString("base64url"), redirect = "https://reader.example/back";
    const ask = (path, options) => page.evaluate(async ([p, o]) => (await fetch(p, o)).json(), [path, options]);
    const { client_id: client } = await ask("/oauth/register", { method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ client_name: "Feed reader", redirect_uris: [redirect] }) });
    await page.route("https://reader.example/**", (route) => route.fulfill({ body: "back" }));
    await page.goto(`${alice.origin}/oauth/authorize?${new URLSearchParams({ response_type: "code", client_id: client, redirect_uri: redirect,
      state: "mine", code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256" })}`);
    await page.getByRole("heading", { name: "Allow access?" }).waitFor();
    await page.getByText("Feed reader").waitFor();
    equal(await findBarriers(page), [], "barriers of the page");
    await page.getByLabel("Name").fill("alice");
    await page.getByLabel("Password").fill("alice likes long pass phrases");
    await page.getByRole("button", { name: "Allow" }).click();
    await page.getByRole("alert").filter({ hasText: "is wrong" }).waitFor();
    await page.getByLabel("Name").fill("alice");
    await page.getByLabel("Password").fill("alice likes long pass phrases");
    await page.getByLabel("Code").fill(factor.recovery[1]);
    await page.getByRole("button", { name: "Allow" }).click();
    await page.waitForURL("https://reader.example/back?**");
    const params = new URL(page.url()).searchParams;
    equal(params.get("state"), "mine", "state");
    await page.goto(alice.origin);
    const token = await ask("/oauth/token", { method: "POST", headers: { "Content-Type": "application/x-www-form-urlencoded" },
      body: String(new URLSearchParams({ grant_type: "authorization_code", code: params.get("code"), client_id: client, redirect_uri: redirect, code_verifier: verifier })) });
    equal(token.token_type, "Bearer", "the token");
    await page.close();
  });
}

export async function signInAndNotify(browser) {
  let server;
  await step("sign-in: the server starts", async () => {
    server = await startServer();
  });
  if (!server) return;
  const alice = await openPerson(browser, server, "alice", {});
  await firstMoment(alice, server);
  await notifications(browser, server, alice);
  await secondFactor(browser, server, alice);
  await step("sign-in: the page complained about nothing", () => equal(alice.problems, [], "problems"));
  if (hasFailed()) for (const line of server.log.slice(-20)) console.log(`# server: ${line}`);
  await alice.close();
  await server.stop();
}
