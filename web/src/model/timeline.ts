// SPDX-License-Identifier: AGPL-3.0-or-later
// One conversation's messages in order, each once. Pure: works on plain arrays, in tests and in the store.

import type { FileInfo } from "../wire/message";

/** pending: ours alone · sent: the server has it on disk · delivered: on a device · read: seen. */
export type MessageState = "pending" | "sent" | "delivered" | "read" | "failed";

export interface ChatMessage {
  /** origin-id, or the sender's id. Unique together with `from`. */
  id: string;
  archiveId: string;
  /** A bare address, or a nickname in a room. */
  from: string;
  mine: boolean;
  atMs: number;
  body: string;
  file?: FileInfo;
  state: MessageState;
  /** Why it failed: an error condition. */
  error?: string;
  markable?: boolean;
  /** Small news of the conversation itself (who came, new subject) instead of words of a person. */
  notice?: string;
}

export const WINDOW_MAX = 600;

const RANK: Readonly<Record<MessageState, number>> = { failed: -1, pending: 0, sent: 1, delivered: 2, read: 3 };

/** The state after news of another: states only grow, failure only strikes what nobody has received. */
export function advance(state: MessageState, news: MessageState): MessageState {
  if (news === "failed") return RANK[state] <= RANK.sent ? "failed" : state;
  return RANK[news] > RANK[state] ? news : state;
}

export function sameMessage(a: ChatMessage, b: ChatMessage): boolean {
  if (a.archiveId !== "" && a.archiveId === b.archiveId) return true;
  return a.id !== "" && a.id === b.id && (a.from === b.from || (a.mine && b.mine));
}

function mergeInto(known: ChatMessage, news: ChatMessage): void {
  if (news.archiveId !== "" && known.archiveId === "") {
    known.archiveId = news.archiveId;
    known.atMs = news.atMs;
  }
  known.state = advance(known.state, news.state);
  if (RANK[known.state] > 0) delete known.error;
}

/** Puts a message where its time says, once. Returns whether it was new. */
export function insert(list: ChatMessage[], news: ChatMessage): boolean {
  for (let i = list.length - 1; i >= 0; i--) {
    const known = list[i];
    if (known && sameMessage(known, news)) {
      mergeInto(known, news);
      settle(list, i);
      return false;
    }
  }
  list.push(news);
  settle(list, list.length - 1);
  return true;
}

/** Moves one message to its place by time; equal times keep their order of arrival. */
function settle(list: ChatMessage[], index: number): void {
  const message = list[index];
  if (!message) return;
  let to = index;
  while (to > 0 && (list[to - 1]?.atMs ?? 0) > message.atMs) to--;
  while (to < list.length - 1 && (list[to + 1]?.atMs ?? Infinity) < message.atMs) to++;
  if (to === index) return;
  list.splice(index, 1);
  list.splice(to, 0, message);
}

/** Everything of ours up to the message `id` was seen. Returns that message's time, or undefined if it is not here. */
export function markSeen(list: ChatMessage[], id: string): number | undefined {
  const seen = list.findLast((m) => m.id === id || (m.archiveId !== "" && m.archiveId === id));
  if (!seen) return undefined;
  for (const m of list) {
    // The news can overtake the server's acknowledgement of the very message; others that still wait were not seen.
    if (m.mine && m.atMs <= seen.atMs && (m === seen || m.state !== "pending")) m.state = advance(m.state, "read");
  }
  return seen.atMs;
}

/** Messages of others after `sinceMs`. */
export function countUnread(list: readonly ChatMessage[], sinceMs: number): number {
  return list.filter((m) => !m.mine && m.notice === undefined && m.atMs > sinceMs).length;
}

/** Keeps the newest messages. Returns whether any were cut. */
export function trim(list: ChatMessage[], max = WINDOW_MAX): boolean {
  if (list.length <= max) return false;
  list.splice(0, list.length - max);
  return true;
}

/** The archive id from which older history continues. */
export function oldestArchiveId(list: readonly ChatMessage[]): string | undefined {
  return list.find((m) => m.archiveId !== "")?.archiveId;
}
