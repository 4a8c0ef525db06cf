// SPDX-License-Identifier: AGPL-3.0-or-later
// The newcomer's journey, in a real browser against the real server: the first administrator, an invitation, a second
// person, words and a picture both ways, reload, a group, a network that breaks. On a desk and on a telephone.
//
//   ANSER=path/to/anser node journey.mjs      (TAP on standard output; status 1 when a step fails)

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openBrowser } from "./lib/browser.mjs";
import { openPerson } from "./lib/person.mjs";
import { gradientPng } from "./lib/picture.mjs";
import { startServer } from "./lib/server.mjs";
import { signInAndNotify } from "./signin.mjs";
import { equal, finish, hasFailed, step } from "./lib/tap.mjs";

// A group message is "sent" when the room has it; between two people there is more to know.
const ARRIVED = ["sent", "delivered", "read"];
const LOOKS = {
  desk: { width: 1280, height: 800, colorScheme: "light" },
  telephone: { width: 360, height: 740, colorScheme: "dark" },
};

async function meet(alice, bob, server, at) {
  await step(`${at}: the printed link makes the first administrator`, async () => {
    await alice.page.goto(`${alice.origin}/setup#${server.code}`);
    await alice.page.getByLabel("Choose a name").waitFor();
    await alice.meetsNoBarrier("setup");
    await alice.createAccount();
    await alice.page.getByRole("heading", { name: "Chats" }).waitFor();
    await alice.meetsNoBarrier("the empty list");
  });
  let link = "";
  await step(`${at}: the administrator makes an invitation link`, async () => {
    await alice.pickMenu("Invite people");
    link = await alice.page.getByLabel("Invitation link").inputValue();
    await alice.meetsNoBarrier("the invitation dialog");
    await alice.page.keyboard.press("Escape");
    equal(/^https?:\/\/[^/]+\/i\/[\w-]+$/.test(link), true, `a link (${link})`);
  });
  await step(`${at}: the invited person registers and lands in the conversation`, async () => {
    await bob.page.goto(bob.origin + new URL(link).pathname);
    await bob.page.getByRole("heading", { name: "alice invites you" }).waitFor();
    await bob.meetsNoBarrier("the invitation");
    await bob.createAccount();
    await bob.page.getByRole("textbox", { name: "Message alice" }).waitFor();
  });
  await step(`${at}: both are contacts and see each other online`, async () => {
    await bob.page.getByRole("region", { name: "alice" }).getByText("Online", { exact: true }).waitFor();
    await alice.openChat("bob");
    await alice.page.getByRole("region", { name: "bob" }).getByText("Online", { exact: true }).waitFor();
  });
}

async function talk(alice, bob, at) {
  await step(`${at}: a message is delivered while unread and read once seen`, async () => {
    await bob.toList();
    if (!bob.narrow) await bob.page.goto(`${bob.origin}/`);
    await alice.write("Hello Bob, 你好 <&> 鸿雁");
    await alice.seesState("Hello Bob, 你好 <&> 鸿雁", "delivered");
    await bob.page.getByRole("navigation").getByText("1 unread message").waitFor({ state: "attached" });
    await bob.openChat("alice");
    await bob.sees("Hello Bob, 你好 <&> 鸿雁");
    await alice.seesState("Hello Bob, 你好 <&> 鸿雁", "read");
  });
  await step(`${at}: the answer comes back, and typing is seen before it`, async () => {
    await bob.page.getByRole("textbox", { name: "Message alice" }).pressSequentially("Hi");
    await alice.page.getByText("bob is writing…").waitFor();
    await bob.write("Hi Alice");
    await alice.sees("Hi Alice");
    await bob.seesState("Hi Alice", "read");
  });
  await step(`${at}: a picture arrives and can be looked at`, async () => {
    await alice.sendFile("evening.png", "image/png", gradientPng(320, 200));
    equal(await bob.seesPicture("evening.png"), [320, 200], "the picture");
    equal(await alice.seesPicture("evening.png"), [320, 200], "the sender's picture");
    for (const person of [alice, bob]) {
      await person.isAtNewest();
      await person.meetsNoBarrier("the conversation");
    }
  });
  await step(`${at}: the history is there after a reload`, async () => {
    for (const person of [alice, bob]) {
      await person.reload();
      await person.seesExactly(/^H/, ["Hello Bob, 你好 <&> 鸿雁", "Hi Alice"]);
      await person.seesPicture("evening.png");
    }
    await alice.seesState("Hello Bob, 你好 <&> 鸿雁", "read");
  });
}

