// SPDX-License-Identifier: AGPL-3.0-or-later
// A connection that stays: XMPP over WebSocket (RFC 7395), logged in, acknowledged and resumed (XEP-0198),
// opened again with growing pauses. It tells what happened by `events` and keeps nothing of the conversation.

import { randomId } from "./bytes";
import { AuthError, login } from "./login";
import type { Credentials, LoginResult } from "./login";
import { NS } from "./ns";
import { SaslError } from "./sasl";
import { backoffMs, StreamManagement } from "./sm";
import type { Unacked } from "./sm";
import { Disconnected, readError, TimedOut } from "./stanza";
import { el, parse, XmlError } from "./xml";
import type { El } from "./xml";
import { bare, domain } from "./jid";

const IQ_TIMEOUT_MS = 40_000;
const LOGIN_TIMEOUT_MS = 20_000;
const PING_IDLE_MS = 45_000;
const PING_ANSWER_MS = 12_000;

export type ConnectionState =
  | { readonly at: "stopped" }
  | { readonly at: "connecting" }
  | { readonly at: "online" }
  | { readonly at: "waiting"; readonly untilMs: number }
  | { readonly at: "refused"; readonly reason: string; readonly text: string };

export interface ConnectionEvents {
  onState(state: ConnectionState): void;
  /** A new session: nothing of the old one holds any more. */
  onBound(jid: string): void;
  onResumed(): void;
  /** Any message or presence, and requests that we must answer. */
  onStanza(stanza: El): void;
  /** The server has taken these messages (by origin-id). */
  onAcked(ids: readonly string[]): void;
  onToken(token: string, expiry: string): void;
  /** The token no longer works; resolve to other credentials, or to undefined to stop. */
  onTokenRefused(token: string): Promise<Credentials | undefined>;
}

export interface ConnectionOptions {
  readonly url: string;
  readonly jid: string;
  readonly agentId: string;
  readonly device: string;
  readonly events: ConnectionEvents;
}

interface PendingIq {
  readonly to: string | undefined;
  readonly resolve: (result: El) => void;
  readonly reject: (error: Error) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

// Errors that a new attempt cannot mend.
const FATAL_STREAM_ERRORS = new Set(["conflict", "host-unknown", "host-gone", "not-authorized", "policy-violation"]);
const TEMPORARY_AUTH_ERRORS = new Set(["temporary-auth-failure", "no-mechanism"]);

class StreamError extends Error {
  constructor(readonly condition: string) {
    super(condition);
  }
}

export class Connection {
  jid = "";
  #socket: WebSocket | undefined;
  #sm: StreamManagement | undefined;
  #credentials: Credentials | undefined;
  #attempt = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setTimeout> | undefined;
  #lastHeardMs = 0;
  #askedForAck = false;
  #online = false;
  #inbox: { readonly queue: El[]; wake: (() => void) | undefined; ended: boolean } = { queue: [], wake: undefined, ended: false };
  readonly #iqs = new Map<string, PendingIq>();

  constructor(private readonly options: ConnectionOptions) {}

  get online(): boolean {
    return this.#online;
  }

  start(credentials: Credentials): void {
    this.#credentials = credentials;
    this.#attempt = 0;
    this.#open();
  }

