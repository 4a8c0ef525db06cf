// SPDX-License-Identifier: AGPL-3.0-or-later
// Group conversations: entering, who is there, what is said.

import { createStore, produce, reconcile } from "solid-js/store";
import {
  affiliationQuery, affiliationSet, configQuery, configSubmit, destroyQuery, joinElement, leaveStanza, readAffiliations,
  readConfig, readRoomPresence,
} from "../wire/muc";
import type { Affiliation, RoomPresence } from "../wire/muc";
import { invitationMessage, readMessage, subjectMessage } from "../wire/message";
import type { Message } from "../wire/message";
import { presenceStanza } from "../wire/roster";
import { infoQuery, readInfo } from "../wire/services";
import { readError } from "../wire/stanza";
import type { El } from "../wire/xml";
import { bare, local, resource } from "../wire/jid";
import { randomId } from "../wire/bytes";
import { addBookmark, bookmarked, removeBookmark } from "./bookmarks";
import { addMessage, change, chats, closeChat, openChat } from "./chats";
import { incoming } from "./inbox";
import { dismissInvitation } from "./invitations";
import { arrived, flushOutbox, setRoomReady } from "./outbox";
import { myNick, ownPresence } from "./presence";
import { events, iq, me, now, send } from "./session";
import { server } from "./server";
import { setTyping } from "./typing";

export interface Occupant {
  readonly nick: string;
  readonly jid: string;
  readonly affiliation: Affiliation;
  readonly occupantId: string;
}

export interface Room {
  readonly jid: string;
  name: string;
  subject: string;
  nick: string;
  state: "out" | "joining" | "joined" | "failed";
  /** Why we are not in: an error condition, or kicked, banned, destroyed, removed. */
  error: string;
  affiliation: Affiliation;
  occupantId: string;
  occupants: Record<string, Occupant>;
  members: { readonly jid: string; readonly affiliation: Affiliation }[];
}

interface RoomArrival {
  readonly archiveId: string;
  readonly atMs: number;
  readonly live: boolean;
}

const [rooms, setRooms] = createStore<Record<string, Room>>({});
export { rooms };

/** Called with each room that was entered: its history has a gap to close. */
let onEntered: (room: string) => Promise<void> = () => Promise.resolve();
export function whenEntered(fn: (room: string) => Promise<void>): void {
  onEntered = fn;
}

const joins = new Map<string, { resolve(created: boolean): void; reject(reason: Error): void }>();

export class RoomError extends Error {
  override readonly name = "RoomError";
}

function fresh(jid: string, nick: string): Room {
  const name = bookmarked(jid)?.name ?? "";
  return {
    jid, name, subject: "", nick, state: "out", error: "", affiliation: "none", occupantId: "", occupants: {}, members: [],
  };
}

function edit(jid: string, fn: (room: Room) => void): void {
  setRooms(produce((all) => fn((all[jid] ??= fresh(jid, myNick())))));
}

export const roomName = (jid: string): string => rooms[jid]?.name || bookmarked(jid)?.name || local(jid);

function sendJoin(jid: string, nick: string, password: string): void {
  edit(jid, (room) => {
    room.nick = nick;
    room.state = "joining";
    room.error = "";
    room.occupants = {};
  });
  const sent = send(presenceStanza(ownPresence(), `${jid}/${nick}`, joinElement(password)));
  if (!sent) edit(jid, (room) => (room.state = "out"));
}

/** Enters a room; resolves to whether it is new. Rejects with a RoomError that names the condition. */
export function joinRoom(jid: string, password = "", nick = bookmarked(jid)?.nick || myNick()): Promise<boolean> {
  joins.get(jid)?.reject(new RoomError("again"));
  return new Promise((resolve, reject) => {
    joins.set(jid, { resolve, reject });
    sendJoin(jid, nick, password);
  });
}

/** Enters all rooms of ours again, as a new session must. */
export function rejoin(all: readonly string[]): void {
  for (const jid of all) {
    openChat(jid, "room");
    void joinRoom(jid).catch(() => undefined);
  }
}

function onPresence(node: El): void {
  const jid = bare(node.attr("from") ?? "");
  if (node.attr("type") === "error" && rooms[jid]) {
    onJoinError(jid, readError(node).condition);
    return;
  }
  const presence = readRoomPresence(node);
  if (!presence || !rooms[jid]) return;
  const self = presence.status.includes("110");
  if (presence.available) onHere(presence, self);
  else onGone(presence, self);
}