async function withoutNetwork(alice, bob, at) {
  await step(`${at}: the client opens without a network, and what is written there goes out later`, async () => {
    await alice.page.waitForFunction(() => navigator.serviceWorker.controller !== null || navigator.serviceWorker.getRegistration().then((r) => Boolean(r?.active)));
    alice.network.cut();
    await alice.reload();
    await alice.sees("p2p: from bob");
    await alice.write("written in a page opened without a network");
    await alice.seesState("written in a page", "pending");
    await alice.reload();
    await alice.seesState("written in a page", "pending");
    alice.network.mend();
    await alice.seesState("written in a page", "delivered", "read");
    await bob.sees("written in a page");
    for (const person of [alice, bob]) equal(await person.message("written in a page").count(), 1, `copies for ${person.name}`);
  });
}

const BIG_BYTES = 6_000_000;

async function sendFiles(alice, bob, at) {
  await step(`${at}: an upload that breaks goes on where it stopped`, async () => {
    const requests = [];
    alice.page.on("request", (r) => ["HEAD", "PATCH", "PUT"].includes(r.method()) && requests.push(r.method()));
    alice.network.stallAfter(BIG_BYTES / 2);
    await alice.sendFile("long film.bin", "application/octet-stream", Buffer.alloc(BIG_BYTES, "film"));
    const bar = alice.page.getByRole("progressbar", { name: "Sending long film.bin" });
    await bar.waitFor();
    await alice.page.waitForFunction(() => (document.querySelector("progress")?.value ?? 0) > 1_000_000);
    alice.network.cut();
    await alice.page.getByRole("alert").filter({ hasText: "Not sent." }).waitFor();
    alice.network.mend();
    await bob.page.getByRole("log").getByRole("link", { name: /long film.bin/ }).waitFor();
    await bar.waitFor({ state: "detached" });
    equal(requests, ["PUT", "HEAD", "PATCH"], "requests");
    const href = await bob.page.getByRole("log").getByRole("link", { name: /long film.bin/ }).getAttribute("href");
    const size = await bob.page.evaluate(async (url) => (await (await fetch(url)).arrayBuffer()).byteLength, href);
    equal(size, BIG_BYTES, "size of the file");
  });
  await step(`${at}: an upload can be cancelled`, async () => {
    alice.network.stallAfter(BIG_BYTES / 4);
    await alice.sendFile("mistake.bin", "application/octet-stream", Buffer.alloc(BIG_BYTES, "oops"));
    await alice.page.getByRole("button", { name: "Cancel sending mistake.bin" }).click();
    await alice.page.getByRole("progressbar").waitFor({ state: "detached" });
    alice.network.cut();
    alice.network.mend();
    await alice.write("no film after all");
    await bob.sees("no film after all");
    equal(await bob.message("mistake.bin").count(), 0, "cancelled files");
  });
}

const MANY = 80;

