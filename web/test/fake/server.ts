// SPDX-License-Identifier: AGPL-3.0-or-later
// A small server in memory that speaks what the client speaks: enough of SASL2, Bind 2, FAST, XEP-0198, rosters,
// archives, rooms and uploads to try the client without the real one. Tests can cut its lines.

import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";
import { NS } from "../../src/wire/ns";
import { el, parse, textEl } from "../../src/wire/xml";
import { El } from "../../src/wire/xml";
import { bare, local, resource } from "../../src/wire/jid";

export const DOMAIN = "localhost";
const MUC = `conference.${DOMAIN}`;
const ITERATIONS = 4096;

interface Item { subscription: string; name: string; ask: boolean }
interface Archived { id: string; with: string; at: string; node: El }
interface Account {
  password: string; roster: Map<string, Item>; archive: Archived[]; vcard: El; storage: El | undefined; tokens: Set<string>; blocked: Set<string>;
  /** What the second factor wants; undefined: it is off. */
  code?: string;
}
interface Room { name: string; subject: string; occupants: Map<string, Session>; affiliations: Map<string, string>; archive: Archived[] }

function hmac(key: Buffer, data: string | Buffer): Buffer {
  return createHmac("sha256", key).update(data).digest();
}

/** One resource of an account; survives its socket until resumed or replaced. */
export class Session {
  socket: WebSocket | undefined;
  user = "";
  jid = "";
  smId = "";
  handled = 0;
  sentCount = 0;
  unacked: El[] = [];
  presence: El | undefined;
  scram: { first: string; nonce: string; salt: Buffer } | undefined;
  wish: El | undefined;
  proved = false;

  raw(node: El): void {
    if (this.socket?.readyState === 1) this.socket.send(node.toString());
  }

  deliver(node: El): void {
    this.unacked.push(node);
    this.sentCount++;
    this.raw(node);
  }
}

export class FakeServer {
  readonly accounts = new Map<string, Account>();
  readonly sessions = new Set<Session>();
  readonly rooms = new Map<string, Room>();
  readonly invites = new Map<string, string>();
  readonly files = new Map<string, { type: string; data: Buffer; size: number }>();
  /** Called for each message; false drops it without an acknowledgement, as a crash would. */
  onMessage: (node: El) => boolean = () => true;
  /** Sees each request before it is answered. */
  onRequest: (session: Session, iq: El) => void = () => undefined;
  /** Every task of SASL2 that was chosen. */
  readonly tasks: string[] = [];
  /** Every message body that was taken, in order. */
  readonly taken: string[] = [];
  readonly setupCode = "first";
  #http: Server | undefined;
  #n = 0;

  constructor(private readonly page?: (path: string) => { type: string; data: Buffer } | undefined) {}

  add(name: string, password: string): Account {
    const account: Account = {
      password, roster: new Map(), archive: [], vcard: el("vCard", NS.vcard), storage: undefined, tokens: new Set(), blocked: new Set(),
    };
    this.accounts.set(`${name}@${DOMAIN}`, account);
    return account;
  }

  befriend(a: string, b: string): void {
    const [x, y] = [`${a}@${DOMAIN}`, `${b}@${DOMAIN}`];
    this.accounts.get(x)?.roster.set(y, { subscription: "both", name: b, ask: false });
    this.accounts.get(y)?.roster.set(x, { subscription: "both", name: a, ask: false });
    for (const [who, whom] of [[x, y], [y, x]] as const) this.#pushRoster(who, whom);
  }