function onJoinError(jid: string, condition: string): void {
  const room = rooms[jid];
  if (!room || room.state !== "joining") return;
  // Our name is taken, maybe by another device of ours: take the next one.
  if (condition === "conflict" && room.nick.length < 60) {
    const base = room.nick.replace(/ \d+$/, "");
    const next = Number(/ (\d+)$/.exec(room.nick)?.[1] ?? 1) + 1;
    if (next < 10) return sendJoin(jid, `${base} ${next}`, "");
  }
  edit(jid, (r) => {
    r.state = "failed";
    r.error = condition;
  });
  joins.get(jid)?.reject(new RoomError(condition));
  joins.delete(jid);
}

function onHere(p: RoomPresence, self: boolean): void {
  const entered = self && rooms[p.room]?.state === "joining";
  edit(p.room, (room) => {
    room.occupants[p.nick] = { nick: p.nick, jid: p.jid, affiliation: p.affiliation, occupantId: p.occupantId };
    if (!self) return;
    room.nick = p.nick;
    room.affiliation = p.affiliation;
    room.occupantId = p.occupantId;
    if (!p.status.includes("201")) room.state = "joined";
  });
  if (!entered) return;
  joins.get(p.room)?.resolve(p.status.includes("201"));
  joins.delete(p.room);
  if (!p.status.includes("201")) void afterEntering(p.room);
}

async function afterEntering(jid: string): Promise<void> {
  void iq("get", jid, infoQuery).then(readInfo, () => undefined).then((info) => {
    if (info?.name) edit(jid, (room) => (room.name = info.name));
  });
  void loadMembers(jid);
  await onEntered(jid).catch(() => undefined);
  flushOutbox();
}

const GONE: readonly (readonly [code: string, reason: string])[] = [
  ["301", "banned"], ["307", "kicked"], ["321", "removed"], ["322", "removed"], ["332", "shutdown"],
];

function onGone(p: RoomPresence, self: boolean): void {
  const renamed = p.status.includes("303");
  edit(p.room, (room) => {
    delete room.occupants[p.nick];
    if (!self || renamed) return;
    const reason = GONE.find(([code]) => p.status.includes(code))?.[1];
    room.state = p.destroyed || reason ? "failed" : "out";
    room.error = p.destroyed ? "destroyed" : (reason ?? "");
  });
  setTyping(p.room, p.nick, false);
  if (self && (p.destroyed || rooms[p.room]?.error === "removed" || rooms[p.room]?.error === "banned")) {
    void removeBookmark(p.room).catch(() => undefined);
  }
}

function onMessage(node: El): void {
  const message = readMessage(node);
  if (message.type !== "groupchat") return;
  const jid = bare(message.from);
  takeRoomMessage(message, { archiveId: message.stanzaId(jid), atMs: message.delayMs ?? now(), live: true });
}

/** Takes in one message of a room. */
export function takeRoomMessage(message: Message, arrival: RoomArrival): void {
  const jid = bare(message.from);
  const room = rooms[jid];
  const nick = resource(message.from);
  if (!room) return;
  if (message.subject !== undefined && message.body === undefined) {
    if (arrival.live) edit(jid, (r) => (r.subject = message.subject ?? ""));
    return;
  }
  const mine = isMine(room, message, nick);
  if (arrival.live && nick !== "" && message.chatState && !mine) setTyping(jid, nick, message.chatState === "composing");
  if (message.body === undefined || message.body === "") return;
  const id = message.originId || message.id || arrival.archiveId;
  const added = addMessage(jid, "room", {
    id, archiveId: arrival.archiveId, from: nick, mine, atMs: arrival.atMs, body: message.body, file: message.file, state: "sent",
    notice: nick === "" ? "room" : undefined,
  });
  if (mine) arrived(id);
  if (arrival.live && arrival.archiveId !== "") change(jid, "room", (chat) => (chat.lastArchiveId = arrival.archiveId));
  if (arrival.live && added.unread) incoming.emit({ chat: jid, from: nick, body: message.body });
}

function isMine(room: Room, message: Message, nick: string): boolean {
  if (room.occupantId !== "" && message.occupantId !== "") return message.occupantId === room.occupantId;
  const known = room.occupants[nick];
  if (known && known.jid !== "") return known.jid === me();
  return nick === room.nick;
}

