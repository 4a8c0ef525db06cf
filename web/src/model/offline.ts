// SPDX-License-Identifier: AGPL-3.0-or-later
// Our service worker, where the browser has one and trusts this server's certificate.

import { openPath } from "./router";

interface ScriptPolicies {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
}

/** Installs the worker. A browser that refuses it only loses opening without a network. */
export function installWorker(): void {
  if (!("serviceWorker" in navigator) || !import.meta.env.PROD) return;
  const factory = (globalThis as { trustedTypes?: ScriptPolicies }).trustedTypes;
  const url = factory?.createPolicy("anser-worker", { createScriptURL: () => "/sw.js" }).createScriptURL("") ?? "/sw.js";
  navigator.serviceWorker.register(url).catch(() => undefined);
  navigator.serviceWorker.addEventListener("message", (event: MessageEvent<unknown>) => {
    const news = event.data;
    if (typeof news === "object" && news !== null && "open" in news && typeof news.open === "string") openPath(news.open);
  });
}

/** Shows a notification through the worker, for browsers that allow no other way. */
export async function notifyByWorker(title: string, options: NotificationOptions, path: string): Promise<void> {
  const registration = await navigator.serviceWorker?.getRegistration();
  await registration?.showNotification(title, { ...options, data: path });
}
