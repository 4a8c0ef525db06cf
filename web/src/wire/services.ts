// SPDX-License-Identifier: AGPL-3.0-or-later
// Small services: discovery and what we answer about ourselves (0030, 0092, 0115, 0199, 0202), upload slots
// (0363), invitations by ad-hoc command (0050, 0401), password change (0077).

import { digest, toBase64, utf8 } from "./bytes";
import { NS } from "./ns";
import { CAPS_NODE } from "./roster";
import { readForm } from "./stanza";
import { el, textEl } from "./xml";
import type { El } from "./xml";

const FEATURES: readonly string[] = [
  NS.caps, NS.markers, NS.states, NS.discoInfo, NS.muc, NS.conference, NS.oob, NS.ping, NS.receipts,
  NS.sfs, NS.sid, NS.time, NS.vcardUpdate, NS.version,
].sort();

/** The verification string of XEP-0115 §5.1 for what `answerFor` says of us. */
export async function capsVersion(): Promise<string> {
  const parts = ["client/web//Anser", ...FEATURES].map((p) => `${p}<`).join("");
  return toBase64(await digest("SHA-1", utf8(parts)));
}

function discoInfo(node: string | undefined): El {
  const identity = el("identity", "", { category: "client", type: "web", name: "Anser" });
  return el("query", NS.discoInfo, { node }, identity, ...FEATURES.map((f) => el("feature", "", { var: f })));
}

function clock(): El {
  const now = new Date();
  const offset = -now.getTimezoneOffset();
  const two = (n: number): string => String(Math.floor(n)).padStart(2, "0");
  const zone = `${offset < 0 ? "-" : "+"}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)}`;
  return el("time", NS.time, {}, textEl("tzo", zone), textEl("utc", now.toISOString()));
}

/** Our answer to a request; requests that we do not know get the standard's error. */
export function answerFor(iq: El): El {
  const request = iq.els()[0];
  const attrs = { to: iq.attr("from"), id: iq.attr("id") };
  const result = (payload?: El): El => el("iq", NS.client, { ...attrs, type: "result" }, payload);
  const node = request?.attr("node");
  if (iq.attr("type") === "get") {
    if (request?.is("ping", NS.ping)) return result();
    if (request?.is("query", NS.version)) return result(el("query", NS.version, {}, textEl("name", "Anser"), textEl("version", "0.1.0")));
    if (request?.is("time", NS.time)) return result(clock());
    if (request?.is("query", NS.discoInfo) && (node === undefined || node.startsWith(`${CAPS_NODE}#`))) return result(discoInfo(node));
    if (request?.is("query", NS.discoItems)) return result(el("query", NS.discoItems));
  }
  const error = el("error", "", { type: "cancel" }, el("service-unavailable", NS.stanzas));
  return el("iq", NS.client, { ...attrs, type: "error" }, error);
}

export const infoQuery: El = el("query", NS.discoInfo);

export interface Info {
  readonly name: string;
  readonly features: readonly string[];
}

export function readInfo(iq: El): Info {
  const query = iq.child("query", NS.discoInfo);
  return { name: query?.child("identity")?.attr("name") ?? "", features: query?.els("feature").map((f) => f.attr("var") ?? "") ?? [] };
}

export const timeQuery: El = el("time", NS.time);

export function readServerTime(iq: El): number | undefined {
  const ms = Date.parse(iq.child("time", NS.time)?.textOf("utc") ?? "");
  return Number.isNaN(ms) ? undefined : ms;
}

export interface Slot {
  readonly put: string;
  readonly get: string;
  readonly headers: readonly (readonly [string, string])[];
}

export function slotQuery(name: string, size: number, type: string): El {
  return el("request", NS.upload, { filename: name, size: String(size), "content-type": type });
}

// XEP-0363 §4.2: no other header may be set on a server's word.
const SLOT_HEADERS = new Set(["authorization", "cookie", "expires"]);

export function readSlot(iq: El): Slot | undefined {
  const slot = iq.child("slot", NS.upload);
  const put = slot?.child("put");
  const get = slot?.child("get")?.attr("url");
  const url = put?.attr("url");
  if (!put || url === undefined || get === undefined) return undefined;
  const headers = put.els("header").map((h) => [h.attr("name") ?? "", h.text.replace(/[\r\n]/g, "")] as const);
  return { put: url, get, headers: headers.filter(([name]) => SLOT_HEADERS.has(name.toLowerCase())) };
}

export const INVITE_NODE = "urn:xmpp:invite#invite";
export const INVITE_ACCOUNT_NODE = "urn:xmpp:invite#create-account";

export function commandQuery(node: string): El {
  return el("command", NS.commands, { node, action: "execute" });
}

export interface InvitationLink {
  readonly link: string;
  readonly uri: string;
  readonly expires: string;
}

export function readInvitationLink(iq: El): InvitationLink | undefined {
  const fields = readForm(iq.child("command", NS.commands)?.child("x", NS.forms));
  const uri = fields["uri"]?.[0] ?? "";
  const link = fields["landing-url"]?.[0] ?? uri;
  return link === "" ? undefined : { link, uri, expires: fields["expire"]?.[0] ?? "" };
}

export function passwordSet(user: string, password: string): El {
  return el("query", NS.register, {}, textEl("username", user), textEl("password", password));
}
