// SPDX-License-Identifier: AGPL-3.0-or-later
// The rooms that we are in, on all our devices (bookmarks in private storage).

import { createSignal } from "solid-js";
import { bookmarksQuery, bookmarksSet, readBookmarks } from "../wire/muc";
import type { Bookmark } from "../wire/muc";
import { accountDb, events, iq } from "./session";

const [bookmarks, setBookmarks] = createSignal<readonly Bookmark[]>([]);
export { bookmarks };

export const bookmarked = (room: string): Bookmark | undefined => bookmarks().find((b) => b.room === room);

function keep(all: readonly Bookmark[]): void {
  setBookmarks(all);
  void accountDb().write([{ store: "meta", key: "bookmarks", value: all }]).catch(() => undefined);
}

export async function fetchBookmarks(): Promise<readonly Bookmark[]> {
  const found = await iq("get", undefined, bookmarksQuery).then(readBookmarks);
  keep(found);
  return found;
}

// Another device may have changed the list: read it, change one row, write it.
async function update(room: string, row: Bookmark | undefined): Promise<void> {
  const others = (await fetchBookmarks()).filter((b) => b.room !== room);
  const next = row ? [...others, row] : others;
  await iq("set", undefined, bookmarksSet(next));
  keep(next);
}

export const addBookmark = (row: Bookmark): Promise<void> => update(row.room, row);
export const removeBookmark = (room: string): Promise<void> => update(room, undefined);

export function installBookmarks(): void {
  events.opened.on((db) => {
    void db.get<readonly Bookmark[]>("meta", "bookmarks").then((saved) => saved && bookmarks().length === 0 && setBookmarks(saved));
  });
  events.closed.on(() => setBookmarks([]));
}
