// SPDX-License-Identifier: AGPL-3.0-or-later
// An authenticator application (RFC 6238: SHA-1, six digits, thirty seconds).

import { createHmac } from "node:crypto";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

function fromBase32(text) {
  const bits = [...text].map((c) => ALPHABET.indexOf(c).toString(2).padStart(5, "0")).join("");
  return Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
}

const stepNow = () => Math.floor(Date.now() / 30_000);

export class Authenticator {
  #key;
  #last = 0;

  constructor(secret) {
    this.#key = fromBase32(secret);
  }

  at(step) {
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(step));
    const mac = createHmac("sha1", this.#key).update(counter).digest();
    const start = mac.at(-1) & 15;
    return String((mac.readUInt32BE(start) & 0x7fffffff) % 1_000_000).padStart(6, "0");
  }

  /** One that was not used yet: at most three in one minute. */
  code() {
    this.#last = Math.max(this.#last + 1, stepNow() - 1);
    return this.at(this.#last);
  }

  wrong() {
    const near = Array.from({ length: 7 }, (_, i) => this.at(stepNow() - 3 + i));
    return ["000000", "000001", "000002", "000003", "000004", "000005", "000006", "000007"].find((c) => !near.includes(c));
  }
}