  listen(port = 0): Promise<number> {
    const http = createServer((req, res) => this.#onHttp(req, res));
    this.#http = http;
    const sockets = new WebSocketServer({ server: http, path: "/xmpp-websocket" });
    sockets.on("connection", (socket) => this.#onSocket(socket));
    return new Promise((resolve) => http.listen(port, "127.0.0.1", () => {
      const address = http.address();
      resolve(typeof address === "object" && address ? address.port : 0);
    }));
  }

  close(): Promise<void> {
    for (const s of this.sessions) s.socket?.terminate();
    return new Promise((resolve) => (this.#http ? this.#http.close(() => resolve()) : resolve()));
  }

  /** Cuts all lines without a word, as a lost network does. */
  cut(): void {
    for (const s of this.sessions) s.socket?.terminate();
  }

  id(): string {
    return `a${String(++this.#n).padStart(6, "0")}`;
  }

  #onSocket(socket: WebSocket): void {
    let session = new Session();
    session.socket = socket;
    socket.on("message", (data) => {
      session = this.#onFrame(session, parse(String(data))) ?? session;
    });
    socket.on("close", () => {
      if (session.socket === socket) session.socket = undefined;
      if (session.smId === "") this.#end(session);
    });
  }

  #end(session: Session): void {
    if (!this.sessions.delete(session)) return;
    for (const [jid, room] of this.rooms) {
      for (const [nick, s] of room.occupants) if (s === session) this.#leave(jid, nick);
    }
    this.#broadcast(session, el("presence", NS.client, { from: session.jid, type: "unavailable" }));
  }

  #onFrame(session: Session, node: El): Session | undefined {
    if (node.is("open", NS.framing)) {
      session.raw(el("open", NS.framing, { from: DOMAIN, id: this.id(), version: "1.0" }));
      session.raw(this.#features());
    } else if (node.is("close", NS.framing)) {
      session.raw(el("close", NS.framing));
      session.socket?.close();
      this.#end(session);
    } else if (node.is("authenticate", NS.sasl2)) {
      return this.#authenticate(session, node);
    } else if (node.is("next", NS.sasl2)) {
      return this.#task(session, node);
    } else if (node.is("response", NS.sasl2)) {
      return this.#scramFinal(session, node);
    } else if (node.is("r", NS.sm)) {
      session.raw(el("a", NS.sm, { h: String(session.handled) }));
    } else if (node.is("a", NS.sm)) {
      session.unacked.splice(0, session.unacked.length - (session.sentCount - Number(node.attr("h"))));
    } else if (node.ns === NS.client) {
      this.#onStanza(session, node);
    }
    return undefined;
  }

  #features(): El {
    const fast = el("fast", NS.fast, {}, textEl("mechanism", "HT-SHA-256-NONE"));
    const authentication = el(
      "authentication", NS.sasl2, {}, textEl("mechanism", "SCRAM-SHA-256"), textEl("mechanism", "PLAIN"),
      el("inline", "", {}, el("bind", NS.bind2), fast, el("sm", NS.sm)),
    );
    return el("features", NS.stream, {}, authentication);
  }

  #authenticate(session: Session, node: El): Session | undefined {
    session.wish = node;
    const data = Buffer.from(node.textOf("initial-response") ?? "", "base64");
    if (node.attr("mechanism") === "HT-SHA-256-NONE") return this.#token(session, data);
    const first = data.toString().slice(3);
    const salt = randomBytes(12);
    session.user = `${/n=([^,]*)/.exec(first)?.[1] ?? ""}@${DOMAIN}`;
    const nonce = (/r=([^,]*)/.exec(first)?.[1] ?? "") + randomBytes(9).toString("hex");
    session.scram = { first, nonce, salt };
    const challenge = `r=${nonce},s=${salt.toString("base64")},i=${ITERATIONS}`;
    session.raw(textEl("challenge", Buffer.from(challenge).toString("base64"), NS.sasl2));
    return undefined;
  }

