// SPDX-License-Identifier: AGPL-3.0-or-later
// Messages on their way. A message is written to this device before it is sent and leaves the device's outbox only
// when the server has acknowledged it, so neither a reload nor a dead network loses or doubles it: it is repeated
// with the same origin-id, after the archive was asked whether it had arrived.

import { chatMessage } from "../wire/message";
import type { FileInfo } from "../wire/message";
import { addMessage, chats, removeMessage, setMessageState, whenLoaded } from "./chats";
import type { Chat } from "./chats";
import { accountDb, events, me, now, send } from "./session";

interface Row {
  readonly id: string;
  readonly to: string;
  readonly kind: Chat["kind"];
  readonly body: string;
  readonly file?: FileInfo;
  readonly atMs: number;
}

const rows = new Map<string, Row>();
/** Sent in this session; until a new one begins, the connection itself repeats them. */
let inFlight = new Set<string>();
let ready = false;
/** Whether messages to this room can go out; people are always ready. */
let roomReady: (jid: string) => boolean = () => true;

export function setRoomReady(fn: (jid: string) => boolean): void {
  roomReady = fn;
}

function stanza(row: Row) {
  return chatMessage({ to: row.to, type: row.kind === "room" ? "groupchat" : "chat", id: row.id, body: row.body, file: row.file });
}

function trySend(row: Row): void {
  if (!ready || inFlight.has(row.id) || (row.kind === "room" && !roomReady(row.to))) return;
  if (send(stanza(row), row.id)) inFlight.add(row.id);
}

/** Sends a message, or keeps it until it can be sent. */
export async function sendMessage(to: string, kind: Chat["kind"], body: string, file?: FileInfo): Promise<void> {
  const row: Row = { id: crypto.randomUUID(), to, kind, body, file, atMs: now() };
  show(row);
  rows.set(row.id, row);
  await accountDb().write([{ store: "outbox", key: row.id, value: row }]).catch(() => undefined);
  trySend(row);
}

function show(row: Row): void {
  addMessage(row.to, row.kind, {
    id: row.id, archiveId: "", from: me(), mine: true, atMs: row.atMs, body: row.body, file: row.file, state: "pending",
  });
}

function forget(id: string): void {
  rows.delete(id);
  inFlight.delete(id);
  void accountDb().write([{ store: "outbox", key: id, value: undefined }]).catch(() => undefined);
}

/** The server, or the archive, has it. */
export function arrived(id: string): void {
  const row = rows.get(id);
  if (!row) return;
  setMessageState(row.to, id, "sent");
  forget(id);
}

/** The server, or the other side, refused it. */
export function bounced(chat: string, id: string, condition: string): void {
  setMessageState(chat, id, "failed", condition);
  if (rows.has(id)) forget(id);
}

/** Sends a failed message once more, as a new one: the refused id may be known as done. */
export async function retryMessage(chat: string, id: string): Promise<void> {
  const message = chats[chat]?.messages.findLast((m) => m.id === id);
  const kind = chats[chat]?.kind;
  if (!message || !kind) return;
  removeMessage(chat, id);
  await sendMessage(chat, kind, message.body, message.file);
}

/** Sends what waits, oldest first. Called when the archive has been read, or a room was entered. */
export function flushOutbox(): void {
  ready = true;
  const waiting = [...rows.values()].sort((a, b) => a.atMs - b.atMs);
  for (const row of waiting) trySend(row);
}

/** Takes what an earlier page, or another window that gave the session up, left unsent. */
export async function loadOutbox(): Promise<void> {
  await whenLoaded();
  const saved = await accountDb().all<Row>("outbox").catch(() => []);
  for (const row of saved.sort((a, b) => a.atMs - b.atMs)) {
    if (rows.has(row.id)) continue;
    rows.set(row.id, row);
    show(row);
  }
}

export function installOutbox(): void {
  events.opened.on(() => void loadOutbox());
  // A new session: what the old one had not acknowledged may or may not have arrived; the archive will tell.
  events.bound.on(() => {
    inFlight = new Set();
    ready = false;
  });
  events.resumed.on(() => {
    if (ready) flushOutbox();
  });
  events.acked.on((ids) => ids.forEach(arrived));
  events.closed.on(() => {
    rows.clear();
    inFlight = new Set();
    ready = false;
  });
}

/** Whether something to a person is on its way, that the archive may have and we do not know it. */
export const waitingForPeople = (): boolean => [...rows.values()].some((row) => row.kind === "person");

/** How many messages have not reached the server. */
export const waitingCount = (): number => rows.size;