async function secondDevice(browser, server, alice, bob, at, look) {
  const other = await openPerson(browser, server, "bob", look);
  await step(`${at}: another device signs in with the password and reads the long history back`, async () => {
    for (let n = 1; n <= MANY; n++) await alice.write(`many ${n}`);
    await alice.seesState(`many ${MANY}`, ...ARRIVED);
    await bob.sees(`many ${MANY}`);
    await bob.isAtNewest();
    await other.signIn();
    await other.openChat("alice");
    await other.sees(`many ${MANY}`);
    await other.isAtNewest();
    await other.scrollsBackTo("Hello Bob, 你好 <&> 鸿雁");
    await other.seesExactly(/^many /, Array.from({ length: MANY }, (_, i) => `many ${i + 1}`));
  });
  await step(`${at}: what one device writes and reads, the other knows`, async () => {
    await other.write("from my other device");
    await alice.sees("from my other device");
    await bob.message("from my other device").and(bob.page.locator(".mine")).waitFor();
    await alice.openChat("bob");
    await bob.toList();
    if (!bob.narrow) await bob.page.goto(`${bob.origin}/`);
    await alice.write("read it there");
    await other.sees("read it there");
    await alice.seesState("read it there", "read");
    await bob.page.getByRole("navigation").getByText("read it there").waitFor();
    await bob.page.getByRole("navigation").getByText(/unread message/).waitFor({ state: "detached" });
    await bob.openChat("alice");
  });
  const twin = await other.context.newPage();
  await step(`${at}: a second window takes over, and the first takes back`, async () => {
    await twin.goto(`${other.origin}/c/alice`);
    const box = twin.getByRole("textbox", { name: "Message alice" });
    await box.fill("from my second window");
    await box.press("Enter");
    await alice.sees("from my second window");
    await alice.write("to the second window");
    await twin.getByRole("log").getByText("to the second window").waitFor();
    await other.page.getByRole("button", { name: "Use here" }).click();
    await twin.getByRole("button", { name: "Use here" }).waitFor();
    await other.sees("from my second window");
    await other.sees("to the second window");
    await other.write("back in my first window");
    await alice.sees("back in my first window");
    for (const text of ["from my second window", "to the second window"]) equal(await other.message(text).count(), 1, `copies of ${text}`);
  });
  if (hasFailed()) await report(server, at, [other]);
  await step(`${at}: the other device signs out`, async () => {
    await other.page.goto(`${other.origin}/settings`);
    await other.page.getByRole("button", { name: "Sign out" }).click();
    await other.page.getByRole("dialog", { name: "Sign out" }).getByRole("button", { name: "Sign out" }).click();
    await other.page.getByRole("button", { name: "Sign in" }).waitFor();
    await twin.getByRole("button", { name: "Sign in" }).waitFor();
    await other.page.reload();
    await other.page.getByRole("button", { name: "Sign in" }).waitFor();
    equal(other.problems, [], "problems");
  });
  await other.close();
}

