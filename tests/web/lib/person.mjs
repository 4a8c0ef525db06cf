// SPDX-License-Identifier: AGPL-3.0-or-later
// What a person does and sees, by the roles and names that a screen reader would use.

import { findBarriers } from "./accessible.mjs";
import { equal } from "./tap.mjs";
import { openDevice } from "./browser.mjs";
import { openNetwork } from "./network.mjs";

export async function openPerson(browser, server, name, look) {
  const network = await openNetwork(server.port);
  const device = await openDevice(browser, look);
  return new Person(name, network, device, `${server.scheme}://localhost:${network.port}`);
}

class Person {
  constructor(name, network, device, origin) {
    Object.assign(this, { name, network, origin, page: device.page, context: device.context, problems: device.problems });
    this.narrow = device.page.viewportSize().width < 720;
  }

  async createAccount() {
    const { page } = this;
    await page.getByLabel("Choose a name").fill(this.name);
    await page.getByLabel("Choose a password").fill(`${this.name} likes long pass phrases`);
    await page.getByRole("button", { name: "Create account" }).click();
  }

  async signIn() {
    const { page } = this;
    await page.goto(this.origin);
    await page.getByLabel("Name", { exact: true }).fill(this.name);
    await page.getByLabel("Password", { exact: true }).fill(`${this.name} likes long pass phrases`);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Chats" }).waitFor();
  }

  /** The newest message is in view, as it is when nobody scrolled. */
  async isAtNewest() {
    await this.page.waitForFunction(() => {
      const log = document.querySelector("[role=log]");
      const last = log?.querySelector("ol > li:last-child")?.getBoundingClientRect();
      return log && last && last.bottom <= log.getBoundingClientRect().bottom + 1;
    });
  }

  /** Scrolls up, page by page, until a text is there. */
  async scrollsBackTo(text) {
    await this.page.waitForFunction((wanted) => {
      const log = document.querySelector("[role=log]");
      if (!log) return false;
      if ([...log.querySelectorAll(".bubble-text")].some((p) => p.textContent === wanted)) return true;
      log.scrollTop = -log.scrollHeight;
      return false;
    }, text, { polling: 100 });
  }

  async toList() {
    if (this.narrow && (await this.page.getByRole("log").isVisible())) await this.page.getByRole("button", { name: "Back" }).click();
    await this.page.getByRole("heading", { name: "Chats" }).waitFor();
  }

  async pickMenu(item) {
    await this.toList();
    await this.page.getByRole("button", { name: "More" }).click();
    await this.page.getByRole("menuitem", { name: item }).click();
  }

  async openChat(name) {
    await this.toList();
    await this.page.getByRole("navigation").getByRole("link", { name: new RegExp(`^${name}(?!\\p{L})`, "u") }).click();
    await this.page.getByRole("textbox", { name: `Message ${name}` }).waitFor();
  }

  async write(text) {
    const box = this.page.getByRole("textbox", { name: /^Message / });
    await box.fill(text);
    await box.press("Enter");
  }

  message(text) {
    return this.page.getByRole("log").getByRole("listitem").filter({ hasText: text });
  }

  async sees(text) {
    await this.message(text).first().waitFor();
  }

  /** Waits until our message has one of these states. */
  async seesState(text, ...states) {
    const marks = states.map((state) => `[data-state="${state}"]`).join(", ");
    await this.message(text).locator(marks).first().waitFor();
  }

  /** The texts of the log that match, in order: nothing lost, nothing doubled. */
  async seesExactly(pattern, expected) {
    for (const text of expected) await this.sees(text);
    const all = await this.page.getByRole("log").locator(".bubble-text").allTextContents();
    equal(all.filter((text) => pattern.test(text)), expected, `messages of ${this.name}`);
  }

  async sendFile(name, mimeType, buffer) {
    const chooser = this.page.waitForEvent("filechooser");
    await this.page.getByRole("button", { name: "Attach files" }).click();
    await (await chooser).setFiles({ name, mimeType, buffer });
    await this.page.getByRole("list", { name: "Files to send" }).getByText(name).waitFor();
    await this.page.getByRole("button", { name: "Send", exact: true }).click();
  }

  async seesPicture(name) {
    const picture = this.page.getByRole("log").getByRole("img", { name: `Picture ${name}` });
    await picture.waitFor();
    await picture.evaluate((img) => img.decode());
    return picture.evaluate((img) => [img.naturalWidth, img.naturalHeight]);
  }

  /** Nothing on this screen shuts anybody out. */
  async meetsNoBarrier(place) {
    equal(await findBarriers(this.page), [], `barriers in ${place}`);
  }

  async isOffline() {
    await this.page.getByRole("status").filter({ hasText: /No connection|Connecting/ }).waitFor();
  }

  async reload() {
    await this.page.reload();
  }

  async close() {
    await this.context.close();
    await this.network.close();
  }
}
