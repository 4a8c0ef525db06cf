// SPDX-License-Identifier: AGPL-3.0-or-later
// SASL mechanisms in the browser: SCRAM-SHA-512/256/1 (RFC 5802, 7677) and HT-SHA-256-NONE
// (draft-schmaus-kitten-sasl-ht, the tokens of XEP-0484). No -PLUS: a page cannot export TLS keys.

import { concat, digest, fromBase64, fromUtf8, hmac, pbkdf2, randomId, sameBytes, toBase64, utf8 } from "./bytes";
import type { Bytes, Hash } from "./bytes";

export const ITERATIONS_MIN = 4096;
// A hostile server must not be able to hang the tab.
export const ITERATIONS_MAX = 10_000_000;

export interface Mechanism {
  readonly name: string;
  /** The first message to the server. */
  start(): Promise<Bytes>;
  /** The answer to a challenge; throws SaslError when the server breaks the mechanism. */
  respond(challenge: Bytes): Promise<Bytes>;
  /** Checks the server's proof; throws SaslError when it does not know our secret either. */
  finish(data: Bytes | undefined): Promise<void>;
}

export class SaslError extends Error {
  override readonly name = "SaslError";
}

// RFC 4013: spaces become SPACE, invisible joiners vanish, the rest is NFKC.
export function saslPrep(text: string): string {
  return text
    .replace(/[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g, " ")
    .replace(/[\u00ad\u034f\u1806\u180b-\u180d\u200c\u200d\u2060\ufe00-\ufe0f\ufeff]/g, "")
    .normalize("NFKC");
}

const SCRAM: readonly (readonly [string, Hash])[] = [
  ["SCRAM-SHA-512", "SHA-512"],
  ["SCRAM-SHA-256", "SHA-256"],
  ["SCRAM-SHA-1", "SHA-1"],
];

/** The best password mechanism that both sides know, or undefined. */
export function passwordMechanism(
  offered: readonly string[], user: string, password: string, advertised?: string,
): Mechanism | undefined {
  const found = SCRAM.find(([name]) => offered.includes(name));
  return found && new Scram(found[0], found[1], user, password, { advertised });
}

export interface ScramOptions {
  readonly nonce?: string;
  /** XEP-0474: what the server seemed to offer; where its challenge tells another list, somebody changed it on the way. */
  readonly advertised?: string;
}

function fields(message: string): Map<string, string> {
  return new Map(message.split(",").map((f) => [f.slice(0, 1), f.slice(2)]));
}

export class Scram implements Mechanism {
  readonly #bareFirst: string;
  readonly #nonce: string;
  readonly #advertised: string | undefined;
  #serverKeyProof: Bytes | undefined;

  constructor(
    readonly name: string,
    private readonly hash: Hash,
    user: string,
    private readonly password: string,
    options: ScramOptions = {},
  ) {
    this.#nonce = options.nonce ?? randomId(24);
    this.#advertised = options.advertised;
    const escaped = saslPrep(user).replace(/=/g, "=3D").replace(/,/g, "=2C");
    this.#bareFirst = `n=${escaped},r=${this.#nonce}`;
  }

  start(): Promise<Bytes> {
    return Promise.resolve(utf8(`n,,${this.#bareFirst}`));
  }

  async respond(challenge: Bytes): Promise<Bytes> {
    const serverFirst = fromUtf8(challenge);
    const f = fields(serverFirst);
    const nonce = f.get("r") ?? "";
    const iterations = Number(f.get("i"));
    if (f.has("m")) throw new SaslError("unknown extension");
    if (!nonce.startsWith(this.#nonce) || nonce.length <= this.#nonce.length) throw new SaslError("nonce changed");
    await this.#checkAdvertised(f.get("h"));
    if (!(iterations >= ITERATIONS_MIN && iterations <= ITERATIONS_MAX)) throw new SaslError("bad iteration count");
    const salted = await pbkdf2(this.hash, utf8(saslPrep(this.password)), fromBase64(f.get("s") ?? ""), iterations);
    const withoutProof = `c=biws,r=${nonce}`;
    const authMessage = utf8(`${this.#bareFirst},${serverFirst},${withoutProof}`);
    const clientKey = await hmac(this.hash, salted, utf8("Client Key"));
    const signature = await hmac(this.hash, await digest(this.hash, clientKey), authMessage);
    const proof = clientKey.map((b, i) => b ^ (signature[i] ?? 0));
    this.#serverKeyProof = await hmac(this.hash, await hmac(this.hash, salted, utf8("Server Key")), authMessage);
    return utf8(`${withoutProof},p=${toBase64(proof)}`);
  }

  async #checkAdvertised(told: string | undefined): Promise<void> {
    if (told === undefined || this.#advertised === undefined) return;
    if (toBase64(await digest(this.hash, utf8(this.#advertised))) !== told) throw new SaslError("offered mechanisms changed");
  }

  finish(data: Bytes | undefined): Promise<void> {
    const verifier = fields(data ? fromUtf8(data) : "").get("v");
    const good = verifier !== undefined && this.#serverKeyProof && sameBytes(fromBase64(verifier), this.#serverKeyProof);
    return good ? Promise.resolve() : Promise.reject(new SaslError("server did not prove itself"));
  }
}

export const TOKEN_MECHANISM = "HT-SHA-256-NONE";

export class HashedToken implements Mechanism {
  readonly name = TOKEN_MECHANISM;

  constructor(
    private readonly user: string,
    private readonly token: string,
  ) {}

  async start(): Promise<Bytes> {
    const proof = await hmac("SHA-256", utf8(this.token), utf8("Initiator"));
    return concat(utf8(this.user), new Uint8Array([0]), proof);
  }

  respond(): Promise<Bytes> {
    return Promise.reject(new SaslError("a token has no second step"));
  }

  async finish(data: Bytes | undefined): Promise<void> {
    const expected = await hmac("SHA-256", utf8(this.token), utf8("Responder"));
    if (!data || !sameBytes(data, expected)) throw new SaslError("server did not prove itself");
  }
}
