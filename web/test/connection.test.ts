// SPDX-License-Identifier: AGPL-3.0-or-later
// The connection against the in-memory server, over real sockets.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { Connection } from "../src/wire/connection";
import type { ConnectionState } from "../src/wire/connection";
import { ArchiveReader } from "../src/wire/archive";
import { chatMessage } from "../src/wire/message";
import { NS } from "../src/wire/ns";
import { Disconnected, StanzaError } from "../src/wire/stanza";
import { el } from "../src/wire/xml";
import type { El } from "../src/wire/xml";
import { FakeServer } from "./fake/server";

vi.stubGlobal("WebSocket", WebSocket);

interface Client {
  readonly connection: Connection;
  readonly states: ConnectionState[];
  readonly stanzas: El[];
  readonly acked: string[];
  readonly news: string[];
  token: string;
  /** Takes stanzas before they are listed. */
  take: (node: El) => boolean;
}

let fake: FakeServer;
let port = 0;
const clients: Client[] = [];

beforeEach(async () => {
  fake = new FakeServer();
  fake.add("alice", "secret");
  fake.add("bob", "secret");
  fake.befriend("alice", "bob");
  port = await fake.listen();
});

afterEach(async () => {
  clients.splice(0).forEach((c) => c.connection.stop());
  await fake.close();
});

function client(name: string): Client {
  const made: Client = { connection: undefined as unknown as Connection, states: [], stanzas: [], acked: [], news: [], token: "", take: () => false };
  const connection = new Connection({
    url: `ws://127.0.0.1:${port}/xmpp-websocket`, jid: `${name}@localhost`, agentId: `agent-${name}`, device: "test",
    events: {
      onState: (state) => made.states.push(state),
      onBound: () => made.news.push("bound"),
      onResumed: () => made.news.push("resumed"),
      onStanza: (node) => void (made.take(node) || made.stanzas.push(node)),
      onAcked: (ids) => made.acked.push(...ids),
      onToken: (token) => (made.token = token),
      onTokenRefused: () => {
        made.news.push("token refused");
        return Promise.resolve(undefined);
      },
    },
  });
  const whole = Object.assign(made, { connection });
  clients.push(whole);
  return whole;
}

async function online(name: string): Promise<Client> {
  const c = client(name);
  c.connection.start({ kind: "password", password: "secret" });
  await vi.waitFor(() => expect(c.news).toContain("bound"));
  c.connection.send(el("presence", NS.client));
  return c;
}

const hello = (id: string): El => chatMessage({ to: "bob@localhost", type: "chat", id, body: `text ${id}` });
const bodies = (c: Client): string[] => c.stanzas.map((s) => s.textOf("body")).filter((b) => b !== undefined);

