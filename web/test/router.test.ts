// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, test } from "vitest";
import { pathOf, routeOf } from "../src/model/router";
import type { Route } from "../src/model/router";
import { bare, domain, jidFromInput, local, resource } from "../src/wire/jid";

const hosts = { domain: "example.org", muc: "conference.example.org" };
const chat = (jid: string, kind: "person" | "room" = "person", details = false): Route => ({ page: "chat", jid, kind, details });

describe("routes", () => {
  const table: [Route, string][] = [
    [{ page: "home" }, "/"],
    [{ page: "home", dialog: "settings" }, "/settings"],
    [chat("bob@example.org"), "/c/bob"],
    [chat("bob@example.org", "person", true), "/c/bob/details"],
    [chat("john.doe@example.org"), "/c/john~1doe"],
    [chat("a~1b@example.org"), "/c/a~01b"],
    [chat("bob@other.example.net"), "/c/bob@other~1example~1net"],
    [chat("家@example.org"), "/c/%E5%AE%B6"],
    [chat("family@conference.example.org", "room"), "/r/family"],
    [{ page: "invited", token: "abc" }, "/i/abc"],
  ];
  test.each(table)("%j is %s", (route, path) => {
    expect(pathOf(route, hosts)).toBe(path);
    expect(routeOf(path, "", hosts)).toEqual(route);
    expect(path).not.toContain(".");
  });

  test("read the setup code from the fragment", () => {
    expect(routeOf("/setup", "#k-1", hosts)).toEqual({ page: "setup", code: "k-1" });
    expect(pathOf({ page: "setup", code: "k-1" }, hosts)).toBe("/setup#k-1");
  });

  test.each(["/c", "/c/", "/i/", "/nothing/here", "", "/%"])("%s is home", (path) => {
    expect(routeOf(path, "", hosts)).toEqual({ page: "home" });
  });
});

describe("addresses", () => {
  test("come apart at the first slash and the first at-sign", () => {
    expect([bare("A@B.c/X/y@z"), resource("a@b/X/y@z"), local("a@b/c@d"), domain("a@b/c@d")]).toEqual(["a@b.c", "X/y@z", "a", "b"]);
    expect([local("b.c"), domain("b.c"), resource("a@b")]).toEqual(["", "b.c", ""]);
  });

  test.each([
    ["bob", "bob@example.org"], [" Bob ", "bob@example.org"], ["bob@other.net", "bob@other.net"],
    ["xmpp:bob@other.net?roster;name=x", "bob@other.net"], ["鸿雁", "鸿雁@example.org"],
  ])("%j means %s", (typed, jid) => {
    expect(jidFromInput(typed, "example.org")).toBe(jid);
  });

  test.each(["", "a b", "a@", "@b", "a@b@c", "a/b", "a<b", "a@b..c", "x".repeat(1024)])("%j is no address", (typed) => {
    expect(jidFromInput(typed, "example.org")).toBeUndefined();
  });
});
