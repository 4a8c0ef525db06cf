// SPDX-License-Identifier: AGPL-3.0-or-later
// What the server says of itself before anybody signs in.

import { createSignal } from "solid-js";
import { fetchServer } from "../wire/api";
import type { ServerInfo } from "../wire/api";

const [server, setServer] = createSignal<ServerInfo>();
const [unreachable, setUnreachable] = createSignal(false);
export { server, unreachable };

const CACHE_KEY = "anser.server";

function recall(): ServerInfo | undefined {
  try {
    const cached = localStorage.getItem(CACHE_KEY);
    return cached === null ? undefined : (JSON.parse(cached) as ServerInfo);
  } catch {
    return undefined;
  }
}

/** Loads the server's description. That of the last visit serves until then, and while offline. */
export async function loadServer(): Promise<void> {
  if (!server()) setServer(recall());
  try {
    const info = await fetchServer();
    setServer(info);
    setUnreachable(false);
    // Only a finished server: one that waits for its administrator is another in a minute.
    if (!info.setupNeeded) localStorage.setItem(CACHE_KEY, JSON.stringify(info));
  } catch {
    setUnreachable(true);
  }
}
