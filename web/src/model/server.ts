// SPDX-License-Identifier: AGPL-3.0-or-later
// What the server says of itself before anybody signs in.

import { createSignal } from "solid-js";
import { fetchServer } from "../wire/api";
import type { ServerInfo } from "../wire/api";

const [server, setServer] = createSignal<ServerInfo>();
const [unreachable, setUnreachable] = createSignal(false);
export { server, unreachable };

const CACHE_KEY = "anser.server";

/** Loads the server's description; the one of the last visit serves while offline. */
export async function loadServer(): Promise<void> {
  try {
    const info = await fetchServer();
    setServer(info);
    setUnreachable(false);
    localStorage.setItem(CACHE_KEY, JSON.stringify(info));
  } catch {
    const cached = localStorage.getItem(CACHE_KEY);
    if (cached !== null && !server()) setServer(JSON.parse(cached) as ServerInfo);
    setUnreachable(true);
  }
}
