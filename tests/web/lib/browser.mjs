// SPDX-License-Identifier: AGPL-3.0-or-later
// Headless Chromium with people in it: one context is one person's device.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
  // The server's certificate is its own; without this a service worker would not be allowed.
  "--ignore-certificate-errors",
];
const TIMEOUT_MS = 20_000;

export async function openBrowser() {
  const crashes = mkdtempSync(join(tmpdir(), "anser-chromium-"));
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [...FLAGS, `--crash-dumps-dir=${crashes}`],
  });
  return {
    browser,
    close: async () => {
      await browser.close();
      rmSync(crashes, { recursive: true, force: true });
    },
  };
}

/** A fresh device. `problems` collects what the page complained about; a test ends with it empty. */
export async function openDevice(browser, { width = 1280, height = 800, locale = "en-GB", colorScheme = "light" } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, locale, colorScheme, ignoreHTTPSErrors: true });
  context.setDefaultTimeout(TIMEOUT_MS);
  const page = await context.newPage();
  const problems = [];
  const expected = /Failed to load resource|WebSocket connection to|ERR_INTERNET_DISCONNECTED|ERR_CONNECTION/;
  page.on("pageerror", (error) => problems.push(error.stack ?? String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !expected.test(message.text())) problems.push(message.text());
  });
  return { context, page, problems };
}
