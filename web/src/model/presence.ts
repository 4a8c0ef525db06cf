// SPDX-License-Identifier: AGPL-3.0-or-later
// What we tell others about ourselves: availability, status text, photo hash.

import { createSignal } from "solid-js";
import { presenceStanza } from "../wire/roster";
import type { OwnPresence, Show } from "../wire/roster";
import { capsVersion } from "../wire/services";

import { accountDb, events, myLocal, send } from "./session";

export type OwnShow = Extract<Show, "online" | "away" | "dnd">;

const [show, setShow] = createSignal<OwnShow>("online");
const [statusText, setStatusText] = createSignal("");
const [photo, setPhoto] = createSignal<string>();
const [nick, setNick] = createSignal("");
export { show, statusText };

let caps = "";

/** The name that we carry in rooms. */
export const myNick = (): string => nick() || myLocal();

export function ownPresence(): OwnPresence {
  return { show: show(), status: statusText(), photo: photo(), capsVersion: caps };
}

/** Tells everybody, and with `rooms` these rooms too. */
export function announce(rooms: readonly string[] = []): void {
  send(presenceStanza(ownPresence()));
  for (const room of rooms) send(presenceStanza(ownPresence(), room));
}

/** The first presence of a session: it opens the gates, so everything else comes before it. */
export async function announceFirst(): Promise<void> {
  if (caps === "") caps = await capsVersion();
  const saved = await accountDb().get<{ show: OwnShow; status: string }>("meta", "presence");
  if (saved) {
    setShow(saved.show);
    setStatusText(saved.status);
  }
  announce();
}

export function setAvailability(next: OwnShow, text: string, rooms: readonly string[]): void {
  setShow(next);
  setStatusText(text);
  void accountDb().write([{ store: "meta", key: "presence", value: { show: next, status: text } }]);
  announce(rooms);
}

/** Our photo or name changed, here or on another device; "" means no photo. */
export function setIdentity(name: string, hash: string): void {
  setNick(name);
  const changed = photo() !== hash;
  setPhoto(hash);
  if (changed) announce();
}

export function installPresence(): void {
  events.closed.on(() => {
    setShow("online");
    setStatusText("");
    setPhoto(undefined);
    setNick("");
  });
}

