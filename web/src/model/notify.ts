// SPDX-License-Identifier: AGPL-3.0-or-later
// Telling a person who looks elsewhere: the title's number and the system's notifications.

import { createEffect, createMemo } from "solid-js";
import { chats } from "./chats";
import { incoming } from "./inbox";
import { notifyByWorker } from "./offline";
import { personName, profile } from "./profiles";
import { isRoom, roomName } from "./rooms";
import { hrefOf, openConversation, route } from "./router";
import { server } from "./server";
import { notify, t } from "./settings";

const BODY_MAX = 200;

export const unreadTotal = createMemoLater(() => Object.values(chats).reduce((sum, chat) => sum + chat.unread, 0));

// Memos need an owner; this one is made when the client starts.
function createMemoLater(compute: () => number): { (): number; start(): void } {
  let memo: (() => number) | undefined;
  return Object.assign(() => memo?.() ?? 0, { start: () => void (memo = createMemo(compute)) });
}

/** Whether a person is looking at this conversation right now. */
export function isLookedAt(jid: string): boolean {
  const at = route();
  return document.visibilityState === "visible" && document.hasFocus() && at.page === "chat" && at.jid === jid;
}

function show(chat: string, from: string, body: string): void {
  const room = isRoom(chat);
  const title = room ? `${from} · ${roomName(chat)}` : personName(from);
  const text = body.length > BODY_MAX ? `${body.slice(0, BODY_MAX)}…` : body;
  const options = { body: text, tag: chat, icon: room ? undefined : profile(from)?.picture || undefined };
  try {
    const note = new Notification(title, options);
    note.onclick = () => {
      window.focus();
      openConversation(chat, room ? "room" : "person");
      note.close();
    };
  } catch {
    const path = hrefOf({ page: "chat", jid: chat, kind: room ? "room" : "person", details: false });
    void notifyByWorker(title, options, path).catch(() => undefined);
  }
}

export function installNotify(): void {
  unreadTotal.start();
  createEffect(() => {
    const name = server()?.name ?? "Anser";
    const count = unreadTotal();
    const at = route();
    const place = at.page === "chat" ? (at.kind === "room" ? roomName(at.jid) : personName(at.jid)) : "";
    document.title = `${count > 0 ? `(${count}) ` : ""}${place === "" ? name : `${place} · ${name}`}`;
  });
  incoming.on(({ chat, from, body }) => {
    if (!notify() || isLookedAt(chat) || (document.hasFocus() && document.visibilityState === "visible")) return;
    show(chat, from, /^https?:\/\/\S+\/upload\/\S+$/.test(body) ? t().file.aFile : body);
  });
}
