// SPDX-License-Identifier: AGPL-3.0-or-later
// Who is signed in, and the one connection. Other models hear `opened`, `bound`, `resumed`, `closed` and
// the stanzas from here and ask through `iq` and `send`.

import { createSignal } from "solid-js";
import { ArchiveReader } from "../wire/archive";
import { Connection } from "../wire/connection";
import type { ConnectionState } from "../wire/connection";
import { invalidateToken } from "../wire/invalidate";
import type { Credentials } from "../wire/login";
import { readCarbon } from "../wire/message";
import { NS } from "../wire/ns";
import { answerFor, readServerTime, timeQuery } from "../wire/services";
import { Disconnected } from "../wire/stanza";
import { el } from "../wire/xml";
import type { El } from "../wire/xml";
import { bare, domain, jidFromInput, local } from "../wire/jid";
import { deleteDb, memoryDb, openDb } from "./db";
import type { Db } from "./db";
import { createEvent } from "./event";
import { server } from "./server";

interface Account {
  readonly jid: string;
  readonly token: string;
  readonly expiry: string;
}

const PROFILE_DB = "anser";
const ACCOUNT_STORES = ["meta", "chats", "outbox", "people"];

const [me, setMe] = createSignal("");
const [status, setStatus] = createSignal<ConnectionState>({ at: "stopped" });
const [restoring, setRestoring] = createSignal(true);
/** Why the last session ended without us asking for it: a condition of RFC 6120, or "". */
const [endedBecause, setEndedBecause] = createSignal("");

/** Whether the client itself may be shown; not yet while the first sign-in is tried. */
const [signedIn, setSignedIn] = createSignal(false);

export { me, status, restoring, endedBecause, signedIn };
export const isOnline = (): boolean => status().at === "online";

export const events = {
  /** Signed in on this device: local memory may be read. */
  opened: createEvent<Db>(),
  bound: createEvent<string>(),
  resumed: createEvent<void>(),
  acked: createEvent<readonly string[]>(),
  message: createEvent<{ readonly node: El; readonly carbon: "sent" | "received" | undefined }>(),
  presence: createEvent<El>(),
  push: createEvent<El>(),
  /** Signed out: forget everything. */
  closed: createEvent<void>(),
};

let profile: Db | undefined;
let db: Db = memoryDb();
let connection: Connection | undefined;
let archiveReader: ArchiveReader | undefined;
let clockOffsetMs = 0;
let password: string | undefined;
let tokenSaved: Promise<void> = Promise.resolve();
let signedInAgain: (() => void) | undefined;

/** The server's idea of now: messages of all devices sort by one clock. */
export const now = (): number => Date.now() + clockOffsetMs;
export const accountDb = (): Db => db;
export const home = (): string => domain(me());
export const fullJid = (): string => connection?.jid ?? me();

export function iq(type: "get" | "set", to: string | undefined, payload: El): Promise<El> {
  return connection?.iq(type, to, payload) ?? Promise.reject(new Disconnected("signed out"));
}

/** Sends a stanza; `id` is reported by `acked`. False when not online. */
export function send(stanza: El, id?: string): boolean {
  return connection?.send(stanza, id) ?? false;
}

export function archive(): ArchiveReader {
  if (!archiveReader) throw new Disconnected("signed out");
  return archiveReader;
}

function onStanza(node: El): void {
  if (node.name === "message") {
    if (archiveReader?.take(node)) return;
    const carbon = readCarbon(node, me());
    if (carbon) events.message.emit({ node: carbon.message, carbon: carbon.sent ? "sent" : "received" });
    else if (!node.in(NS.carbons)) events.message.emit({ node, carbon: undefined });
  } else if (node.name === "presence") {
    events.presence.emit(node);
  } else if (node.name === "iq") {
    onRequest(node);
  }
}

function onRequest(node: El): void {
  const from = node.attr("from");
  const ours = from === undefined || bare(from) === me();
  if (ours && node.attr("type") === "set" && (node.child("query", NS.roster) || node.in(NS.blocking))) {
    events.push.emit(node);
    send(resultFor(node));
  } else {
    send(answerFor(node));
  }
}

const resultFor = (node: El): El => el("iq", NS.client, { to: node.attr("from"), id: node.attr("id"), type: "result" });

async function syncClock(): Promise<void> {
  const before = Date.now();
  const at = await iq("get", home(), timeQuery).then(readServerTime, () => undefined);
  if (at !== undefined) clockOffsetMs = at - (before + Date.now()) / 2;
}

async function agentId(): Promise<string> {
  profile ??= await openDb(PROFILE_DB, ["profile"]);
  const known = await profile.get<string>("profile", "agent");
  if (known !== undefined) return known;
  const fresh = crypto.randomUUID();
  await profile.write([{ store: "profile", key: "agent", value: fresh }]);
  return fresh;
}

// Another tab may have got a newer token meanwhile; else the password serves while this page has it.
async function otherCredentials(refused: string): Promise<Credentials | undefined> {
  const account = await profile?.get<Account>("profile", "account");
  if (account && account.jid === me() && account.token !== refused) return { kind: "token", token: account.token };
  if (account && account.token === refused) await saveAccount(undefined);
  return password === undefined ? undefined : { kind: "password", password };
}

async function saveAccount(account: Account | undefined): Promise<void> {
  await profile?.write([{ store: "profile", key: "account", value: account }]);
}

