// SPDX-License-Identifier: AGPL-3.0-or-later
// Closing gaps: what happened while we were away, and older pages when somebody scrolls up.

import type { ArchivedMessage, ArchivePage } from "../wire/archive";
import { StanzaError } from "../wire/stanza";
import { change, chats, dropMessages, lastArchiveId, setArchivePosition, whenLoaded } from "./chats";
import { followLive, takeMessage } from "./inbox";
import { takeRoomMessage } from "./rooms";
import { archive, events } from "./session";
import { oldestArchiveId } from "./timeline";

const PAGE = 50;
const CATCH_UP_PAGE = 100;
const CATCH_UP_PAGES_MAX = 20;

const took = (item: ArchivedMessage): void =>
  takeMessage(item.message, { archiveId: item.archiveId, atMs: item.atMs, source: "archive" });

function newest(page: ArchivePage): string {
  return page.items[page.items.length - 1]?.archiveId ?? page.last ?? "";
}

/** Reads forward from `after`. False when the anchor is gone or the gap is too long to read. */
async function readForward(room: string | undefined, after: string, take: (i: ArchivedMessage) => void, done: (id: string) => void): Promise<boolean> {
  let at = after;
  for (let n = 0; n < CATCH_UP_PAGES_MAX; n++) {
    const page = await archive().page({ room, after: at, max: CATCH_UP_PAGE });
    page.items.forEach(take);
    at = newest(page) || at;
    done(at);
    if (page.complete || page.items.length === 0) return true;
  }
  return false;
}

async function catchUp(room: string | undefined, after: string, take: (i: ArchivedMessage) => void, done: (id: string) => void): Promise<void> {
  if (after !== "") {
    try {
      if (await readForward(room, after, take, done)) return;
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error;
    }
    dropMessages(room);
  }
  const page = await archive().page({ room, before: "", max: CATCH_UP_PAGE });
  page.items.forEach(take);
  done(newest(page));
}

/** Brings all conversations between people up to date; from then on live messages continue the archive. */
export async function catchUpPeople(): Promise<void> {
  await whenLoaded();
  await catchUp(undefined, lastArchiveId(), took, setArchivePosition);
  followLive(true);
}

export async function catchUpRoom(room: string): Promise<void> {
  await whenLoaded();
  const take = (item: ArchivedMessage): void => takeRoomMessage(item.message, { ...item, live: false });
  const done = (id: string): void => {
    if (id !== "") change(room, "room", (chat) => (chat.lastArchiveId = id));
  };
  await catchUp(room, chats[room]?.lastArchiveId ?? "", take, done);
}

const loading = new Set<string>();

/** Loads an older page; resolves to whether there may be more. */
export async function loadOlder(jid: string): Promise<boolean> {
  const chat = chats[jid];
  if (!chat || chat.complete || loading.has(jid)) return false;
  loading.add(jid);
  try {
    const room = chat.kind === "room" ? jid : undefined;
    const before = oldestArchiveId(chat.messages) ?? "";
    const page = await archive().page({ room, with: room === undefined ? jid : undefined, before, max: PAGE });
    for (const item of page.items) {
      if (room === undefined) took(item);
      else takeRoomMessage(item.message, { ...item, live: false });
    }
    const ended = page.complete || page.items.length === 0;
    if (ended) change(jid, chat.kind, (c) => (c.complete = true));
    return !ended;
  } finally {
    loading.delete(jid);
  }
}

export function installHistory(): void {
  events.closed.on(() => loading.clear());
}