async function thirdPerson(browser, server, alice, bob, at, look) {
  const carol = await openPerson(browser, server, "carol", look);
  await step(`${at}: a third person asks to be a contact and is accepted`, async () => {
    await alice.pickMenu("Invite people");
    const link = await alice.page.getByLabel("Invitation link").inputValue();
    await alice.page.keyboard.press("Escape");
    await carol.page.goto(carol.origin + new URL(link).pathname);
    await carol.createAccount();
    await carol.page.getByRole("textbox", { name: "Message alice" }).waitFor();
    await carol.toList();
    await carol.page.getByRole("button", { name: "New chat" }).first().click();
    await carol.page.getByLabel("Name or address").fill("bob");
    await carol.page.getByRole("button", { name: "Add contact" }).click();
    await carol.page.getByText("bob has not answered your contact request yet.").waitFor();
    await bob.toList();
    await bob.page.getByText("carol wants to be your contact").waitFor();
    await bob.page.getByRole("button", { name: "Accept" }).click();
    await bob.page.getByRole("region", { name: "carol" }).getByText("Online", { exact: true }).waitFor();
    await carol.page.getByRole("region", { name: "bob" }).getByText("Online", { exact: true }).waitFor();
  });
  await step(`${at}: status text, name and picture are seen by others at once`, async () => {
    await carol.page.goto(`${carol.origin}/settings`);
    await carol.page.getByLabel("Status text").fill("on a train");
    await carol.page.getByLabel("Status text").press("Enter");
    await bob.page.getByRole("region", { name: "carol" }).getByText("Online · on a train").waitFor();
    await carol.page.getByLabel("Your name").fill("Carol 卡罗");
    await carol.page.getByLabel("Your name").press("Enter");
    await carol.page.getByLabel("Your picture").setInputFiles({ name: "me.png", mimeType: "image/png", buffer: gradientPng(300, 200) });
    await carol.page.getByRole("button", { name: "Remove picture" }).waitFor();
    await bob.page.getByRole("region", { name: "Carol 卡罗" }).locator("header img").waitFor();
    await carol.page.keyboard.press("Escape");
  });
  await step(`${at}: who is blocked is told that the message did not arrive, and may try again later`, async () => {
    await carol.openChat("bob");
    await bob.page.getByRole("button", { name: "Details" }).click();
    await bob.page.getByRole("button", { name: "Block" }).click();
    await bob.page.getByRole("dialog").getByRole("button", { name: "Block" }).click();
    await bob.page.getByText("You blocked this contact.").waitFor({ state: "attached" });
    await carol.write("can you hear me?");
    await carol.seesState("can you hear me?", "failed");
    await bob.page.getByRole("complementary").getByRole("button", { name: "Unblock" }).click();
    await bob.page.getByRole("complementary").getByRole("button", { name: "Close" }).click();
    await carol.page.getByRole("button", { name: "Send again" }).click();
    await carol.seesState("can you hear me?", "delivered", "read");
    equal(await carol.message("can you hear me?").count(), 1, "copies of the message");
    equal(carol.problems, [], "problems");
  });
  await step(`${at}: a new password works at once, and the old one no longer`, async () => {
    await carol.page.goto(`${carol.origin}/settings`);
    await carol.page.getByLabel("New password").fill("carol has a new pass phrase");
    await carol.page.getByRole("button", { name: "Change password" }).click();
    await carol.page.getByText("Password changed").first().waitFor();
    await carol.reload();
    await carol.page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
    await carol.openChat("bob");
    await carol.write("still here");
    await bob.openChat("Carol 卡罗");
    await bob.sees("still here");
    await carol.page.goto(`${carol.origin}/settings`);
    await carol.page.getByRole("button", { name: "Sign out" }).click();
    await carol.page.getByRole("dialog", { name: "Sign out" }).getByRole("button", { name: "Sign out" }).click();
    await carol.page.getByLabel("Name", { exact: true }).fill("carol");
    await carol.page.getByLabel("Password", { exact: true }).fill("carol likes long pass phrases");
    await carol.page.getByRole("button", { name: "Sign in" }).click();
    await carol.page.getByRole("alert").filter({ hasText: "Name and password do not match." }).waitFor();
    await carol.page.getByLabel("Password", { exact: true }).fill("carol has a new pass phrase");
    await carol.page.getByRole("button", { name: "Sign in" }).click();
    await carol.page.getByRole("heading", { name: "Chats" }).waitFor();
  });
  if (hasFailed()) await report(server, at, [carol]);
  await carol.close();
}

async function gather(alice, bob, at) {
  await step(`${at}: a group is made and its invitation taken`, async () => {
    await alice.pickMenu("New group");
    await alice.page.getByLabel("Name of the group").fill("Family");
    await alice.page.getByRole("checkbox", { name: "bob" }).check();
    await alice.page.getByRole("button", { name: "Create group" }).click();
    await alice.page.getByRole("textbox", { name: "Message Family" }).waitFor();
    await bob.toList();
    await bob.page.getByText("alice invites you to Family").waitFor();
    await bob.page.getByRole("button", { name: "Join" }).click();
    await bob.page.getByRole("textbox", { name: "Message Family" }).waitFor();
  });
  await step(`${at}: both talk in the group`, async () => {
    await bob.write("group: I am in");
    await alice.sees("group: I am in");
    await alice.write("group: welcome");
    await bob.sees("group: welcome");
    await alice.seesState("group: welcome", ...ARRIVED);
  });
  await step(`${at}: the group's history is there after a reload`, async () => {
    for (const person of [alice, bob]) {
      await person.reload();
      await person.seesExactly(/^group:/, ["group: I am in", "group: welcome"]);
    }
  });
}

async function breakGroupNetwork(alice, bob, at) {
  await step(`${at}: a broken network loses and doubles nothing in the group`, async () => {
    bob.network.cut();
    await bob.isOffline();
    await bob.write("group: written without a network");
    await bob.seesState("group: written without a network", "pending");
    await alice.write("group: said meanwhile");
    bob.network.mend();
    await bob.seesState("group: written without a network", ...ARRIVED);
    const all = ["group: I am in", "group: welcome", "group: said meanwhile", "group: written without a network"];
    for (const person of [alice, bob]) {
      for (const text of all) await person.sees(text);
      equal(await person.message(/^/).filter({ hasText: "group:" }).count(), all.length, `messages of ${person.name}`);
    }
  });
}

