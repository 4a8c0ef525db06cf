// SPDX-License-Identifier: AGPL-3.0-or-later
// Who is writing (XEP-0085), theirs and ours.

import { createStore, produce, reconcile } from "solid-js/store";
import { stateMessage } from "../wire/message";
import type { ChatState } from "../wire/message";
import { chats } from "./chats";
import { availability } from "./people";
import { events, send } from "./session";

// Nobody types for longer without a new sign of it (XEP-0085 §5.5 leaves the time to us).
const FORGET_AFTER_MS = 30_000;
const PAUSE_AFTER_MS = 5000;

const [typing, setStore] = createStore<Record<string, readonly string[]>>({});
const timers = new Map<string, ReturnType<typeof setTimeout>>();

/** The people writing in a conversation: addresses, or nicknames in a room. */
export const typingIn = (chat: string): readonly string[] => typing[chat] ?? [];

export function setTyping(chat: string, who: string, on: boolean): void {
  const key = `${chat}\n${who}`;
  clearTimeout(timers.get(key));
  timers.delete(key);
  const known = typingIn(chat);
  if (on) timers.set(key, setTimeout(() => setTyping(chat, who, false), FORGET_AFTER_MS));
  if (on === known.includes(who)) return;
  setStore(produce((all) => (all[chat] = on ? [...known, who] : known.filter((w) => w !== who))));
}

let told: { readonly chat: string; readonly state: ChatState } | undefined;
let pause: ReturnType<typeof setTimeout> | undefined;

function tell(chat: string, state: ChatState): void {
  const room = chats[chat]?.kind === "room";
  if (!room && availability(chat).show === "offline") return;
  if (told?.chat === chat && told.state === state) return;
  told = { chat, state };
  send(stateMessage(chat, room ? "groupchat" : "chat", state));
}

/** We changed the text; an empty one means that we stopped. */
export function weType(chat: string, text: string): void {
  clearTimeout(pause);
  if (text === "") {
    if (told?.chat === chat && told.state === "composing") tell(chat, "active");
    return;
  }
  tell(chat, "composing");
  pause = setTimeout(() => tell(chat, "paused"), PAUSE_AFTER_MS);
}

/** The message itself says "active". */
export function weSent(chat: string): void {
  clearTimeout(pause);
  told = { chat, state: "active" };
}

export function installTyping(): void {
  const clear = (): void => {
    timers.forEach(clearTimeout);
    timers.clear();
    setStore(reconcile({}));
    told = undefined;
  };
  events.bound.on(clear);
  events.closed.on(clear);
}