async function loadMembers(jid: string): Promise<void> {
  const kinds: readonly Affiliation[] = ["owner", "admin", "member"];
  const lists = await Promise.all(kinds.map((k) => iq("get", jid, affiliationQuery(k)).then(readAffiliations, () => [])));
  edit(jid, (room) => (room.members = lists.flat()));
}

/** Creates a group that only invited people enter, and invites them. Resolves to its address. */
export async function createRoom(name: string, people: readonly string[]): Promise<string> {
  const slug = name.toLowerCase().normalize("NFKD").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 32);
  const unique = randomId(4).toLowerCase().replace(/[^a-z0-9]/g, "0");
  const jid = `${slug === "" ? "group" : slug}-${unique}@${server()?.muc ?? ""}`;
  await joinRoom(jid, "", myNick());
  const offered = readConfig(await iq("get", jid, configQuery));
  await iq("set", jid, configSubmit(offered, {
    "muc#roomconfig_roomname": name,
    "muc#roomconfig_persistentroom": "1",
    "muc#roomconfig_membersonly": "1",
    "muc#roomconfig_publicroom": "0",
    "muc#roomconfig_whois": "anyone",
    "muc#roomconfig_changesubject": "1",
    "muc#roomconfig_enablearchiving": "1",
    "muc#roomconfig_allowinvites": "1",
  }));
  edit(jid, (room) => {
    room.state = "joined";
    room.name = name;
  });
  change(jid, "room", (chat) => (chat.activeMs = now()));
  await addBookmark({ room: jid, name, nick: myNick() });
  for (const person of people) await invite(jid, person);
  void afterEntering(jid);
  return jid;
}

/** Makes somebody a member and sends the invitation. */
export async function invite(jid: string, person: string): Promise<void> {
  const allowed = ["owner", "admin"].includes(rooms[jid]?.affiliation ?? "none");
  if (allowed) await iq("set", jid, affiliationSet(person, "member"));
  send(invitationMessage(person, jid, roomName(jid)));
  void loadMembers(jid);
}

export async function removeMember(jid: string, person: string): Promise<void> {
  await iq("set", jid, affiliationSet(person, "none"));
  await loadMembers(jid);
}

/** Enters a room that we were invited to, or whose address we know, and keeps it. */
export async function enterRoom(jid: string, password = ""): Promise<void> {
  openChat(jid, "room");
  await joinRoom(jid, password);
  dismissInvitation(jid);
  await addBookmark({ room: jid, name: roomName(jid), nick: myNick() });
}

export function setSubject(jid: string, subject: string): void {
  send(subjectMessage(jid, subject));
}

/** Leaves for good on all devices. */
export async function leaveRoom(jid: string): Promise<void> {
  await removeBookmark(jid);
  send(leaveStanza(jid, rooms[jid]?.nick ?? myNick()));
  setRooms(produce((all) => delete all[jid]));
  closeChat(jid);
}

/** Ends the room for everybody. */
export async function destroyRoom(jid: string): Promise<void> {
  await iq("set", jid, destroyQuery);
  await removeBookmark(jid);
  setRooms(produce((all) => delete all[jid]));
  closeChat(jid);
}

export function installRooms(): void {
  setRoomReady((jid) => rooms[jid]?.state === "joined");
  events.presence.on(onPresence);
  events.message.on(({ node, carbon }) => {
    if (carbon === undefined) onMessage(node);
  });
  events.bound.on(() => {
    for (const jid of Object.keys(rooms)) edit(jid, (room) => (room.state = "out"));
  });
  events.closed.on(() => {
    joins.clear();
    setRooms(reconcile({}));
  });
}

/** All people of a room: members first known by address, then those who are just here. */
export function roomPeople(jid: string): { readonly jid: string; readonly nick: string; readonly affiliation: Affiliation; readonly here: boolean }[] {
  const room = rooms[jid];
  if (!room) return [];
  const here = Object.values(room.occupants);
  const members = room.members.map((m) => {
    const occupant = here.find((o) => o.jid === m.jid);
    return { jid: m.jid, nick: occupant?.nick ?? local(m.jid), affiliation: m.affiliation, here: occupant !== undefined };
  });
  const guests = here.filter((o) => o.jid === "" || !members.some((m) => m.jid === o.jid))
    .map((o) => ({ jid: o.jid, nick: o.nick, affiliation: o.affiliation, here: true }));
  return [...members, ...guests].sort((a, b) => Number(b.here) - Number(a.here) || a.nick.localeCompare(b.nick));
}

export const isRoom = (jid: string): boolean => chats[jid]?.kind === "room" || rooms[jid] !== undefined;