function websocketUrl(): string {
  const url = new URL(server()?.websocket ?? "/xmpp-websocket", location.href);
  url.protocol = url.protocol === "http:" ? "ws:" : "wss:";
  return url.href;
}

function deviceName(): string {
  const agent = navigator.userAgent;
  const browser = /Firefox|Edg|Chrome|Safari/.exec(agent)?.[0] ?? "Browser";
  const system = /Android|iPhone|iPad|Windows|Mac OS|Linux/.exec(agent)?.[0] ?? "";
  return `${browser} ${system}`.trim();
}

async function start(jid: string, credentials: Credentials): Promise<void> {
  db = await openDb(`anser:${jid}`, ACCOUNT_STORES);
  setMe(jid);
  setEndedBecause("");
  const agent = await agentId();
  connection = new Connection({
    url: websocketUrl(), jid, agentId: agent, device: deviceName(),
    events: {
      onState: (state) => {
        setStatus(state);
        if (state.at !== "connecting") signingIn?.(state);
        if (state.at === "refused") onRefused(state.reason);
      },
      onBound: (full) => {
        void syncClock();
        void tokenSaved.then(() => signedInAgain?.());
        events.bound.emit(full);
      },
      onResumed: () => events.resumed.emit(),
      onStanza,
      onAcked: (ids) => events.acked.emit(ids),
      onToken: (token, expiry) => {
        tokenSaved = saveAccount({ jid, token, expiry });
      },
      onTokenRefused: otherCredentials,
    },
  });
  archiveReader = new ArchiveReader(connection, jid);
  events.opened.emit(db);
  connection.start(credentials);
}

// Another window took over, or the token ended: the messages stay on this device, the person signs in again.
function onRefused(reason: string): void {
  if (signingIn) return;
  // Here no password was typed: it is the token that no longer counts.
  setEndedBecause(reason === "not-authorized" ? "credentials-expired" : reason);
  if (reason !== "conflict") void leave(false);
  signedInAgain?.();
}

let signingIn: ((outcome: ConnectionState) => void) | undefined;

/**
 * Signs in with a name or address; code is that of the second factor. Resolves to "" or to the reason of the refusal, "code-needed"
 * and "wrong-code" among them. When it is "", this device can come back: the token is saved.
 */
export async function signIn(name: string, secret: string, code?: string): Promise<string> {
  const jid = jidFromInput(name, server()?.domain ?? location.hostname);
  if (jid === undefined) return "bad-name";
  password = secret;
  const outcome = new Promise<ConnectionState>((resolve) => (signingIn = resolve));
  await start(jid, { kind: "password", password: secret, code });
  const result = await outcome;
  if (result.at === "online") {
    signingIn = undefined;
    await tokenSaved;
    setSignedIn(true);
    return "";
  }
  await leave(false);
  signingIn = undefined;
  return result.at === "refused" ? result.reason : "network";
}

/** Comes back with the token of an earlier visit; false where there is none. */
export async function restore(): Promise<boolean> {
  await agentId();
  const account = await profile?.get<Account>("profile", "account");
  if (account) await start(account.jid, { kind: "token", token: account.token });
  setSignedIn(account !== undefined);
  setRestoring(false);
  return account !== undefined;
}

async function leave(forget: boolean): Promise<void> {
  const jid = me();
  connection?.stop();
  connection = undefined;
  archiveReader = undefined;
  password = undefined;
  setSignedIn(false);
  setMe("");
  events.closed.emit();
  db.close();
  db = memoryDb();
  if (!forget) return;
  await saveAccount(undefined);
  tabs?.postMessage({ signedOut: jid });
  await deleteDb(`anser:${jid}`);
}

/** Tabs of one browser sign out together. */
const tabs = typeof BroadcastChannel === "undefined" ? undefined : new BroadcastChannel("anser");

function onTabNews(event: MessageEvent<unknown>): void {
  const news = event.data;
  if (typeof news === "object" && news !== null && "signedOut" in news && news.signedOut === me()) void leave(false);
}

/** Signs out: ends the token on the server and forgets this account on this device. */
export async function signOut(): Promise<void> {
  const account = await profile?.get<Account>("profile", "account");
  const agent = await agentId();
  const url = websocketUrl();
  setEndedBecause("");
  await leave(true);
  if (account) await invalidateToken(url, account.jid, agent, account.token);
}

export function retryNow(): void {
  connection?.retryNow();
}

/** Takes the session back after another window took it. */
export async function takeOver(): Promise<void> {
  setEndedBecause("");
  const account = await profile?.get<Account>("profile", "account");
  if (account) connection?.start({ kind: "token", token: account.token });
}

/** A new password ends the tokens made with the old one. Resolves when this device has a new one. */
export function signInAgain(secret: string): Promise<void> {
  password = secret;
  connection?.stop();
  connection?.start({ kind: "password", password: secret });
  return new Promise((resolve) => (signedInAgain = resolve));
}

/** The name before the @ of our address. */
export const myLocal = (): string => local(me());

/** Starts to listen to the network and to the page's life. */
export function watchPage(): void {
  tabs?.addEventListener("message", onTabNews);
  addEventListener("online", retryNow);
  addEventListener("offline", () => connection?.probe(3000));
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") retryNow();
  });
  // A clean goodbye: what we did not send waits in the outbox, what we did not get waits in the archive.
  addEventListener("pagehide", () => connection?.stop());
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
}
