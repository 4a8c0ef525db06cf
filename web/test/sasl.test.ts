// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, test } from "vitest";
import { fromUtf8, toBase64, utf8 } from "../src/wire/bytes";
import { HashedToken, passwordMechanism, saslPrep, SaslError, Scram } from "../src/wire/sasl";
import { createHash, createHmac } from "node:crypto";

describe("SCRAM", () => {
  test("matches RFC 5802 §5", async () => {
    const scram = new Scram("SCRAM-SHA-1", "SHA-1", "user", "pencil", { nonce: "fyko+d2lbbFgONRv9qkxdawL" });
    expect(fromUtf8(await scram.start())).toBe("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
    const first = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
    expect(fromUtf8(await scram.respond(utf8(first)))).toBe(
      "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    );
    await expect(scram.finish(utf8("v=rmF9pqV8S7suAoZWja4dJRkFsKQ="))).resolves.toBeUndefined();
  });

  test("matches RFC 7677 §3", async () => {
    const scram = new Scram("SCRAM-SHA-256", "SHA-256", "user", "pencil", { nonce: "rOprNGfwEbeRWgbNEkqO" });
    const first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    expect(fromUtf8(await scram.respond(utf8(first)))).toBe(
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    );
    await expect(scram.finish(utf8("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="))).resolves.toBeUndefined();
  });

  const hostile: [what: string, first: string][] = [
    ["a foreign nonce", "r=other,s=QSXCR+Q6sek8bf92,i=4096"],
    ["our nonce alone", "r=mine,s=QSXCR+Q6sek8bf92,i=4096"],
    ["too few iterations", "r=mineX,s=QSXCR+Q6sek8bf92,i=1"],
    ["iterations that would hang the page", "r=mineX,s=QSXCR+Q6sek8bf92,i=4000000000"],
    ["a mandatory extension", "m=x,r=mineX,s=QSXCR+Q6sek8bf92,i=4096"],
  ];
  test.each(hostile)("refuses %s", async (_what, first) => {
    await expect(new Scram("SCRAM-SHA-256", "SHA-256", "u", "p", { nonce: "mine" }).respond(utf8(first))).rejects.toThrow(SaslError);
  });

  test("refuses a list of mechanisms that was changed on the way (XEP-0474)", async () => {
    const offered = "PLAIN\x1eSCRAM-SHA-1\x1eSCRAM-SHA-256";
    const told = createHash("sha256").update(offered).digest("base64");
    const answer = (advertised: string, h: string): Promise<unknown> =>
      new Scram("SCRAM-SHA-256", "SHA-256", "u", "p", { nonce: "mine", advertised }).respond(utf8(`r=mineX,s=QSXCR+Q6sek8bf92,i=4096${h}`));
    await expect(answer(offered, `,h=${told}`)).resolves.toBeDefined();
    await expect(answer(offered, "")).resolves.toBeDefined();
    await expect(answer("PLAIN\x1eSCRAM-SHA-1", `,h=${told}`)).rejects.toThrow(SaslError);
    await expect(answer(offered, ",h=AAAA")).rejects.toThrow(SaslError);
    await expect(answer(offered, ",h=")).rejects.toThrow(SaslError);
  });

  test("refuses a server that cannot prove itself", async () => {
    const scram = new Scram("SCRAM-SHA-256", "SHA-256", "u", "p", { nonce: "mine" });
    await scram.respond(utf8("r=mineX,s=QSXCR+Q6sek8bf92,i=4096"));
    await expect(scram.finish(utf8("v=AAAA"))).rejects.toThrow(SaslError);
    await expect(scram.finish(undefined)).rejects.toThrow(SaslError);
  });

  test("takes the strongest mechanism, never PLAIN", () => {
    expect(passwordMechanism(["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-512"], "u", "p")?.name).toBe("SCRAM-SHA-512");
    expect(passwordMechanism(["PLAIN"], "u", "p")).toBeUndefined();
  });

  test("escapes names and prepares passwords", async () => {
    expect(fromUtf8(await new Scram("", "SHA-1", "a=b,c", "p", { nonce: "n" }).start())).toBe("n,,n=a=3Db=2Cc,r=n");
    expect(saslPrep("I\u00adX\u00a0\u2168")).toBe("IX IX");
  });
});

describe("a FAST token", () => {
  test("proves both sides", async () => {
    const token = new HashedToken("alice", "secret-token");
    const mac = (text: string): Buffer => createHmac("sha256", "secret-token").update(text).digest();
    expect(toBase64(await token.start())).toBe(Buffer.concat([Buffer.from("alice\0"), mac("Initiator")]).toString("base64"));
    await expect(token.finish(new Uint8Array(mac("Responder")))).resolves.toBeUndefined();
    await expect(token.finish(new Uint8Array(mac("Initiator")))).rejects.toThrow(SaslError);
    await expect(token.finish(undefined)).rejects.toThrow(SaslError);
  });
});
