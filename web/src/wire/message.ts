// SPDX-License-Identifier: AGPL-3.0-or-later
// Messages: one typed reading of everything a <message/> may say, and the builders of what we send.
// RFC 6121 §5, receipts 0184, markers 0333, chat states 0085, ids 0359, hints 0334, files 0066 and 0447.

import { NS } from "./ns";
import { readError, readTime } from "./stanza";
import type { StanzaError } from "./stanza";
import { el, textEl } from "./xml";
import type { El } from "./xml";
import { bare } from "./jid";

export type ChatState = "active" | "composing" | "paused" | "inactive" | "gone";

export interface FileInfo {
  readonly url: string;
  readonly name: string;
  readonly size: number | undefined;
  readonly type: string;
  readonly width: number | undefined;
  readonly height: number | undefined;
}

export interface Invitation {
  readonly room: string;
  readonly from: string;
  readonly reason: string;
  readonly password: string;
}

export interface Message {
  readonly type: string;
  readonly from: string;
  readonly to: string;
  readonly id: string;
  readonly originId: string;
  /** The id that `archive` (an account or a room) gave this message. */
  stanzaId(archive: string): string;
  readonly delayMs: number | undefined;
  readonly body: string | undefined;
  readonly subject: string | undefined;
  readonly file: FileInfo | undefined;
  readonly wantsReceipt: boolean;
  readonly markable: boolean;
  readonly receivedId: string | undefined;
  readonly displayedId: string | undefined;
  readonly chatState: ChatState | undefined;
  readonly occupantId: string;
  readonly invitation: Invitation | undefined;
  readonly error: StanzaError | undefined;
  readonly mucStatus: readonly string[];
}

const STATES: readonly ChatState[] = ["active", "composing", "paused", "inactive", "gone"];

function positive(text: string | undefined): number | undefined {
  const n = Number(text);
  return text !== undefined && Number.isFinite(n) && n > 0 ? n : undefined;
}

