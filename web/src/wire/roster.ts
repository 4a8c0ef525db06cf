// SPDX-License-Identifier: AGPL-3.0-or-later
// Contacts and presence (RFC 6121 §2-4), blocking (XEP-0191), photo hashes in presence (XEP-0153).

import { NS } from "./ns";
import { readTime } from "./stanza";
import { el, textEl } from "./xml";
import type { El } from "./xml";
import { bare } from "./jid";

export type Subscription = "none" | "to" | "from" | "both" | "remove";
export type Show = "online" | "chat" | "away" | "xa" | "dnd" | "offline";

export interface RosterItem {
  readonly jid: string;
  readonly name: string;
  readonly subscription: Subscription;
  readonly asked: boolean;
}

const SUBSCRIPTIONS: readonly Subscription[] = ["none", "to", "from", "both", "remove"];

function readItem(node: El): RosterItem {
  return {
    jid: bare(node.attr("jid") ?? ""),
    name: node.attr("name") ?? "",
    subscription: SUBSCRIPTIONS.find((s) => s === node.attr("subscription")) ?? "none",
    asked: node.attr("ask") === "subscribe",
  };
}

export function rosterQuery(version: string | undefined): El {
  return el("query", NS.roster, { ver: version });
}

export interface RosterChange {
  readonly items: readonly RosterItem[];
  readonly version: string | undefined;
}

/** The roster in an answer or push; undefined where an answer says that our version is current. */
export function readRoster(iq: El): RosterChange | undefined {
  const query = iq.child("query", NS.roster);
  return query && { items: query.els("item").map(readItem), version: query.attr("ver") };
}

export function rosterSet(jid: string, name: string): El {
  return el("query", NS.roster, {}, el("item", "", { jid, name: name === "" ? undefined : name }));
}

export function rosterRemove(jid: string): El {
  return el("query", NS.roster, {}, el("item", "", { jid, subscription: "remove" }));
}

export interface Presence {
  readonly from: string;
  readonly type: string;
  readonly show: Show;
  readonly status: string;
  readonly priority: number;
  /** undefined: says nothing about a photo; "": has none. */
  readonly photo: string | undefined;
  readonly sinceMs: number | undefined;
}

const SHOWS: readonly Show[] = ["chat", "away", "xa", "dnd"];

export function readPresence(node: El): Presence {
  const type = node.attr("type") ?? "";
  const show = node.textOf("show");
  return {
    from: node.attr("from") ?? "",
    type,
    show: type === "unavailable" ? "offline" : (SHOWS.find((s) => s === show) ?? "online"),
    status: node.textOf("status") ?? "",
    priority: Number(node.textOf("priority") ?? 0) || 0,
    photo: node.child("x", NS.vcardUpdate)?.textOf("photo"),
    sinceMs: readTime(node.child("delay", NS.delay)?.attr("stamp")),
  };
}

export interface OwnPresence {
  readonly show: Show;
  readonly status: string;
  readonly photo: string | undefined;
  readonly capsVersion: string;
}

export const CAPS_NODE = "https://anser.chat/web";

/** What we tell everybody, or with `to` a room, about ourselves. */
export function presenceStanza(own: OwnPresence, to?: string, ...more: readonly (El | undefined)[]): El {
  return el(
    "presence", NS.client, { to },
    own.show === "online" ? undefined : textEl("show", own.show),
    own.status === "" ? undefined : textEl("status", own.status),
    el("c", NS.caps, { hash: "sha-1", node: CAPS_NODE, ver: own.capsVersion }),
    el("x", NS.vcardUpdate, {}, own.photo === undefined ? undefined : textEl("photo", own.photo)),
    ...more,
  );
}

export type SubscriptionVerb = "subscribe" | "subscribed" | "unsubscribe" | "unsubscribed";

/** A request can carry the token of an invitation (XEP-0379), which is the other side's consent. */
export function subscriptionStanza(to: string, type: SubscriptionVerb, token?: string): El {
  return el("presence", NS.client, { to, type }, token === undefined ? undefined : el("preauth", NS.preauth, { token }));
}

export const blockListQuery: El = el("blocklist", NS.blocking);

export function blockQuery(verb: "block" | "unblock", jid: string): El {
  return el(verb, NS.blocking, {}, el("item", "", { jid }));
}

/** A block list, or a push that blocks or unblocks; no items in an unblock mean everybody. */
export function readBlocking(iq: El): { readonly verb: string; readonly jids: readonly string[] } | undefined {
  const node = iq.in(NS.blocking);
  return node && { verb: node.name, jids: node.els("item").map((i) => bare(i.attr("jid") ?? "")) };
}
