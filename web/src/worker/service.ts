// SPDX-License-Identifier: AGPL-3.0-or-later
// The service worker: the client itself opens without a network (messages come from this device's own copy), and
// telephones get their notifications, which their browsers only show from here. It sees no message and keeps no file.

declare const self: ServiceWorkerGlobalScope;

const CACHE = "anser-client-1";
const PAGE = "/";
// Old releases leave their files behind; the oldest make room.
const FILES_MAX = 40;

async function keep(key: string, response: Response): Promise<void> {
  const cache = await caches.open(CACHE);
  await cache.put(key, response);
  const keys = await cache.keys();
  for (const old of keys.filter((k) => new URL(k.url).pathname !== PAGE).slice(0, Math.max(0, keys.length - FILES_MAX))) await cache.delete(old);
}

/** The newest page when there is a network, the last one when there is none. */
async function page(request: Request): Promise<Response> {
  try {
    const response = await fetch(request);
    if (response.ok && response.headers.get("Content-Type")?.startsWith("text/html")) await keep(PAGE, response.clone());
    return response;
  } catch (error) {
    const last = await caches.match(PAGE);
    if (!last) throw error;
    return last;
  }
}

/** Files with a hash in their name never change. */
async function asset(request: Request): Promise<Response> {
  const known = await caches.match(request);
  if (known) return known;
  const response = await fetch(request);
  if (response.ok) await keep(request.url, response.clone());
  return response;
}

const SERVED_ELSEWHERE = /^\/(?:api|upload|xmpp-websocket|\.well-known|metrics|healthz|readyz)(?:\/|$)/;

/** What the page needs to open, so that one visit is enough. */
async function fetchClient(): Promise<void> {
  const response = await fetch(PAGE);
  const html = await response.clone().text();
  await keep(PAGE, response);
  const files = html.match(/\/assets\/[^"]+/g) ?? [];
  await Promise.all(files.map(async (file) => keep(file, await fetch(file))));
}

self.addEventListener("install", (event) => {
  void self.skipWaiting();
  event.waitUntil(fetchClient());
});

self.addEventListener("activate", (event) => {
  const old = caches.keys().then((names) => Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name))));
  event.waitUntil(Promise.all([old, self.clients.claim()]));
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== self.location.origin || SERVED_ELSEWHERE.test(url.pathname)) return;
  if (event.request.mode === "navigate") event.respondWith(page(event.request));
  else if (url.pathname.startsWith("/assets/")) event.respondWith(asset(event.request));
});

async function openAt(path: string): Promise<void> {
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const first = windows[0];
  if (!first) {
    await self.clients.openWindow(path);
    return;
  }
  await first.focus();
  first.postMessage({ open: path });
}

self.addEventListener("notificationclick", (event) => {
  const path: unknown = event.notification.data;
  event.notification.close();
  if (typeof path === "string") event.waitUntil(openAt(path));
});

export {};
