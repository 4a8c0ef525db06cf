// SPDX-License-Identifier: AGPL-3.0-or-later
// All conversations: their messages, what is unread, drafts; and their copy on this device.

import { createStore, produce, reconcile, unwrap } from "solid-js/store";
import { accountDb, events } from "./session";
import { advance, countUnread, insert, markSeen, trim } from "./timeline";
import type { ChatMessage, MessageState } from "./timeline";

export interface Chat {
  jid: string;
  kind: "person" | "room";
  messages: ChatMessage[];
  unread: number;
  /** Times on the server's clock: up to where we have read, and the other side. */
  readMs: number;
  peerReadMs: number;
  /** A "displayed" whose message is not loaded yet. */
  peerReadId: string;
  draft: string;
  /** The beginning of the history is loaded. */
  complete: boolean;
  activeMs: number;
  /** Newest archive id known of a room. */
  lastArchiveId: string;
}

interface Saved extends Omit<Chat, "messages"> {
  readonly messages: readonly ChatMessage[];
}

const SAVED_MESSAGES = 60;
const SAVE_AFTER_MS = 200;

const [chats, setChats] = createStore<Record<string, Chat>>({});
export { chats };

/** The newest id of our own archive that is wholly taken in; "" before the first time. */
let archivePosition = "";
export const lastArchiveId = (): string => archivePosition;

let dirty = new Set<string>();
let timer: ReturnType<typeof setTimeout> | undefined;
let loaded: Promise<void> = Promise.resolve();
/** Resolves when this device's copy is in the store. */
export const whenLoaded = (): Promise<void> => loaded;

function fresh(jid: string, kind: Chat["kind"]): Chat {
  return {
    jid, kind, messages: [], unread: 0, readMs: 0, peerReadMs: 0, peerReadId: "", draft: "",
    complete: false, activeMs: 0, lastArchiveId: "",
  };
}

/** Changes one conversation, which appears if it was not there. */
export function change(jid: string, kind: Chat["kind"], edit: (chat: Chat) => void): void {
  setChats(
    produce((all) => {
      const chat = (all[jid] ??= fresh(jid, kind));
      edit(chat);
    }),
  );
  save(jid);
}

function edit(jid: string, fn: (chat: Chat) => void): void {
  if (chats[jid]) change(jid, "person", fn);
}

export function openChat(jid: string, kind: Chat["kind"]): void {
  change(jid, kind, (chat) => {
    chat.kind = kind;
    if (chat.activeMs === 0) chat.activeMs = Date.now();
  });
}

/** Takes a conversation off the list on this device; its archive stays. */
export function closeChat(jid: string): void {
  setChats(produce((all) => delete all[jid]));
  save(jid);
}

export interface Added {
  readonly isNew: boolean;
  readonly unread: boolean;
}

/** Puts a message into its conversation. */
export function addMessage(jid: string, kind: Chat["kind"], message: ChatMessage): Added {
  let isNew = false;
  let unread = false;
  change(jid, kind, (chat) => {
    if (message.mine && message.atMs <= chat.peerReadMs) message.state = advance(message.state, "read");
    isNew = insert(chat.messages, message);
    if (message.mine && message.state !== "pending") chat.readMs = Math.max(chat.readMs, message.atMs);
    chat.activeMs = Math.max(chat.activeMs, message.notice === undefined ? message.atMs : 0);
    unread = isNew && !message.mine && message.atMs > chat.readMs;
    if (isNew && (message.mine || unread)) chat.unread = countUnread(chat.messages, chat.readMs);
    if (chat.peerReadId !== "" && (message.id === chat.peerReadId || message.archiveId === chat.peerReadId)) seen(chat, message.id);
  });
  return { isNew, unread };
}

function seen(chat: Chat, id: string): void {
  const at = markSeen(chat.messages, id);
  if (at === undefined) chat.peerReadId = id;
  else {
    chat.peerReadMs = Math.max(chat.peerReadMs, at);
    chat.peerReadId = "";
  }
}

/** The other side has seen everything up to this message. */
export function peerRead(jid: string, id: string): void {
  edit(jid, (chat) => seen(chat, id));
}

/** We have read up to this message on another device, or up to `ms` here. */
export function weRead(jid: string, upTo: string | number): void {
  edit(jid, (chat) => {
    const ms = typeof upTo === "number" ? upTo : (chat.messages.findLast((m) => m.id === upTo)?.atMs ?? 0);
    if (ms <= chat.readMs && chat.unread === 0) return;
    chat.readMs = Math.max(chat.readMs, ms);
    chat.unread = countUnread(chat.messages, chat.readMs);
  });
}

export function setMessageState(jid: string, id: string, state: MessageState, error?: string): void {
  edit(jid, (chat) => {
    const message = chat.messages.findLast((m) => m.mine && m.id === id);
    if (!message) return;
    message.state = state === "pending" ? state : advance(message.state, state);
    if (message.state === "failed") message.error = error ?? "undefined-condition";
    else delete message.error;
  });
}

export function removeMessage(jid: string, id: string): void {
  edit(jid, (chat) => {
    const index = chat.messages.findLastIndex((m) => m.mine && m.id === id);
    if (index >= 0) chat.messages.splice(index, 1);
  });
}

export function setDraft(jid: string, draft: string): void {
  if (chats[jid] && chats[jid].draft !== draft) edit(jid, (chat) => (chat.draft = draft));
}

/** Lets go of old messages that scrolled away; the archive has them. */
export function trimChat(jid: string): void {
  edit(jid, (chat) => {
    if (trim(chat.messages)) chat.complete = false;
  });
}

/** Forgets loaded messages: the archive went on without us for too long to fill the gap. */
export function dropMessages(only?: string): void {
  for (const jid of Object.keys(chats)) {
    if (only !== undefined && jid !== only) continue;
    if (only === undefined && chats[jid]?.kind === "room") continue;
    edit(jid, (chat) => {
      chat.messages = chat.messages.filter((m) => m.state === "pending" || m.state === "failed");
      chat.complete = false;
    });
  }
}

export function setArchivePosition(id: string): void {
  if (id === "" || id === archivePosition) return;
  archivePosition = id;
  save("");
}

function save(jid: string): void {
  dirty.add(jid);
  timer ??= setTimeout(flush, SAVE_AFTER_MS);
}

function flush(): void {
  clearTimeout(timer);
  timer = undefined;
  const changes = [...dirty].filter((jid) => jid !== "").map((jid) => {
    const chat = unwrap(chats)[jid];
    const saved: Saved | undefined = chat && { ...chat, messages: chat.messages.slice(-SAVED_MESSAGES), complete: chat.complete && chat.messages.length <= SAVED_MESSAGES };
    // A copy: the database may read it later than the store changes it.
    return { store: "chats", key: jid, value: saved && structuredClone(saved) };
  });
  dirty = new Set();
  void accountDb().write([...changes, { store: "meta", key: "archive", value: archivePosition }]).catch(() => undefined);
}

async function load(): Promise<void> {
  const db = accountDb();
  const [saved, position] = await Promise.all([db.all<Chat>("chats"), db.get<string>("meta", "archive")]);
  archivePosition = position ?? "";
  for (const chat of saved) setChats(chat.jid, { ...fresh(chat.jid, chat.kind), ...chat, messages: [...chat.messages] });
}

export function installChats(): void {
  events.opened.on(() => {
    loaded = load().catch(() => undefined);
  });
  events.closed.on(() => {
    clearTimeout(timer);
    timer = undefined;
    dirty = new Set();
    archivePosition = "";
    setChats(reconcile({}));
  });
  addEventListener("pagehide", flush);
}
