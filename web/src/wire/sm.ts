// SPDX-License-Identifier: AGPL-3.0-or-later
// Stream management counters (XEP-0198 1.6): what was handled, what is still on its way. Pure.

const MODULUS = 2 ** 32;

export interface Unacked {
  readonly xml: string;
  /** The origin-id of a message, so that its acknowledgement can be told to the model. */
  readonly id: string | undefined;
}

export class StreamManagement {
  /** Stanzas that we handled, sent as `h`. */
  inbound = 0;
  /** Stanzas that the server handled, as its last `h` said. */
  #acked = 0;
  #queue: Unacked[] = [];

  constructor(readonly id: string | undefined = undefined) {}

  get pending(): number {
    return this.#queue.length;
  }

  received(): void {
    this.inbound = (this.inbound + 1) % MODULUS;
  }

  sent(stanza: Unacked): void {
    this.#queue.push(stanza);
  }

  /** Takes the server's `h`; returns what it newly acknowledged, or undefined when `h` is impossible (§4). */
  ack(h: number): Unacked[] | undefined {
    const count = (((h - this.#acked) % MODULUS) + MODULUS) % MODULUS;
    if (!Number.isInteger(h) || count > this.#queue.length) return undefined;
    this.#acked = h;
    return this.#queue.splice(0, count);
  }

  /** What must be sent again after a resumption, in order. It stays queued until acknowledged. */
  unacked(): readonly Unacked[] {
    return this.#queue;
  }
}

const DELAY_FIRST_MS = 500;
const DELAY_MAX_MS = 60_000;

/** How long to wait before attempt n (0, 1, 2 …): exponential, with full jitter above a quarter. */
export function backoffMs(attempt: number, random: number): number {
  const ceiling = Math.min(DELAY_MAX_MS, DELAY_FIRST_MS * 2 ** Math.min(attempt, 10));
  return Math.round(ceiling * (0.25 + 0.75 * random));
}
