// SPDX-License-Identifier: AGPL-3.0-or-later
// Rooms (XEP-0045), occupant ids (XEP-0421), bookmarks in private storage (XEP-0048, 0049).

import { NS } from "./ns";
import { readForm, submitForm } from "./stanza";
import type { Fields } from "./stanza";
import { el, textEl } from "./xml";
import type { El } from "./xml";
import { bare, resource } from "./jid";

export type Affiliation = "owner" | "admin" | "member" | "none" | "outcast";
const AFFILIATIONS: readonly Affiliation[] = ["owner", "admin", "member", "none", "outcast"];

export interface RoomPresence {
  readonly room: string;
  readonly nick: string;
  readonly available: boolean;
  readonly affiliation: Affiliation;
  readonly role: string;
  /** The occupant's real address where the room shows it. */
  readonly jid: string;
  readonly occupantId: string;
  readonly newNick: string | undefined;
  readonly status: readonly string[];
  readonly destroyed: boolean;
}

function affiliation(text: string | undefined): Affiliation {
  return AFFILIATIONS.find((a) => a === text) ?? "none";
}

/** Reads an occupant's presence; undefined when it is not about a room. */
export function readRoomPresence(node: El): RoomPresence | undefined {
  const x = node.child("x", NS.mucUser);
  if (!x) return undefined;
  const from = node.attr("from") ?? "";
  const item = x.child("item");
  return {
    room: bare(from),
    nick: resource(from),
    available: node.attr("type") !== "unavailable",
    affiliation: affiliation(item?.attr("affiliation")),
    role: item?.attr("role") ?? "none",
    jid: bare(item?.attr("jid") ?? ""),
    occupantId: node.child("occupant-id", NS.occupant)?.attr("id") ?? "",
    newNick: item?.attr("nick"),
    status: x.els("status").map((s) => s.attr("code") ?? ""),
    destroyed: x.child("destroy") !== undefined,
  };
}

/** The part of a presence that joins: no history, the archive has it. */
export function joinElement(password: string): El {
  return el("x", NS.muc, {}, el("history", "", { maxstanzas: "0" }), password === "" ? undefined : textEl("password", password));
}

export function leaveStanza(room: string, nick: string): El {
  return el("presence", NS.client, { to: `${room}/${nick}`, type: "unavailable" });
}

export const configQuery: El = el("query", NS.mucOwner);

/** Answers a configuration form with those of our wishes that the room knows. */
export function configSubmit(offered: Fields, wishes: Readonly<Record<string, string>>): El {
  const known = Object.entries(wishes).filter(([name]) => name in offered);
  const form = submitForm({ FORM_TYPE: "http://jabber.org/protocol/muc#roomconfig", ...Object.fromEntries(known) });
  return el("query", NS.mucOwner, {}, form);
}

export function readConfig(iq: El): Fields {
  return readForm(iq.child("query", NS.mucOwner)?.child("x", NS.forms));
}

export const destroyQuery: El = el("query", NS.mucOwner, {}, el("destroy"));

export function affiliationSet(jid: string, to: Affiliation): El {
  return el("query", NS.mucAdmin, {}, el("item", "", { jid, affiliation: to }));
}

export function affiliationQuery(of: Affiliation): El {
  return el("query", NS.mucAdmin, {}, el("item", "", { affiliation: of }));
}

export function readAffiliations(iq: El): { readonly jid: string; readonly affiliation: Affiliation }[] {
  const items = iq.child("query", NS.mucAdmin)?.els("item") ?? [];
  return items.map((i) => ({ jid: bare(i.attr("jid") ?? ""), affiliation: affiliation(i.attr("affiliation")) }));
}

export interface Bookmark {
  readonly room: string;
  readonly name: string;
  readonly nick: string;
}

export const bookmarksQuery: El = el("query", NS.private, {}, el("storage", NS.bookmarks));

export function readBookmarks(iq: El): Bookmark[] {
  const rows = iq.child("query", NS.private)?.child("storage", NS.bookmarks)?.els("conference") ?? [];
  return rows.map((c) => ({ room: bare(c.attr("jid") ?? ""), name: c.attr("name") ?? "", nick: c.textOf("nick") ?? "" }));
}

export function bookmarksSet(bookmarks: readonly Bookmark[]): El {
  const rows = bookmarks.map((b) =>
    el("conference", "", { jid: b.room, name: b.name, autojoin: "true" }, textEl("nick", b.nick)),
  );
  return el("query", NS.private, {}, el("storage", NS.bookmarks, {}, ...rows));
}
