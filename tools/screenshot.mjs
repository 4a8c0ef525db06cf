// SPDX-License-Identifier: AGPL-3.0-or-later
// The pictures of the README, taken from the real server by a real browser: docs/img/desk.png and docs/img/phone.png.
//
//   make build && tools/setup test && tools/web install && tools/node node tools/screenshot.mjs
//
// Environment: ANSER (path of the server), CHROMIUM, as in tests/web.

import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openBrowser } from "../tests/web/lib/browser.mjs";
import { openPerson } from "../tests/web/lib/person.mjs";
import { startServer } from "../tests/web/lib/server.mjs";

const OUT = fileURLToPath(new URL("../docs/img", import.meta.url));
const BYTES_MAX = 200 * 1000;
const PHOTO = { width: 480, height: 300 };

/** An evening by a lake, with geese: drawn by the page, so that no picture of anybody is needed. */
async function drawPhoto(browser) {
  const page = await browser.newPage({ viewport: PHOTO });
  await page.setContent(`<body style="margin:0"><svg width="480" height="300" viewBox="0 0 480 300">
    <defs><linearGradient id="sky" x2="0" y2="1"><stop stop-color="#3c4f76"/><stop offset=".7" stop-color="#e8a87c"/><stop offset="1" stop-color="#f4d6a0"/></linearGradient></defs>
    <rect width="480" height="200" fill="url(#sky)"/><circle cx="350" cy="178" r="30" fill="#fff3d6"/>
    <path d="M0 200 90 120 170 185 260 105 350 190 420 150 480 200Z" fill="#4a4e69"/>
    <rect y="198" width="480" height="102" fill="#36486b"/><path d="M300 214h100M285 232h130M310 252h80" stroke="#f4d6a0" stroke-width="4" opacity=".7"/>
    <g fill="none" stroke="#22223b" stroke-width="3"><path d="m90 60 12 8 12-8M125 44l12 8 12-8M160 30l12 8 12-8M195 44l12 8 12-8M230 60l12 8 12-8"/></g>
  </svg>`);
  const png = await page.screenshot();
  await page.close();
  return png;
}

async function callMyself(person, name) {
  const { page } = person;
  await person.pickMenu("Settings");
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).first().click();
  await page.getByText("Saved").first().waitFor();
  await page.keyboard.press("Escape");
}

async function invite(host, guest) {
  await host.pickMenu("Invite people");
  const link = await host.page.getByLabel("Invitation link").inputValue();
  await host.page.keyboard.press("Escape");
  await guest.page.goto(guest.origin + new URL(link).pathname);
  await guest.createAccount();
  await guest.page.getByRole("textbox", { name: /^Message / }).waitFor();
}

async function makeGroup(host, guests, group) {
  await host.pickMenu("New group");
  await host.page.getByLabel("Name of the group").fill(group);
  for (const guest of guests) await host.page.getByRole("checkbox", { name: guest.called }).check();
  await host.page.getByRole("button", { name: "Create group" }).click();
  await host.page.getByRole("textbox", { name: `Message ${group}` }).waitFor();
  for (const guest of guests) {
    await guest.toList();
    await guest.page.getByRole("button", { name: "Join" }).click();
    await guest.page.getByRole("textbox", { name: `Message ${group}` }).waitFor();
  }
}

async function say(person, listener, text) {
  await person.write(text);
  await listener.sees(text);
}

async function story(browser, server) {
  const desk = { width: 1200, height: 750 };
  const mei = await openPerson(browser, server, "mei", desk);
  const jonas = await openPerson(browser, server, "jonas", desk);
  const amina = await openPerson(browser, server, "amina", { width: 390, height: 750, colorScheme: "dark" });
  Object.assign(mei, { called: "Mei 林" });
  Object.assign(jonas, { called: "Jonas" });
  Object.assign(amina, { called: "Amina" });
  await mei.page.goto(`${mei.origin}/setup#${server.code}`);
  await mei.createAccount();
  await mei.page.getByRole("heading", { name: "Chats" }).waitFor();
  await callMyself(mei, mei.called);
  for (const guest of [jonas, amina]) {
    await invite(mei, guest);
    await callMyself(guest, guest.called);
  }
  await mei.page.reload(); // names of newcomers come with the next sign-in
  await makeGroup(mei, [jonas, amina], "Lake weekend");
  await say(amina, mei, "I bring the tent");
  await say(jonas, mei, "And I bring breakfast");
  await mei.openChat("Jonas");
  await jonas.openChat("Mei");
  await say(jonas, mei, "Are you already at the lake?");
  await say(mei, jonas, "Yes! The geese are back 鸿雁来了");
  await mei.sendFile("geese.png", "image/png", await drawPhoto(browser));
  await jonas.seesPicture("geese.png");
  await say(jonas, mei, "Beautiful. I am on the next train.");
  await say(mei, jonas, "See you at the station");
  await mei.seesState("See you at the station", "read");
  const offer = mei.page.getByRole("button", { name: "No", exact: true }); // of notifications
  if (await offer.isVisible()) await offer.click();
  await amina.write("Who has the map?");
  await mei.page.getByRole("navigation").getByText("unread").first().waitFor({ state: "attached" });
  await amina.openChat("Lake weekend");
  await amina.sees("Who has the map?");
  return { desk: mei, phone: amina, all: [mei, jonas, amina] };
}

async function shoot(person, name) {
  await person.page.evaluate(() => document.activeElement?.blur?.());
  await person.page.getByText("Saved").waitFor({ state: "hidden" });
  await person.page.evaluate(() => document.fonts.ready);
  const path = join(OUT, `${name}.png`);
  await person.page.screenshot({ path, animations: "disabled", caret: "hide" });
  const { size } = statSync(path);
  console.log(`docs/img/${name}.png ${size} bytes`);
  if (size > BYTES_MAX) throw new Error(`${name}.png is larger than ${BYTES_MAX} bytes`);
}

mkdirSync(OUT, { recursive: true });
const server = await startServer();
const { browser, close } = await openBrowser();
try {
  const { desk, phone, all } = await story(browser, server);
  await shoot(desk, "desk");
  await shoot(phone, "phone");
  for (const person of all) await person.close();
} finally {
  await close();
  await server.stop();
}