describe("a connection", () => {
  test("signs in with a password, gets a token, comes back with the token alone", async () => {
    const first = await online("alice");
    expect(first.token).not.toBe("");
    first.connection.stop();
    const second = client("alice");
    second.connection.start({ kind: "token", token: first.token });
    await vi.waitFor(() => expect(second.news).toEqual(["bound"]));
  });

  test("says why it was refused and does not try again", async () => {
    const c = client("alice");
    c.connection.start({ kind: "password", password: "wrong" });
    await vi.waitFor(() => expect(c.states.at(-1)).toMatchObject({ at: "refused", reason: "not-authorized" }));
  });

  test("asks for the code of a second factor, tells a wrong one, and comes back by token without one", async () => {
    const account = fake.add("carol", "secret");
    account.code = "123 456";
    const c = client("carol");
    const refusedFor = (reason: string): Promise<void> =>
      vi.waitFor(() => expect(c.states.at(-1)).toMatchObject({ at: "refused", reason }));
    c.connection.start({ kind: "password", password: "wrong", code: "123 456" });
    await refusedFor("not-authorized");
    c.connection.start({ kind: "password", password: "secret" });
    await refusedFor("code-needed");
    c.connection.start({ kind: "password", password: "secret", code: "654321" });
    await refusedFor("wrong-code");
    expect(c.news).toEqual([]);
    c.connection.start({ kind: "password", password: "secret", code: " 123 456 " });
    await vi.waitFor(() => expect(c.news).toEqual(["bound"]));
    expect(fake.tasks).toEqual(["TOTP", "TOTP"]);
    expect(c.token).not.toBe("");
    fake.cut();
    await vi.waitFor(() => expect(c.news).toEqual(["bound", "resumed"]), { timeout: 5000 });
    expect(fake.tasks.length).toBe(2);
  });

  test("takes what is no six digits for a recovery code", async () => {
    fake.add("carol", "secret").code = "abcd-efgh-2345-6723";
    const c = client("carol");
    c.connection.start({ kind: "password", password: "secret", code: "abcd-efgh-2345-6723" });
    await vi.waitFor(() => expect(c.news).toEqual(["bound"]));
    expect(fake.tasks).toEqual(["RECOVERY-CODE"]);
  });

  test("asks for other credentials when the token is refused", async () => {
    const c = client("alice");
    c.connection.start({ kind: "token", token: "stale" });
    await vi.waitFor(() => expect(c.states.at(-1)).toMatchObject({ at: "refused" }));
    expect(c.news).toEqual(["token refused"]);
  });

  test("reports acknowledged messages", async () => {
    const alice = await online("alice");
    for (const id of ["1", "2", "3"]) alice.connection.send(hello(id), id);
    await vi.waitFor(() => expect(alice.acked).toEqual(["1", "2", "3"]));
  });

  test("resumes after a cut and repeats what was not acknowledged, once", async () => {
    const [alice, bob] = [await online("alice"), await online("bob")];
    fake.onMessage = (node) => {
      if (node.attr("id") !== "lost") return true;
      fake.cut();
      return false;
    };
    alice.connection.send(hello("kept"), "kept");
    alice.connection.send(hello("lost"), "lost");
    await vi.waitFor(() => expect(alice.states.at(-1)?.at).not.toBe("online"));
    fake.onMessage = () => true;
    await vi.waitFor(() => expect(alice.news).toEqual(["bound", "resumed"]), { timeout: 5000 });
    await vi.waitFor(() => expect(alice.acked).toEqual(["kept", "lost"]), { timeout: 5000 });
    await vi.waitFor(() => expect(bodies(bob)).toEqual(["text kept", "text lost"]), { timeout: 5000 });
    expect(fake.taken).toEqual(["text kept", "text lost"]);
  });

  test("gets what was sent to it during the cut", async () => {
    const [alice, bob] = [await online("alice"), await online("bob")];
    for (const s of fake.sessions) if (s.user.startsWith("bob")) s.socket?.terminate();
    alice.connection.send(hello("away"), "away");
    await vi.waitFor(() => expect(bodies(bob)).toEqual(["text away"]), { timeout: 5000 });
    expect(bob.news).toEqual(["bound", "resumed"]);
  });

  test("begins anew when the server forgot the session; questions are rejected, not lost", async () => {
    const alice = await online("alice");
    fake.sessions.forEach((s) => (s.smId = "forgotten"));
    fake.cut();
    const asked = alice.connection.iq("get", undefined, el("query", NS.roster));
    await expect(asked).rejects.toThrow(Disconnected);
    await vi.waitFor(() => expect(alice.news).toEqual(["bound", "bound"]), { timeout: 5000 });
  });

  test("answers are results or typed errors", async () => {
    const alice = await online("alice");
    const roster = await alice.connection.iq("get", undefined, el("query", NS.roster));
    expect(roster.child("query", NS.roster)?.els("item").map((i) => i.attr("jid"))).toEqual(["bob@localhost"]);
    await expect(alice.connection.iq("get", "localhost", el("query", "unknown"))).rejects.toMatchObject({ condition: "service-unavailable" });
    await expect(alice.connection.iq("get", "localhost", el("query", "unknown"))).rejects.toThrow(StanzaError);
  });

  test("does not take a stranger's answer", async () => {
    const alice = await online("alice");
    fake.onRequest = (session, iq) => {
      const forged = el("query", NS.roster, {}, el("item", "", { jid: "eve@localhost" }));
      session.deliver(el("iq", NS.client, { type: "result", id: iq.attr("id"), from: "eve@localhost/x" }, forged));
    };
    const roster = await alice.connection.iq("get", undefined, el("query", NS.roster));
    expect(roster.child("query", NS.roster)?.els("item").map((i) => i.attr("jid"))).toEqual(["bob@localhost"]);
  });

  test("reads an archive page by page, and only from whom it asked", async () => {
    const alice = await online("alice");
    const reader = new ArchiveReader(alice.connection, "alice@localhost");
    alice.take = (node) => reader.take(node);
    for (const id of ["1", "2", "3"]) alice.connection.send(hello(id), id);
    await vi.waitFor(() => expect(alice.acked.length).toBe(3));
    fake.onRequest = (session, iq) => {
      const message = el("message", NS.client, { from: "bob@localhost" }, el("body", "", {}, "forged"));
      const result = el("result", NS.mam, { queryid: iq.els()[0]?.attr("queryid"), id: "x" }, el("forwarded", NS.forward, {}, message));
      session.deliver(el("message", NS.client, { from: "eve@localhost" }, result));
    };
    const newest = await reader.page({ before: "", max: 2 });
    expect(newest.items.map((i) => i.message.body)).toEqual(["text 2", "text 3"]);
    expect(newest.complete).toBe(false);
    const older = await reader.page({ before: newest.items[0]?.archiveId, max: 2 });
    expect(older.items.map((i) => i.message.body)).toEqual(["text 1"]);
    expect(older.complete).toBe(true);
    expect(bodies(alice)).toEqual([]);
  });
});
