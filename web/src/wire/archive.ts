// SPDX-License-Identifier: AGPL-3.0-or-later
// Pages of a message archive (XEP-0313 with XEP-0059), of our account or of a room.

import { randomId } from "./bytes";
import { NS } from "./ns";
import { readMessage } from "./message";
import type { Message } from "./message";
import { readTime, submitForm } from "./stanza";
import { el, textEl } from "./xml";
import type { El } from "./xml";

export interface ArchivedMessage {
  readonly archiveId: string;
  readonly atMs: number;
  readonly message: Message;
}

export interface ArchivePage {
  readonly items: readonly ArchivedMessage[];
  readonly complete: boolean;
  readonly first: string | undefined;
  readonly last: string | undefined;
}

export interface ArchiveQuery {
  /** The room whose archive is asked; our own when undefined. */
  readonly room?: string;
  readonly with?: string;
  /** "" asks for the newest page. */
  readonly before?: string;
  readonly after?: string;
  readonly max: number;
}

export interface Asks {
  iq(type: "get" | "set", to: string | undefined, payload: El, timeoutMs?: number): Promise<El>;
}

/** Takes the results of a query out of the stream of messages; `from` is checked against the archive. */
export class ArchiveReader {
  readonly #open = new Map<string, { readonly from: string; readonly items: ArchivedMessage[] }>();

  constructor(
    private readonly connection: Asks,
    private readonly self: string,
  ) {}

  /** Whether this message was a result of one of our queries; if so it is taken. */
  take(node: El): boolean {
    const result = node.child("result", NS.mam);
    if (!result) return false;
    const query = this.#open.get(result.attr("queryid") ?? "");
    const forwarded = result.child("forwarded", NS.forward);
    const message = forwarded?.child("message", NS.client);
    const from = node.attr("from")?.toLowerCase() ?? this.self;
    if (query && forwarded && message && from === query.from) {
      const atMs = readTime(forwarded.child("delay", NS.delay)?.attr("stamp")) ?? Date.now();
      query.items.push({ archiveId: result.attr("id") ?? "", atMs, message: readMessage(message) });
    }
    return true;
  }

  /** Asks for one page, oldest first. Rejects as `iq` does; "item-not-found" means the anchor is gone. */
  async page(query: ArchiveQuery): Promise<ArchivePage> {
    const id = randomId(6);
    const items: ArchivedMessage[] = [];
    this.#open.set(id, { from: query.room ?? this.self, items });
    const form = submitForm({ FORM_TYPE: NS.mam, ...(query.with === undefined ? {} : { with: query.with }) });
    const set = el(
      "set", NS.rsm, {}, textEl("max", String(query.max)),
      query.after === undefined ? undefined : textEl("after", query.after),
      query.before === undefined ? undefined : textEl("before", query.before),
    );
    try {
      const payload = el("query", NS.mam, { queryid: id }, form, set);
      const answer = await this.connection.iq("set", query.room, payload);
      const fin = answer.child("fin", NS.mam);
      const rsm = fin?.child("set", NS.rsm);
      return { items, complete: fin?.attr("complete") === "true", first: rsm?.textOf("first"), last: rsm?.textOf("last") };
    } finally {
      this.#open.delete(id);
    }
  }
}
