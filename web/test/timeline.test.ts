// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, test } from "vitest";
import { advance, countUnread, insert, markSeen, oldestArchiveId, trim } from "../src/model/timeline";
import type { ChatMessage } from "../src/model/timeline";

const message = (id: string, atMs: number, more: Partial<ChatMessage> = {}): ChatMessage => ({
  id, archiveId: "", from: "bob@x", mine: false, atMs, body: id, state: "sent", ...more,
});
const ids = (list: readonly ChatMessage[]): string[] => list.map((m) => m.id);

describe("a timeline", () => {
  test("keeps the order of time, whatever the order of arrival", () => {
    const list: ChatMessage[] = [];
    for (const [id, at] of [["c", 3], ["a", 1], ["d", 4], ["b", 2]] as const) expect(insert(list, message(id, at))).toBe(true);
    expect(ids(list)).toEqual(["a", "b", "c", "d"]);
  });

  test("keeps arrival order among equal times", () => {
    const list: ChatMessage[] = [];
    for (const id of ["x", "y", "z"]) insert(list, message(id, 5));
    expect(ids(list)).toEqual(["x", "y", "z"]);
  });

  test("takes the archived copy of our own message as the same one", () => {
    const list: ChatMessage[] = [];
    insert(list, message("m1", 100, { mine: true, from: "me@x", state: "pending" }));
    insert(list, message("m2", 90, { mine: true, from: "me@x", state: "pending" }));
    const copy = message("m2", 120, { mine: true, from: "me@x", archiveId: "A2" });
    expect(insert(list, copy)).toBe(false);
    expect(list.map((m) => [m.id, m.state, m.archiveId, m.atMs])).toEqual([["m1", "pending", "", 100], ["m2", "sent", "A2", 120]]);
  });

  test("knows a message by its archive id even when ids differ", () => {
    const list = [message("live", 1, { archiveId: "A" })];
    expect(insert(list, message("other", 2, { archiveId: "A" }))).toBe(false);
  });

  test("does not confuse equal ids of two people", () => {
    const list = [message("1", 1)];
    expect(insert(list, message("1", 2, { from: "eve@x" }))).toBe(true);
    expect(insert(list, message("1", 3, { from: "me@x", mine: true }))).toBe(true);
  });

  test("marks as read only what was sent, up to the seen one", () => {
    const list = [
      message("a", 1, { mine: true }), message("b", 2), message("c", 3, { mine: true, state: "delivered" }),
      message("p", 3, { mine: true, state: "pending" }), message("d", 4, { mine: true }),
    ];
    expect(markSeen(list, "c")).toBe(3);
    expect(list.map((m) => m.state)).toEqual(["read", "sent", "read", "pending", "sent"]);
    expect(markSeen(list, "nowhere")).toBeUndefined();
  });

  test("believes that a message was read before its acknowledgement came", () => {
    const list = [message("a", 1, { mine: true, state: "pending" }), message("b", 2, { mine: true, state: "pending" })];
    expect(markSeen(list, "b")).toBe(2);
    expect(list.map((m) => m.state)).toEqual(["pending", "read"]);
  });

  test("counts what others wrote since", () => {
    const list = [message("a", 1), message("b", 2, { mine: true }), message("c", 3), message("n", 4, { notice: "room" })];
    expect(countUnread(list, 1)).toBe(1);
    expect(countUnread(list, 0)).toBe(2);
  });

  test("lets go of the oldest only", () => {
    const list = [1, 2, 3, 4].map((n) => message(String(n), n, { archiveId: n > 1 ? `A${n}` : "" }));
    expect(oldestArchiveId(list)).toBe("A2");
    expect(trim(list, 2)).toBe(true);
    expect(ids(list)).toEqual(["3", "4"]);
    expect(trim(list, 2)).toBe(false);
  });
});

describe("states", () => {
  test("only grow", () => {
    expect(advance("pending", "sent")).toBe("sent");
    expect(advance("read", "delivered")).toBe("read");
    expect(advance("delivered", "sent")).toBe("delivered");
  });

  test("fail only before somebody received the message", () => {
    expect(advance("pending", "failed")).toBe("failed");
    expect(advance("sent", "failed")).toBe("failed");
    expect(advance("delivered", "failed")).toBe("delivered");
    expect(advance("read", "failed")).toBe("read");
    expect(advance("failed", "sent")).toBe("sent");
  });
});
