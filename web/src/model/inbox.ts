// SPDX-License-Identifier: AGPL-3.0-or-later
// What messages between people mean: words, receipts, markers, typing, invitations; live or out of the archive.

import { displayedMessage, readMessage, receiptMessage } from "../wire/message";
import type { Message } from "../wire/message";
import { NS } from "../wire/ns";
import type { El } from "../wire/xml";
import { bare } from "../wire/jid";
import { addMessage, chats, peerRead, setArchivePosition, setMessageState, weRead } from "./chats";
import { createEvent } from "./event";
import { arrived, bounced, waitingForPeople } from "./outbox";
import { seesUs } from "./people";
import { events, me, now, send } from "./session";
import { setTyping } from "./typing";
import { receiveInvitation } from "./invitations";

export interface Arrival {
  readonly archiveId: string;
  readonly atMs: number;
  /** live: just now · carbon: on another device of ours · archive: earlier */
  readonly source: "live" | "carbon" | "archive";
}

export interface Incoming {
  readonly chat: string;
  readonly from: string;
  readonly body: string;
}

/** A new unread message came while we are here. */
export const incoming = createEvent<Incoming>();

let following = false;
/** From now on live messages move the archive position: the gap before them is closed. */
export function followLive(on: boolean): void {
  following = on;
  reached = "";
}

// The position must stay before what we are sending: only so will the next catch-up tell whether it arrived.
let reached = "";

function movePosition(archiveId: string): void {
  if (following && archiveId !== "") reached = archiveId;
  if (!waitingForPeople()) setArchivePosition(reached);
}

function onMessage(node: El, carbon: "sent" | "received" | undefined): void {
  const message = readMessage(node);
  if (message.type === "groupchat") return;
  const archiveId = message.stanzaId(me());
  const source = carbon === undefined ? "live" : "carbon";
  takeMessage(message, { archiveId, atMs: message.delayMs ?? now(), source });
  movePosition(archiveId);
}

/** Takes in one message between people. */
export function takeMessage(message: Message, arrival: Arrival): void {
  const from = bare(message.from || me());
  const mine = from === me();
  const peer = mine ? bare(message.to) : from;
  if (peer === "" || message.type === "groupchat") return;
  if (message.error) {
    bounced(peer, message.id, message.error.condition);
    return;
  }
  if (message.invitation) {
    if (!mine) receiveInvitation(message.invitation);
    return;
  }
  if (chats[peer]?.kind === "room" || message.mucStatus.length > 0) return;
  takeNews(message, peer, mine, arrival);
  if (message.body !== undefined && message.body !== "") takeWords(message, peer, mine, arrival);
}

function takeNews(message: Message, peer: string, mine: boolean, arrival: Arrival): void {
  if (message.receivedId !== undefined && !mine) setMessageState(peer, message.receivedId, "delivered");
  if (message.displayedId !== undefined) {
    if (mine) weRead(peer, message.displayedId);
    else peerRead(peer, message.displayedId);
  }
  if (arrival.source === "live" && !mine && message.chatState) setTyping(peer, peer, message.chatState === "composing");
}

function takeWords(message: Message, peer: string, mine: boolean, arrival: Arrival): void {
  const id = message.originId || message.id || arrival.archiveId;
  const { isNew, unread } = addMessage(peer, "person", {
    id, archiveId: arrival.archiveId, from: mine ? me() : peer, mine, atMs: arrival.atMs,
    body: message.body ?? "", file: message.file, state: "sent", markable: message.markable,
  });
  if (mine) {
    arrived(id);
    return;
  }
  setTyping(peer, peer, false);
  if (!isNew) return;
  const late = arrival.source === "archive" && !unread;
  if (message.wantsReceipt && message.id !== "" && !late && seesUs(peer)) send(receiptMessage(peer, message.id));
  if (unread && arrival.source !== "archive") incoming.emit({ chat: peer, from: peer, body: message.body ?? "" });
}

/** Everything in this conversation was looked at, here and now. Tells the other side, once. */
export function markRead(jid: string): void {
  const chat = chats[jid];
  const last = chat?.messages.findLast((m) => !m.mine && m.notice === undefined);
  if (!chat || !last || (chat.unread === 0 && chat.readMs >= last.atMs)) return;
  weRead(jid, Math.max(last.atMs, chat.readMs));
  if (chat.kind === "person" && last.markable && seesUs(jid)) send(displayedMessage(jid, last.id));
}

export function installInbox(): void {
  events.message.on(({ node, carbon }) => {
    if (node.attr("type") === "headline" || (node.child("x", NS.mucUser) && !node.child("x", NS.mucUser)?.child("invite"))) return;
    onMessage(node, carbon);
  });
  events.acked.on(() => movePosition(""));
  events.bound.on(() => followLive(false));
  events.closed.on(() => followLive(false));
}