  /** Ends the session for good; what is unacknowledged stays with the model. */
  stop(): void {
    clearTimeout(this.#retry);
    clearTimeout(this.#watch);
    this.#credentials = undefined;
    this.#sm = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    this.#wentDown();
    if (socket && socket.readyState === WebSocket.OPEN) {
      socket.send(el("close", NS.framing).toString());
      socket.close();
    }
    this.#rejectIqs();
    this.options.events.onState({ at: "stopped" });
  }

  /** Try again at once: the network came back, or the person asked. */
  retryNow(): void {
    if (!this.#credentials) return;
    if (this.#online) this.probe();
    else if (!this.#socket) this.#open();
  }

  /** Checks that the server still hears us. */
  probe(answerMs = PING_ANSWER_MS): void {
    if (!this.#online || !this.#sm) return;
    this.#write(el("r", NS.sm));
    const askedAt = performance.now();
    const socket = this.#socket;
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => {
      if (this.#socket !== socket) return;
      if (this.#lastHeardMs >= askedAt) this.#watchIdle();
      else this.#dropped(socket);
    }, answerMs);
  }

  /** Sends a stanza; `id` is a message's origin-id, reported when acknowledged. False when not online. */
  send(stanza: El, id?: string): boolean {
    if (!this.#online) return false;
    const xml = stanza.toString();
    this.#sm?.sent({ xml, id });
    this.#socket?.send(xml);
    if (id !== undefined) this.#askForAck();
    return true;
  }

  /** Asks and waits for the answer. Rejects with StanzaError, TimedOut or Disconnected. */
  iq(type: "get" | "set", to: string | undefined, payload: El, timeoutMs = IQ_TIMEOUT_MS): Promise<El> {
    return new Promise<El>((resolve, reject) => {
      const id = randomId(9);
      const timer = setTimeout(() => {
        this.#iqs.delete(id);
        reject(new TimedOut("no answer"));
      }, timeoutMs);
      this.#iqs.set(id, { to, resolve, reject, timer });
      if (this.send(el("iq", NS.client, { type, to, id }, payload))) return;
      this.#iqs.delete(id);
      clearTimeout(timer);
      reject(new Disconnected("not connected"));
    });
  }

  #open(): void {
    clearTimeout(this.#retry);
    this.options.events.onState({ at: "connecting" });
    const inbox = { queue: [] as El[], wake: undefined as (() => void) | undefined, ended: false };
    this.#inbox = inbox;
    const socket = new WebSocket(this.options.url, "xmpp");
    this.#socket = socket;
    const end = (): void => {
      inbox.ended = true;
      inbox.wake?.();
    };
    socket.onmessage = (event: MessageEvent<unknown>) => {
      if (this.#socket !== socket || typeof event.data !== "string") return;
      this.#lastHeardMs = performance.now();
      this.#receive(event.data, socket);
    };
    socket.onclose = () => {
      end();
      if (this.#socket === socket) this.#dropped(socket);
    };
    socket.onopen = () => {
      void this.#logIn(socket);
    };
  }

  #receive(data: string, socket: WebSocket): void {
    try {
      const node = parse(data);
      if (this.#online) this.#handle(node, socket);
      else {
        this.#inbox.queue.push(node);
        this.#inbox.wake?.();
      }
    } catch (error) {
      if (!(error instanceof XmlError)) throw error;
      this.#dropped(socket);
    }
  }

  async #next(): Promise<El> {
    const inbox = this.#inbox;
    for (;;) {
      const node = inbox.queue.shift();
      if (node?.is("error", NS.stream)) throw new StreamError(streamCondition(node));
      if (node?.is("close", NS.framing) || (!node && inbox.ended)) throw new Disconnected("closed while signing in");
      if (node) return node;
      await new Promise<void>((resolve) => (inbox.wake = resolve));
    }
  }

  async #logIn(socket: WebSocket): Promise<void> {
    const guard = setTimeout(() => this.#dropped(socket), LOGIN_TIMEOUT_MS);
    try {
      const credentials = this.#credentials;
      if (!credentials) return;
      const jid = this.options.jid;
      this.#write(el("open", NS.framing, { to: domain(jid), from: bare(jid), version: "1.0" }));
      if (!(await this.#next()).is("open", NS.framing)) throw new Disconnected("no stream");
      const features = await this.#next();
      const sm = this.#sm;
      const result = await login(
        { send: (node) => this.#write(node), next: () => this.#next() },
        features,
        {
          user: jid.slice(0, jid.indexOf("@")),
          credentials,
          agentId: this.options.agentId,
          device: this.options.device,
          resume: sm?.id === undefined ? undefined : { id: sm.id, h: sm.inbound },
        },
      );
      if (this.#socket === socket) this.#loggedIn(result, socket);
    } catch (error) {
      if (this.#socket === socket) await this.#loginFailed(error, socket);
    } finally {
      clearTimeout(guard);
    }
  }

  #loggedIn(result: LoginResult, socket: WebSocket): void {
    const { events } = this.options;
    if (result.token) {
      this.#credentials = { kind: "token", token: result.token.token };
      events.onToken(result.token.token, result.token.expiry);
    } else if (this.#credentials?.kind === "password") this.#credentials = { ...this.#credentials, code: undefined };
    this.#attempt = 0;
    this.#online = true;
    this.#askedForAck = false;
    this.#watchIdle();
    if (result.resumed) this.#resume(result.resumed.h);
    else this.#bind(result);
    // Stanzas that came in the same turn as the success.
    for (const node of this.#inbox.queue.splice(0)) if (this.#socket === socket) this.#handle(node, socket);
  }

  #resume(h: number): void {
    this.options.events.onState({ at: "online" });
    this.#takeAck(h);
    for (const { xml } of this.#sm?.unacked() ?? []) this.#socket?.send(xml);
    this.#askForAck();
    this.options.events.onResumed();
  }

  #bind(result: LoginResult): void {
    if (result.lostAt !== undefined) this.#takeAck(result.lostAt);
    this.#rejectIqs();
    this.#sm = result.enabled ? new StreamManagement(result.enabled.id) : undefined;
    this.jid = result.jid;
    this.options.events.onState({ at: "online" });
    this.options.events.onBound(result.jid);
  }

  async #loginFailed(error: unknown, socket: WebSocket): Promise<void> {
    if (error instanceof AuthError && !TEMPORARY_AUTH_ERRORS.has(error.condition)) {
      if (this.#credentials?.kind === "token") {
        const other = await this.options.events.onTokenRefused(this.#credentials.token);
        if (this.#socket !== socket) return;
        if (other) {
          this.#credentials = other;
          this.#close(socket);
          this.#open();
          return;
        }
      }
      this.#refuse(error.condition, error.text, socket);
    } else if (error instanceof SaslError) {
      this.#refuse("server-untrusted", error.message, socket);
    } else if (error instanceof AuthError && error.condition === "no-mechanism") {
      this.#refuse("no-mechanism", "", socket);
    } else if (error instanceof StreamError && FATAL_STREAM_ERRORS.has(error.condition)) {
      this.#refuse(error.condition, "", socket);
    } else {
      this.#dropped(socket);
    }
  }

  #refuse(reason: string, text: string, socket: WebSocket): void {
    this.#close(socket);
    this.#credentials = undefined;
    this.#sm = undefined;
    this.#rejectIqs();
    this.options.events.onState({ at: "refused", reason, text });
  }

  #close(socket: WebSocket): void {
    if (this.#socket === socket) this.#socket = undefined;
    this.#wentDown();
    socket.onmessage = null;
    socket.close();
  }

  /** The socket is gone or useless: keep the session, come back later. */
  #dropped(socket: WebSocket | undefined): void {
    if (!socket || this.#socket !== socket) return;
    this.#close(socket);
    if (!this.#sm?.id) this.#rejectIqs();
    const delay = backoffMs(this.#attempt++, Math.random());
    this.options.events.onState({ at: "waiting", untilMs: Date.now() + delay });
    this.#retry = setTimeout(() => this.#open(), delay);
  }

  #wentDown(): void {
    this.#online = false;
    clearTimeout(this.#watch);
  }

  #handle(node: El, socket: WebSocket): void {
    if (node.ns === NS.client) {
      this.#sm?.received();
      if (node.name === "iq" && this.#answered(node)) return;
      this.options.events.onStanza(node);
    } else if (node.is("a", NS.sm)) {
      this.#askedForAck = false;
      this.#takeAck(Number(node.attr("h")));
      if (this.#sm?.unacked().some((s) => s.id !== undefined)) this.#askForAck();
    } else if (node.is("r", NS.sm)) {
      this.#write(el("a", NS.sm, { h: String(this.#sm?.inbound ?? 0) }));
    } else if (node.is("error", NS.stream)) {
      const condition = streamCondition(node);
      if (FATAL_STREAM_ERRORS.has(condition)) this.#refuse(condition, node.textOf("text", NS.streams) ?? "", socket);
    } else if (node.is("close", NS.framing)) {
      this.#dropped(socket);
    }
  }

  #takeAck(h: number): void {
    const acked: Unacked[] | undefined = this.#sm?.ack(h);
    const ids = (acked ?? []).map((s) => s.id).filter((id) => id !== undefined);
    if (ids.length > 0) this.options.events.onAcked(ids);
  }

  /** One question at a time: the answer to it covers everything sent until then. */
  #askForAck(): void {
    if (this.#askedForAck || !this.#sm || this.#sm.pending === 0) return;
    this.#askedForAck = true;
    this.#write(el("r", NS.sm));
  }

  #answered(node: El): boolean {
    const type = node.attr("type");
    if (type !== "result" && type !== "error") return false;
    const pending = this.#iqs.get(node.attr("id") ?? "");
    if (!pending || !this.#fromWhomWeAsked(node.attr("from"), pending.to)) return true;
    this.#iqs.delete(node.attr("id") ?? "");
    clearTimeout(pending.timer);
    if (type === "result") pending.resolve(node);
    else pending.reject(readError(node));
    return true;
  }

  // RFC 6120 §8.1.2.1: an answer of our own account may come without an address or with our bare one.
  #fromWhomWeAsked(from: string | undefined, to: string | undefined): boolean {
    if (from === undefined) return true;
    if (from.toLowerCase() === to?.toLowerCase()) return true;
    return to === undefined && (bare(from) === bare(this.options.jid) || from === domain(this.options.jid));
  }

  #rejectIqs(): void {
    for (const [, iq] of this.#iqs) {
      clearTimeout(iq.timer);
      iq.reject(new Disconnected("the connection was lost"));
    }
    this.#iqs.clear();
  }

  #watchIdle(): void {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => {
      if (performance.now() - this.#lastHeardMs >= PING_IDLE_MS) this.probe();
      else this.#watchIdle();
    }, PING_IDLE_MS);
  }

  #write(node: El): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(node.toString());
  }
}

function streamCondition(error: El): string {
  return error.els().find((e) => e.ns === NS.streams && e.name !== "text")?.name ?? "undefined-condition";
}