function readFile(node: El, body: string | undefined): FileInfo | undefined {
  const sharing = node.child("file-sharing", NS.sfs);
  const meta = sharing?.child("file", NS.file);
  const target = sharing?.child("sources")?.child("url-data", NS.urlData)?.attr("target");
  const oob = node.child("x", NS.oob)?.textOf("url");
  const url = target ?? (oob === body ? oob : undefined);
  if (url === undefined || !/^https?:\/\//i.test(url)) return undefined;
  const guess = decodeURIComponentSafe(url.replace(/[?#].*$/, "").split("/").pop() ?? "");
  return {
    url,
    name: meta?.textOf("name") ?? guess,
    size: positive(meta?.textOf("size")),
    type: meta?.textOf("media-type") ?? "",
    width: positive(meta?.textOf("width")),
    height: positive(meta?.textOf("height")),
  };
}

function decodeURIComponentSafe(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function readInvitation(node: El): Invitation | undefined {
  const direct = node.child("x", NS.conference);
  const room = direct?.attr("jid");
  const from = node.attr("from") ?? "";
  if (direct && room) return { room: bare(room), from: bare(from), reason: direct.attr("reason") ?? "", password: direct.attr("password") ?? "" };
  const mediated = node.child("x", NS.mucUser);
  const invite = mediated?.child("invite");
  if (!mediated || !invite) return undefined;
  return {
    room: bare(from),
    from: bare(invite.attr("from") ?? ""),
    reason: invite.textOf("reason") ?? "",
    password: mediated.textOf("password") ?? "",
  };
}

/** Reads a message, live or out of an archive or carbon. */
export function readMessage(node: El): Message {
  const body = node.textOf("body");
  const state = node.in(NS.states)?.name;
  return {
    type: node.attr("type") ?? "normal",
    from: node.attr("from") ?? "",
    to: node.attr("to") ?? "",
    id: node.attr("id") ?? "",
    originId: node.child("origin-id", NS.sid)?.attr("id") ?? "",
    stanzaId: (archive) =>
      node.els("stanza-id").find((s) => s.ns === NS.sid && s.attr("by")?.toLowerCase() === archive)?.attr("id") ?? "",
    delayMs: readTime(node.child("delay", NS.delay)?.attr("stamp")),
    body,
    subject: node.textOf("subject"),
    file: readFile(node, body),
    wantsReceipt: node.child("request", NS.receipts) !== undefined,
    markable: node.child("markable", NS.markers) !== undefined,
    receivedId: node.child("received", NS.receipts)?.attr("id"),
    displayedId: node.child("displayed", NS.markers)?.attr("id"),
    chatState: STATES.find((s) => s === state),
    occupantId: node.child("occupant-id", NS.occupant)?.attr("id") ?? "",
    invitation: readInvitation(node),
    error: node.attr("type") === "error" ? readError(node) : undefined,
    mucStatus: node.child("x", NS.mucUser)?.els("status").map((s) => s.attr("code") ?? "") ?? [],
  };
}

/** A copy of a message of another device of ours (XEP-0280), or undefined. The sender must be our account. */
export function readCarbon(node: El, self: string): { readonly sent: boolean; readonly message: El } | undefined {
  const copy = node.in(NS.carbons);
  if (!copy || (node.attr("from") !== undefined && node.attr("from")?.toLowerCase() !== self)) return undefined;
  const message = copy.child("forwarded", NS.forward)?.child("message", NS.client);
  return message && { sent: copy.name === "sent", message };
}

export interface Outgoing {
  readonly to: string;
  readonly type: "chat" | "groupchat";
  readonly id: string;
  readonly body: string;
  readonly file?: FileInfo;
}

function fileSharing(file: FileInfo): El {
  const meta = el(
    "file", NS.file, {},
    file.type === "" ? undefined : textEl("media-type", file.type),
    textEl("name", file.name),
    file.size === undefined ? undefined : textEl("size", String(file.size)),
    file.width === undefined ? undefined : textEl("width", String(file.width)),
    file.height === undefined ? undefined : textEl("height", String(file.height)),
  );
  const source = el("url-data", NS.urlData, { target: file.url });
  return el("file-sharing", NS.sfs, { disposition: "inline" }, meta, el("sources", "", {}, source));
}

/** A chat message that asks for receipts and markers (in rooms: for neither, everybody would answer). */
export function chatMessage(out: Outgoing): El {
  const direct = out.type === "chat";
  return el(
    "message", NS.client, { to: out.to, type: out.type, id: out.id },
    textEl("body", out.body),
    el("origin-id", NS.sid, { id: out.id }),
    el("active", NS.states),
    direct ? el("request", NS.receipts) : undefined,
    direct ? el("markable", NS.markers) : undefined,
    out.file ? el("x", NS.oob, {}, textEl("url", out.file.url)) : undefined,
    out.file ? fileSharing(out.file) : undefined,
  );
}

export function receiptMessage(to: string, id: string): El {
  return el("message", NS.client, { to, type: "chat" }, el("received", NS.receipts, { id }), el("store", NS.hints));
}

/** Kept in the archives, so that both sides know it on every device. */
export function displayedMessage(to: string, id: string): El {
  return el("message", NS.client, { to, type: "chat" }, el("displayed", NS.markers, { id }), el("store", NS.hints));
}

export function stateMessage(to: string, type: "chat" | "groupchat", state: ChatState): El {
  return el("message", NS.client, { to, type }, el(state, NS.states), el("no-store", NS.hints));
}

/** A direct invitation to a room (XEP-0249), kept for those who are away. */
export function invitationMessage(to: string, room: string, name: string): El {
  return el("message", NS.client, { to }, el("x", NS.conference, { jid: room, reason: name }), el("store", NS.hints));
}

export function subjectMessage(room: string, subject: string): El {
  return el("message", NS.client, { to: room, type: "groupchat" }, textEl("subject", subject));
}
