// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, test } from "vitest";
import { backoffMs, StreamManagement } from "../src/wire/sm";

const stanza = (id: string) => ({ xml: `<message id="${id}"/>`, id });

describe("stream management", () => {
  test("acknowledges in order and keeps the rest", () => {
    const sm = new StreamManagement("s");
    for (const id of ["a", "b", "c"]) sm.sent(stanza(id));
    expect(sm.ack(2)?.map((s) => s.id)).toEqual(["a", "b"]);
    expect(sm.ack(2)).toEqual([]);
    expect(sm.unacked().map((s) => s.id)).toEqual(["c"]);
    expect(sm.ack(3)?.map((s) => s.id)).toEqual(["c"]);
  });

  test("ignores impossible acknowledgements", () => {
    const sm = new StreamManagement();
    sm.sent(stanza("a"));
    expect([sm.ack(2), sm.ack(-1), sm.ack(NaN), sm.ack(0.5)]).toEqual([undefined, undefined, undefined, undefined]);
    expect(sm.pending).toBe(1);
  });

  test("counts modulo 2^32 on the way in", () => {
    const sm = new StreamManagement();
    sm.inbound = 2 ** 32 - 1;
    sm.received();
    expect(sm.inbound).toBe(0);
  });
});

test("pauses grow, vary and have a ceiling", () => {
  expect(backoffMs(0, 1)).toBe(500);
  expect(backoffMs(0, 0)).toBe(125);
  expect(backoffMs(3, 1)).toBe(4000);
  expect(backoffMs(50, 1)).toBe(60_000);
});
