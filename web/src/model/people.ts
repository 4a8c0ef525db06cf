// SPDX-License-Identifier: AGPL-3.0-or-later
// Contacts, their presence, requests to become one, and who is blocked.

import { createSignal } from "solid-js";
import { createStore, produce, reconcile } from "solid-js/store";
import { NS } from "../wire/ns";
import {
  blockListQuery, blockQuery, readBlocking, readPresence, readRoster, rosterQuery, rosterRemove, rosterSet, subscriptionStanza,
} from "../wire/roster";
import type { Presence, RosterItem, Show } from "../wire/roster";
import type { El } from "../wire/xml";
import { bare, local, resource } from "../wire/jid";
import { openChat } from "./chats";
import { createEvent } from "./event";
import { accountDb, events, iq, isOnline, me, send } from "./session";

interface DevicePresence {
  readonly show: Show;
  readonly status: string;
  readonly priority: number;
}

export interface Availability {
  readonly show: Show;
  readonly status: string;
}

const [contacts, setContacts] = createStore<Record<string, RosterItem>>({});
const [devices, setDevices] = createStore<Record<string, Record<string, DevicePresence>>>({});
const [requests, setRequests] = createSignal<readonly string[]>([]);
const [blocked, setBlocked] = createSignal<readonly string[]>([]);
const [rosterReady, setRosterReady] = createSignal(false);
export { contacts, requests, blocked, rosterReady };

/** A contact's presence that says something about a photo. */
export const photoNews = createEvent<{ readonly jid: string; readonly hash: string }>();

const OFFLINE: Availability = { show: "offline", status: "" };
const NEARNESS: Readonly<Record<Show, number>> = { chat: 5, online: 5, dnd: 4, away: 3, xa: 2, offline: 0 };

/** How a person can be reached now, over all their devices. */
export function availability(jid: string): Availability {
  const all = Object.values(devices[jid] ?? {});
  const best = all.sort((a, b) => NEARNESS[b.show] - NEARNESS[a.show] || b.priority - a.priority)[0];
  return isOnline() && best ? best : OFFLINE;
}

export const isContact = (jid: string): boolean => ["both", "to", "from"].includes(contacts[jid]?.subscription ?? "none");
export const seesUs = (jid: string): boolean => ["both", "from"].includes(contacts[jid]?.subscription ?? "none");
export const isBlocked = (jid: string): boolean => blocked().includes(jid);

async function fetchRoster(): Promise<void> {
  const db = accountDb();
  const version = await db.get<string>("meta", "rosterVersion");
  const saved = await db.get<readonly RosterItem[]>("meta", "roster");
  const change = readRoster(await iq("get", undefined, rosterQuery(saved ? (version ?? "") : "")));
  if (change) {
    setContacts(reconcile(Object.fromEntries(change.items.map((i) => [i.jid, i]))));
    await saveRoster(change.version);
  }
  setRosterReady(true);
}

function saveRoster(version: string | undefined): Promise<void> {
  const items = Object.values(contacts).map((c) => ({ ...c }));
  return accountDb().write([
    { store: "meta", key: "roster", value: items },
    { store: "meta", key: "rosterVersion", value: version ?? "" },
  ]);
}

function onPush(node: El): void {
  const change = readRoster(node);
  for (const item of change?.items ?? []) {
    if (item.subscription === "remove") setContacts(produce((all) => delete all[item.jid]));
    else setContacts(item.jid, item);
    if (["both", "from"].includes(item.subscription)) setRequests((all) => all.filter((jid) => jid !== item.jid));
  }
  if (change) void saveRoster(change.version);
  const block = readBlocking(node);
  if (block?.verb === "block") setBlocked((all) => [...new Set([...all, ...block.jids])]);
  if (block?.verb === "unblock") setBlocked((all) => (block.jids.length === 0 ? [] : all.filter((j) => !block.jids.includes(j))));
}

function onPresence(node: El): void {
  if (node.child("x", NS.mucUser)) return;
  const presence = readPresence(node);
  const jid = bare(presence.from);
  if (presence.type === "subscribe") onSubscribe(jid);
  else if (presence.type === "unsubscribe") setRequests((all) => all.filter((j) => j !== jid));
  else if (presence.type === "" || presence.type === "unavailable") setDevice(jid, presence);
}

function onSubscribe(jid: string): void {
  // Someone we asked first: answering yes is what we meant.
  if (["to", "both"].includes(contacts[jid]?.subscription ?? "none") || contacts[jid]?.asked) {
    send(subscriptionStanza(jid, "subscribed"));
  } else if (!requests().includes(jid)) {
    setRequests((all) => [...all, jid]);
  }
}

function setDevice(jid: string, presence: Presence): void {
  const device = resource(presence.from);
  setDevices(
    produce((all) => {
      const own = (all[jid] ??= {});
      if (presence.show === "offline") {
        if (device === "") all[jid] = {};
        else delete own[device];
      } else {
        own[device] = { show: presence.show, status: presence.status, priority: presence.priority };
      }
    }),
  );
  if (presence.photo !== undefined) photoNews.emit({ jid, hash: presence.photo });
}

/** Asks somebody to become a contact and opens the conversation; the token of an invitation is their consent. */
export async function addContact(jid: string, token?: string): Promise<void> {
  await iq("set", undefined, rosterSet(jid, local(jid)));
  send(subscriptionStanza(jid, "subscribe", token));
  openChat(jid, "person");
}

export async function acceptRequest(jid: string): Promise<void> {
  send(subscriptionStanza(jid, "subscribed"));
  setRequests((all) => all.filter((j) => j !== jid));
  if (!["to", "both"].includes(contacts[jid]?.subscription ?? "none")) await addContact(jid);
  else openChat(jid, "person");
}

export function declineRequest(jid: string): void {
  send(subscriptionStanza(jid, "unsubscribed"));
  setRequests((all) => all.filter((j) => j !== jid));
}

export async function renameContact(jid: string, name: string): Promise<void> {
  await iq("set", undefined, rosterSet(jid, name));
}

export async function removeContact(jid: string): Promise<void> {
  await iq("set", undefined, rosterRemove(jid));
}

export async function block(jid: string): Promise<void> {
  await iq("set", undefined, blockQuery("block", jid));
  setBlocked((all) => [...new Set([...all, jid])]);
}

export async function unblock(jid: string): Promise<void> {
  await iq("set", undefined, blockQuery("unblock", jid));
  setBlocked((all) => all.filter((j) => j !== jid));
}

async function loadSaved(): Promise<void> {
  const saved = await accountDb().get<readonly RosterItem[]>("meta", "roster");
  if (saved && !rosterReady()) setContacts(Object.fromEntries(saved.map((i) => [i.jid, i])));
}

/** Part of what happens on a new session; presence goes out after it, so that answers find the roster. */
export async function fetchPeople(): Promise<void> {
  setDevices(reconcile({}));
  setRequests([]);
  const list = iq("get", undefined, blockListQuery).then(readBlocking, () => undefined);
  await fetchRoster().catch(() => setRosterReady(true));
  setBlocked((await list)?.jids ?? []);
}

export function installPeople(): void {
  events.opened.on(() => void loadSaved());
  events.push.on(onPush);
  events.presence.on(onPresence);
  events.closed.on(() => {
    setContacts(reconcile({}));
    setDevices(reconcile({}));
    setRequests([]);
    setBlocked([]);
    setRosterReady(false);
  });
}

export const myself = (jid: string): boolean => jid === me();