  #token(session: Session, data: Buffer): Session | undefined {
    const end = data.indexOf(0);
    session.user = `${data.subarray(0, end).toString()}@${DOMAIN}`;
    for (const token of this.accounts.get(session.user)?.tokens ?? []) {
      if (hmac(Buffer.from(token), "Initiator").equals(data.subarray(end + 1))) {
        if (session.wish?.child("fast", NS.fast)?.attr("invalidate")) this.accounts.get(session.user)?.tokens.delete(token);
        return this.#success(session, hmac(Buffer.from(token), "Responder"));
      }
    }
    return this.#failure(session);
  }

  #failure(session: Session): undefined {
    session.raw(el("failure", NS.sasl2, {}, el("not-authorized", NS.sasl)));
    return undefined;
  }

  #scramFinal(session: Session, node: El): Session | undefined {
    const scram = session.scram;
    const account = this.accounts.get(session.user);
    if (!scram || !account) return this.#failure(session);
    const final = Buffer.from(node.text, "base64").toString();
    const withoutProof = final.replace(/,p=.*/, "");
    const auth = `${scram.first},r=${scram.nonce},s=${scram.salt.toString("base64")},i=${ITERATIONS},${withoutProof}`;
    const salted = pbkdf2Sync(account.password, scram.salt, ITERATIONS, 32, "sha256");
    const clientKey = hmac(salted, "Client Key");
    const signature = hmac(createHash("sha256").update(clientKey).digest(), auth);
    const proof = Buffer.from(clientKey.map((b, i) => b ^ (signature[i] ?? 0))).toString("base64");
    if (/,p=(.*)$/.exec(final)?.[1] !== proof) return this.#failure(session);
    const verifier = `v=${hmac(hmac(salted, "Server Key"), auth).toString("base64")}`;
    if (!account.code) return this.#success(session, Buffer.from(verifier));
    const tasks = el("tasks", "", {}, textEl("task", "TOTP"), textEl("task", "RECOVERY-CODE"));
    session.raw(el("continue", NS.sasl2, {}, textEl("additional-data", Buffer.from(verifier).toString("base64")), tasks));
    session.proved = true;
    return undefined;
  }

  #task(session: Session, node: El): Session | undefined {
    const account = this.accounts.get(session.user);
    const code = node.child("code", NS.secondFactor)?.text;
    this.tasks.push(node.attr("task") ?? "");
    return session.proved && account?.code === code ? this.#success(session) : this.#failure(session);
  }

  #success(session: Session, data?: Buffer): Session {
    const account = this.accounts.get(session.user);
    const wish = session.wish;
    const resume = wish?.child("resume", NS.sm);
    const old = [...this.sessions].find((s) => s.smId !== "" && s.smId === resume?.attr("previd") && s.user === session.user);
    const parts: El[] = data ? [textEl("additional-data", data.toString("base64"))] : [];
    if (wish?.child("request-token", NS.fast)) {
      const token = randomBytes(12).toString("base64");
      account?.tokens.add(token);
      parts.push(el("token", NS.fast, { token, expiry: "2099-01-01T00:00:00Z" }));
    }
    if (old && resume) return this.#resumed(session, old, Number(resume.attr("h")), parts);
    session.jid = `${session.user}/web.${this.id()}`;
    session.smId = randomBytes(6).toString("hex");
    this.sessions.add(session);
    const failed = resume && el("failed", NS.sm, {}, el("item-not-found", NS.stanzas));
    const bound = el("bound", NS.bind2, {}, el("enabled", NS.sm, { id: session.smId, resume: "true" }));
    session.raw(el("success", NS.sasl2, {}, ...parts, textEl("authorization-identifier", session.jid), failed, bound));
    return session;
  }

  #resumed(fresh: Session, old: Session, h: number, parts: El[]): Session {
    old.socket?.terminate();
    old.socket = fresh.socket;
    old.unacked.splice(0, old.unacked.length - (old.sentCount - h));
    const resumed = el("resumed", NS.sm, { h: String(old.handled), previd: old.smId });
    old.raw(el("success", NS.sasl2, {}, ...parts, textEl("authorization-identifier", old.jid), resumed));
    old.unacked.forEach((n) => old.raw(n));
    return old;
  }

  #onStanza(session: Session, stanza: El): void {
    const node = new El(stanza.name, NS.client, { ...stanza.attrs, from: session.jid }, stanza.children);
    if (node.name === "message") {
      if (!this.onMessage(node)) return;
      session.handled++;
      this.#message(session, node);
    } else {
      session.handled++;
      if (node.name === "presence") this.#presence(session, node);
      else this.#iq(session, node);
    }
  }

  #store(owner: string, archive: Archived[], peer: string, node: El): El {
    const keep = node.child("body") ?? node.child("store", NS.hints);
    if (!keep) return node;
    const id = this.id();
    const stamped = new El("message", NS.client, node.attrs, [...node.children, el("stanza-id", NS.sid, { id, by: owner })]);
    archive.push({ id, with: peer, at: new Date().toISOString(), node: stamped });
    return stamped;
  }

  #known(archive: Archived[], node: El): boolean {
    const id = node.child("origin-id", NS.sid)?.attr("id");
    return id !== undefined && archive.some((a) => a.node.child("origin-id", NS.sid)?.attr("id") === id && bare(a.node.attr("from") ?? "") === bare(node.attr("from") ?? ""));
  }

  #message(session: Session, node: El): void {
    const to = bare(node.attr("to") ?? "");
    if (node.attr("type") === "groupchat") return this.#groupMessage(session, to, node);
    const [own, peer] = [this.accounts.get(session.user), this.accounts.get(to)];
    if (!own || !peer) {
      const error = el("error", "", { type: "cancel" }, el("item-not-found", NS.stanzas));
      session.deliver(el("message", NS.client, { from: to, to: session.jid, id: node.attr("id"), type: "error" }, error));
      return;
    }
    if (this.#known(own.archive, node)) return;
    if (node.child("body")) this.taken.push(node.textOf("body") ?? "");
    const mine = this.#store(session.user, own.archive, to, node);
    const theirs = this.#store(to, peer.archive, session.user, node);
    for (const s of this.sessions) {
      if (s.user === to) s.deliver(new El("message", NS.client, { ...theirs.attrs, to: s.jid }, theirs.children));
      else if (s.user === session.user && s !== session) this.#carbon(s, mine);
    }
  }

  #carbon(to: Session, node: El): void {
    const forwarded = el("forwarded", NS.forward, {}, node);
    to.deliver(el("message", NS.client, { from: to.user, to: to.jid }, el("sent", NS.carbons, {}, forwarded)));
  }

  #groupMessage(session: Session, jid: string, node: El): void {
    const room = this.rooms.get(jid);
    const nick = [...(room?.occupants ?? [])].find(([, s]) => s === session)?.[0];
    if (!room || nick === undefined) return;
    const subject = node.textOf("subject");
    if (subject !== undefined) room.subject = subject;
    const out = new El("message", NS.client, { ...node.attrs, from: `${jid}/${nick}`, to: undefined },
      [...node.children, el("occupant-id", NS.occupant, { id: `o-${session.user}` })]);
    if (this.#known(room.archive, out)) return;
    if (node.child("body")) this.taken.push(node.textOf("body") ?? "");
    const stamped = this.#store(jid, room.archive, nick, out);
    for (const s of room.occupants.values()) s.deliver(stamped);
  }

  #broadcast(session: Session, node: El): void {
    const roster = this.accounts.get(session.user)?.roster;
    for (const s of this.sessions) {
      const sub = s.user === session.user ? "both" : roster?.get(s.user)?.subscription;
      if (s !== session && (sub === "both" || sub === "from")) s.deliver(node);
    }
  }

  #presence(session: Session, node: El): void {
    const to = node.attr("to");
    const type = node.attr("type");
    if (to !== undefined && bare(to).endsWith(`@${MUC}`)) return type === "unavailable" ? this.#leave(bare(to), resource(to)) : this.#join(session, to, node);
    if (to !== undefined) return this.#subscription(session, bare(to), type ?? "");
    const first = session.presence === undefined;
    session.presence = node;
    this.#broadcast(session, node);
    if (!first) return;
    const roster = this.accounts.get(session.user)?.roster;
    for (const s of this.sessions) {
      if (s !== session && s.presence && ["both", "to"].includes(roster?.get(s.user)?.subscription ?? "")) session.deliver(s.presence);
    }
  }

  #subscription(session: Session, to: string, type: string): void {
    const own = this.accounts.get(session.user);
    if (type === "subscribed" && own && this.accounts.has(to)) return this.befriend(local(session.user), local(to));
    if (type === "subscribe" && own) {
      own.roster.set(to, { subscription: "none", name: own.roster.get(to)?.name ?? "", ask: true });
      this.#pushRoster(session.user, to);
    }
    for (const s of this.sessions) if (s.user === to) s.deliver(el("presence", NS.client, { from: session.user, to, type }));
  }

  #pushRoster(user: string, jid: string): void {
    const item = this.accounts.get(user)?.roster.get(jid);
    const row = el("item", "", { jid, name: item?.name, subscription: item?.subscription ?? "remove", ask: item?.ask ? "subscribe" : undefined });
    for (const s of this.sessions) {
      if (s.user === user) s.deliver(el("iq", NS.client, { type: "set", id: this.id(), to: s.jid }, el("query", NS.roster, {}, row)));
    }
  }

  #occupant(jid: string, nick: string, session: Session, self: boolean, more: readonly string[] = [], type?: string): El {
    const room = this.rooms.get(jid);
    const affiliation = room?.affiliations.get(session.user) ?? "none";
    const item = el("item", "", { affiliation, role: type ? "none" : "participant", jid: session.jid });
    const codes = [...(self ? ["110"] : []), ...more].map((code) => el("status", "", { code }));
    return el("presence", NS.client, { from: `${jid}/${nick}`, type }, el("x", NS.mucUser, {}, item, ...codes),
      el("occupant-id", NS.occupant, { id: `o-${session.user}` }));
  }

  #join(session: Session, to: string, node: El): void {
    const [jid, nick] = [bare(to), resource(to)];
    const isNew = !this.rooms.has(jid);
    const room: Room = this.rooms.get(jid) ?? { name: local(jid), subject: "", occupants: new Map(), affiliations: new Map([[session.user, "owner"]]), archive: [] };
    this.rooms.set(jid, room);
    const holder = room.occupants.get(nick);
    if (holder && holder.user !== session.user) {
      session.deliver(el("presence", NS.client, { from: to, type: "error" }, node.child("x", NS.muc), el("error", "", { type: "cancel" }, el("conflict", NS.stanzas))));
      return;
    }
    for (const [n, s] of room.occupants) session.deliver(this.#occupant(jid, n, s, false));
    room.occupants.set(nick, session);
    for (const s of room.occupants.values()) s.deliver(this.#occupant(jid, nick, session, s === session, isNew && s === session ? ["201"] : []));
    session.deliver(el("message", NS.client, { from: jid, type: "groupchat" }, textEl("subject", room.subject)));
  }

  #leave(jid: string, nick: string): void {
    const room = this.rooms.get(jid);
    const session = room?.occupants.get(nick);
    if (!room || !session) return;
    for (const s of room.occupants.values()) s.deliver(this.#occupant(jid, nick, session, s === session, [], "unavailable"));
    room.occupants.delete(nick);
  }

  #iq(session: Session, iq: El): void {
    if (iq.attr("type") !== "get" && iq.attr("type") !== "set") return;
    const request = iq.els()[0];
    this.onRequest(session, iq);
    const answer = request && this.#answer(session, iq, request);
    const attrs = { id: iq.attr("id"), to: session.jid, from: iq.attr("to") };
    const error = el("error", "", { type: "cancel" }, el("service-unavailable", NS.stanzas));
    session.deliver(answer === undefined
      ? el("iq", NS.client, { ...attrs, type: "error" }, error)
      : el("iq", NS.client, { ...attrs, type: "result" }, answer ?? undefined));
  }

  /** null: an empty result; undefined: an error. */
  #answer(session: Session, iq: El, request: El): El | null | undefined {
    const account = this.accounts.get(session.user);
    const to = bare(iq.attr("to") ?? session.user);
    const set = iq.attr("type") === "set";
    const handlers: Readonly<Record<string, () => El | null | undefined>> = {
      [NS.roster]: () => this.#roster(session, request, set),
      [NS.mam]: () => this.#archive(session, to, request),
      [NS.vcard]: () => (set && account ? ((account.vcard = request), null) : this.accounts.get(to)?.vcard),
      [NS.private]: () => (set && account ? ((account.storage = request), null) : (account?.storage ?? request)),
      [NS.blocking]: () => el("blocklist", NS.blocking),
      [NS.time]: () => el("time", NS.time, {}, textEl("tzo", "+00:00"), textEl("utc", new Date().toISOString())),
      [NS.discoInfo]: () => el("query", NS.discoInfo, {}, el("identity", "", { category: "conference", type: "text", name: this.rooms.get(to)?.name })),
      [NS.commands]: () => this.#invite(session, request),
      [NS.upload]: () => this.#slot(request),
      [NS.mucOwner]: () => this.#owner(to, request, set),
      [NS.mucAdmin]: () => this.#admin(to, request, set),
      [NS.register]: () => null,
    };
    return handlers[request.ns]?.();
  }

  #roster(session: Session, request: El, set: boolean): El | null {
    const roster = this.accounts.get(session.user)?.roster ?? new Map<string, Item>();
    if (!set) return el("query", NS.roster, {}, ...[...roster].map(([jid, i]) => el("item", "", { jid, name: i.name, subscription: i.subscription, ask: i.ask ? "subscribe" : undefined })));
    const item = request.child("item");
    const jid = item?.attr("jid") ?? "";
    if (item?.attr("subscription") === "remove") roster.delete(jid);
    else roster.set(jid, { subscription: roster.get(jid)?.subscription ?? "none", name: item?.attr("name") ?? "", ask: roster.get(jid)?.ask ?? false });
    this.#pushRoster(session.user, jid);
    return null;
  }

  #archive(session: Session, to: string, request: El): El | undefined {
    const all = this.rooms.get(to)?.archive ?? this.accounts.get(session.user)?.archive ?? [];
    const form = request.child("x", NS.forms)?.els("field").find((f) => f.attr("var") === "with")?.textOf("value");
    let list = all.filter((a) => form === undefined || a.with === form);
    const rsm = request.child("set", NS.rsm);
    const [after, before, max] = [rsm?.textOf("after"), rsm?.textOf("before"), Number(rsm?.textOf("max") ?? 50)];
    if (after !== undefined) list = list.filter((a) => a.id > after);
    if (before) list = list.filter((a) => a.id < before);
    const page = before === undefined ? list.slice(0, max) : list.slice(-max);
    for (const a of page) {
      const forwarded = el("forwarded", NS.forward, {}, el("delay", NS.delay, { stamp: a.at }), a.node);
      const result = el("result", NS.mam, { queryid: request.attr("queryid"), id: a.id }, forwarded);
      session.deliver(el("message", NS.client, { from: to, to: session.jid }, result));
    }
    const set = el("set", NS.rsm, {}, page[0] && textEl("first", page[0].id), page[0] && textEl("last", page[page.length - 1]?.id ?? ""));
    return el("fin", NS.mam, { complete: page.length === list.length ? "true" : undefined }, set);
  }

  #invite(session: Session, request: El): El {
    const token = randomBytes(9).toString("hex");
    this.invites.set(token, session.user);
    const field = (name: string, value: string): El => el("field", "", { var: name }, textEl("value", value));
    const form = el("x", NS.forms, { type: "result" }, field("uri", `xmpp:${session.user}?roster;preauth=${token}`),
      field("landing-url", `https://${DOMAIN}:8443/i/${token}`), field("expire", "2099-01-01T00:00:00Z"));
    return el("command", NS.commands, { node: request.attr("node"), status: "completed" }, form);
  }

  #slot(request: El): El {
    const id = randomBytes(6).toString("hex");
    const url = `https://${DOMAIN}:8443/upload/${id}/${encodeURIComponent(request.attr("filename") ?? "")}`;
    this.files.set(id, { type: request.attr("content-type") ?? "", data: Buffer.alloc(0), size: Number(request.attr("size")) });
    return el("slot", NS.upload, {}, el("put", "", { url }), el("get", "", { url }));
  }

  #owner(jid: string, request: El, set: boolean): El | null {
    const room = this.rooms.get(jid);
    const names = ["roomname", "persistentroom", "membersonly", "whois"].map((n) => el("field", "", { var: `muc#roomconfig_${n}` }));
    if (!set) return el("query", NS.mucOwner, {}, el("x", NS.forms, { type: "form" }, ...names));
    const value = request.child("x", NS.forms)?.els("field").find((f) => f.attr("var") === "muc#roomconfig_roomname")?.textOf("value");
    if (room && value !== undefined) room.name = value;
    if (request.child("destroy")) this.rooms.delete(jid);
    return null;
  }

  #admin(jid: string, request: El, set: boolean): El | null {
    const affiliations = this.rooms.get(jid)?.affiliations ?? new Map<string, string>();
    const item = request.child("item");
    if (set) affiliations.set(item?.attr("jid") ?? "", item?.attr("affiliation") ?? "none");
    const rows = [...affiliations].filter(([, a]) => a === item?.attr("affiliation")).map(([j, affiliation]) => el("item", "", { jid: j, affiliation }));
    return set ? null : el("query", NS.mucAdmin, {}, ...rows);
  }

  #onHttp(req: IncomingMessage, res: ServerResponse): void {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => this.#route(req, Buffer.concat(chunks), res));
  }

  #route(req: IncomingMessage, body: Buffer, res: ServerResponse): void {
    const path = new URL(req.url ?? "/", "http://x").pathname;
    const json = (status: number, value: unknown): void => {
      res.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(value));
    };
    const sent = req.method === "POST" ? (JSON.parse(body.toString()) as Record<string, string>) : {};
    if (path === "/api/v1/server") {
      json(200, { domain: DOMAIN, name: "Anser", version: "0.1.0", setup_needed: this.accounts.size === 0, registration_open: false, muc: MUC, upload_max_bytes: 50_000_000, websocket: "/xmpp-websocket" });
    } else if (path === "/api/v1/setup") {
      if (sent["code"] !== this.setupCode) return json(403, { error: "bad-code" });
      this.add(sent["name"] ?? "", sent["password"] ?? "");
      json(201, { jid: `${sent["name"]}@${DOMAIN}` });
    } else if (path === "/api/v1/register") {
      this.#register(sent, json);
    } else if (path.startsWith("/api/v1/invite/")) {
      const inviter = this.invites.get(path.split("/").pop() ?? "");
      if (inviter) json(200, { inviter, inviter_name: local(inviter), domain: DOMAIN, account: true, room: null, expires: "2099-01-01T00:00:00Z" });
      else json(404, { error: "not-found" });
    } else if (path.startsWith("/upload/")) {
      this.#upload(req, path, body, res);
    } else {
      this.#file(path, res);
    }
  }

  #register(sent: Record<string, string>, json: (status: number, value: unknown) => void): void {
    const inviter = this.invites.get(sent["token"] ?? "");
    if (!inviter) return json(404, { error: "not-found" });
    if (this.accounts.has(`${sent["name"]}@${DOMAIN}`)) return json(409, { error: "exists" });
    this.add(sent["name"] ?? "", sent["password"] ?? "");
    this.befriend(sent["name"] ?? "", local(inviter));
    this.invites.delete(sent["token"] ?? "");
    json(201, { jid: `${sent["name"]}@${DOMAIN}` });
  }

  #upload(req: IncomingMessage, path: string, body: Buffer, res: ServerResponse): void {
    const file = this.files.get(path.split("/")[2] ?? "");
    if (!file) return void res.writeHead(404).end();
    if (req.method === "PUT" || req.method === "PATCH") {
      file.data = req.method === "PUT" ? body : Buffer.concat([file.data, body]);
      res.writeHead(201).end();
    } else if (req.method === "HEAD") {
      res.writeHead(200, { "Upload-Offset": String(file.data.length) }).end();
    } else {
      res.writeHead(200, { "Content-Type": file.type, "X-Content-Type-Options": "nosniff" }).end(file.data);
    }
  }

  #file(path: string, res: ServerResponse): void {
    const found = this.page?.(path);
    if (!found) return void res.writeHead(404).end();
    const csp = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; require-trusted-types-for 'script'; trusted-types anser anser-worker";
    res.writeHead(200, { "Content-Type": found.type, "Content-Security-Policy": csp }).end(found.data);
  }
}
