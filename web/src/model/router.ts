// SPDX-License-Identifier: AGPL-3.0-or-later
// The address bar is the truth about what is on the screen. Paths never contain a dot, so that a server can tell
// them from files: addresses are written short (`/c/bob`) when they are of this server, and escaped otherwise.

import { createSignal } from "solid-js";

export type Dialog = "new" | "group" | "invite" | "settings";

export type Route =
  | { readonly page: "home"; readonly dialog?: Dialog }
  | { readonly page: "chat"; readonly kind: "person" | "room"; readonly jid: string; readonly details: boolean }
  | { readonly page: "invited"; readonly token: string }
  | { readonly page: "setup"; readonly code: string };

export interface Hosts {
  readonly domain: string;
  readonly muc: string;
}

const ESCAPES: readonly (readonly [string, string])[] = [["~", "~0"], [".", "~1"]];
const escape = (text: string): string => encodeURIComponent(ESCAPES.reduce((t, [c, e]) => t.replaceAll(c, e), text));
const unescape = (text: string): string => ESCAPES.reduceRight((t, [c, e]) => t.replaceAll(e, c), text);

function shorten(jid: string, host: string): string {
  return escape(jid.endsWith(`@${host}`) ? jid.slice(0, -host.length - 1) : jid).replaceAll("%40", "@");
}

const DIALOGS: readonly Dialog[] = ["new", "group", "invite", "settings"];

export function pathOf(route: Route, hosts: Hosts): string {
  if (route.page === "home") return route.dialog ? `/${route.dialog}` : "/";
  if (route.page === "invited") return `/i/${encodeURIComponent(route.token)}`;
  if (route.page === "setup") return `/setup#${route.code}`;
  const base = route.kind === "room" ? `/r/${shorten(route.jid, hosts.muc)}` : `/c/${shorten(route.jid, hosts.domain)}`;
  return route.details ? `${base}/details` : base;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function routeOf(path: string, hash: string, hosts: Hosts): Route {
  const [first = "", second = "", third = ""] = path.split("/").slice(1).map(decode);
  if (first === "i" && second !== "") return { page: "invited", token: second };
  if (first === "setup") return { page: "setup", code: hash.replace(/^#/, "") };
  const dialog = DIALOGS.find((d) => d === first);
  if (dialog) return { page: "home", dialog };
  if ((first !== "c" && first !== "r") || second === "") return { page: "home" };
  const name = unescape(second);
  const host = first === "r" ? hosts.muc : hosts.domain;
  const jid = (name.includes("@") ? name : `${name}@${host}`).toLowerCase();
  return { page: "chat", kind: first === "r" ? "room" : "person", jid, details: third === "details" };
}

let hosts: Hosts = { domain: "", muc: "" };
const [route, setRoute] = createSignal<Route>({ page: "home" });
export { route };

function read(): void {
  setRoute(routeOf(location.pathname, location.hash, hosts));
}

/** Goes to a place; `replace` leaves no way back to the present one. */
export function go(to: Route, replace = false): void {
  const path = pathOf(to, hosts);
  if (path === location.pathname + location.hash) return;
  if (replace) history.replaceState(null, "", path);
  else history.pushState({ from: location.pathname }, "", path);
  read();
}

function cameFrom(): string | undefined {
  const state: unknown = history.state;
  return typeof state === "object" && state !== null && "from" in state ? String(state.from) : undefined;
}

/** Closes what lies over the page: back to where we came from, or home when somebody else brought us. */
export function close(): void {
  if (cameFrom() === undefined) go({ page: "home" }, true);
  else history.back();
}

/** Up to the list, without leaving a trail of going up and down. */
export function up(): void {
  if (cameFrom() === "/") history.back();
  else go({ page: "home" });
}

/** The first place after coming in: the way back leads to the list, not to the door. */
export function enter(to: Route): void {
  go({ page: "home" }, true);
  go(to);
}

export function openConversation(jid: string, kind: "person" | "room"): void {
  go({ page: "chat", jid, kind, details: false });
}

/** Goes to a path of our own, as a notification names it. */
export function openPath(path: string): void {
  go(routeOf(path, "", hosts));
}

export const hrefOf = (to: Route): string => pathOf(to, hosts);

export function installRouter(known: Hosts): void {
  hosts = known;
  addEventListener("popstate", read);
  addEventListener("hashchange", read);
  read();
}