async function breakNetwork(alice, bob, at) {
  await step(`${at}: a broken network loses and doubles nothing, with a reload in the middle`, async () => {
    alice.network.cut();
    await alice.isOffline();
    await alice.write("p2p: one");
    await alice.write("p2p: two");
    await alice.seesState("p2p: two", "pending");
    await bob.write("p2p: from bob");
    await bob.seesState("p2p: from bob", "sent", "delivered");
    alice.network.mend();
    await alice.reload();
    await alice.seesState("p2p: two", "delivered", "read");
    for (const person of [alice, bob]) {
      await person.sees("p2p: from bob");
      await person.sees("p2p: two");
      equal(await person.message("p2p:").count(), 3, `messages of ${person.name}`);
    }
    await bob.reload();
    await bob.sees("p2p: from bob");
    await bob.sees("p2p: two");
    equal(await bob.message("p2p:").count(), 3, "messages of bob after a reload");
  });
}

async function journey(browser, at, look) {
  let server;
  await step(`${at}: the server starts`, async () => {
    server = process.env.ANSER_TEST_SETUP ? await existing(process.env.ANSER_TEST_SETUP) : await startServer();
  });
  if (!server) return;
  const alice = await openPerson(browser, server, "alice", look);
  const bob = await openPerson(browser, server, "bob", { ...look, colorScheme: look.colorScheme === "light" ? "dark" : "light" });
  await meet(alice, bob, server, at);
  await talk(alice, bob, at);
  await breakNetwork(alice, bob, at);
  await withoutNetwork(alice, bob, at);
  await sendFiles(alice, bob, at);
  await secondDevice(browser, server, alice, bob, at, look);
  await thirdPerson(browser, server, alice, bob, at, look);
  await gather(alice, bob, at);
  await breakGroupNetwork(alice, bob, at);
  await step(`${at}: settings and details are usable in both languages`, async () => {
    for (const language of ["简体中文", "English"]) {
      await alice.page.goto(`${alice.origin}/settings`);
      await alice.page.getByRole("dialog").waitFor();
      await alice.page.getByRole("radio", { name: language }).check({ force: true });
      await alice.page.getByRole("heading", { name: language === "English" ? "Settings" : "设置" }).waitFor();
      await alice.meetsNoBarrier(`settings in ${language}`);
    }
    await alice.page.goto(`${alice.origin}/c/bob/details`);
    await alice.page.getByRole("complementary", { name: "Details" }).waitFor();
    await alice.meetsNoBarrier("details");
  });
  await step(`${at}: the pages complained about nothing`, () => equal([...alice.problems, ...bob.problems], [], "problems"));
  if (hasFailed()) await report(server, at, [alice, bob]);
  for (const person of [alice, bob]) await person.close();
  await server.stop();
}

async function report(server, at, people) {
  const folder = process.env.ANSER_TEST_SHOTS;
  for (const person of people) {
    for (const problem of person.problems) console.log(`# ${person.name}: ${problem}`);
    if (!folder) continue;
    mkdirSync(folder, { recursive: true });
    await person.page.screenshot({ path: join(folder, `${at}-${person.name}-${people.length}.png`) });
  }
  for (const line of server.log.slice(-40)) console.log(`# server: ${line}`);
}

/** A server that already runs and is not set up, by its printed link (while working on the client). */
async function existing(link) {
  const url = new URL(link);
  return { port: Number(url.port), scheme: url.protocol.slice(0, -1), code: url.hash.slice(1), log: [], stop: async () => undefined };
}

const { browser, close } = await openBrowser();
try {
  for (const [name, look] of Object.entries(LOOKS)) {
    if (process.env.ANSER_TEST_LOOK && process.env.ANSER_TEST_LOOK !== name) continue;
    await journey(browser, name, look);
  }
  if (!process.env.ANSER_TEST_SETUP) await signInAndNotify(browser);
} finally {
  await close();
}
process.exitCode = finish();
