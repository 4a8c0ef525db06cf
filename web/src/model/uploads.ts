// SPDX-License-Identifier: AGPL-3.0-or-later
// Files on their way to the server (XEP-0363): progress, cancelling, going on after an interruption.

import { createStore, produce, reconcile } from "solid-js/store";
import { ApiError, sendFile, uploadedBytes } from "../wire/api";
import { readSlot, slotQuery } from "../wire/services";
import type { Slot } from "../wire/services";
import { StanzaError } from "../wire/stanza";
import type { FileInfo } from "../wire/message";
import { randomId } from "../wire/bytes";
import type { Chat } from "./chats";
import { sendMessage } from "./outbox";
import { events, home, iq } from "./session";
import { server } from "./server";

export interface Upload {
  readonly id: string;
  readonly chat: string;
  readonly kind: Chat["kind"];
  readonly name: string;
  readonly size: number;
  readonly type: string;
  /** An object URL of a picture, or "". */
  readonly preview: string;
  sent: number;
  state: "sending" | "failed";
  /** too-large, network, or a word of the server. */
  error: string;
}

interface Work {
  readonly file: File;
  readonly width: number | undefined;
  readonly height: number | undefined;
  slot: Slot | undefined;
  abort: AbortController;
}

const [uploads, setUploads] = createStore<Record<string, Upload>>({});
const work = new Map<string, Work>();

export const uploadsIn = (chat: string): Upload[] => Object.values(uploads).filter((u) => u.chat === chat);
export const isPicture = (type: string): boolean => /^image\/(png|jpeg|webp|gif|avif)$/.test(type);
export const maxBytes = (): number => server()?.uploadMaxBytes || Infinity;

/** Our server's own files are fetched from where this page came from, whatever name the server gave. */
export function ourUrl(url: string): string {
  try {
    const parsed = new URL(url);
    const ours = parsed.hostname === home() || parsed.hostname === `upload.${home()}` || parsed.hostname === location.hostname;
    return ours && parsed.pathname.startsWith("/upload/") ? location.origin + parsed.pathname + parsed.search : url;
  } catch {
    return url;
  }
}

export const isOurs = (url: string): boolean => ourUrl(url).startsWith(`${location.origin}/`);

async function pictureSize(file: File): Promise<{ width: number; height: number } | undefined> {
  if (!isPicture(file.type)) return undefined;
  const bitmap = await createImageBitmap(file).catch(() => undefined);
  return bitmap && { width: bitmap.width, height: bitmap.height };
}

/** Starts to send a file into a conversation; when it is there, the message follows by itself. */
export async function upload(chat: string, kind: Chat["kind"], file: File): Promise<void> {
  const id = randomId(9);
  const size = await pictureSize(file);
  const preview = size ? URL.createObjectURL(file) : "";
  setUploads(id, { id, chat, kind, name: file.name, size: file.size, type: file.type, preview, sent: 0, state: "sending", error: "" });
  work.set(id, { file, width: size?.width, height: size?.height, slot: undefined, abort: new AbortController() });
  await run(id);
}

async function run(id: string): Promise<void> {
  const job = work.get(id);
  const row = uploads[id];
  if (!job || !row) return;
  job.abort = new AbortController();
  setUploads(id, { state: "sending", error: "" });
  try {
    if (job.file.size > maxBytes()) throw new ApiError("too-large", 413, "");
    const url = await transfer(id, job);
    const file: FileInfo = { url, name: row.name, size: row.size, type: row.type, width: job.width, height: job.height };
    await sendMessage(row.chat, row.kind, url, file);
    drop(id);
  } catch (error) {
    const code = error instanceof ApiError ? error.code : error instanceof StanzaError ? error.condition : "network";
    if (code === "aborted") drop(id);
    else if (uploads[id]) setUploads(id, { state: "failed", error: code === "not-acceptable" ? "too-large" : code });
  }
}

async function transfer(id: string, job: Work): Promise<string> {
  const known = job.slot && (await uploadedBytes(ourUrl(job.slot.put), job.slot.headers));
  if (known === undefined) job.slot = await newSlot(job.file);
  const slot = job.slot;
  if (!slot) throw new ApiError("no-slot", 0, "");
  const onProgress = (sent: number): void => setUploads(id, "sent", Math.min(sent, job.file.size));
  if (known !== job.file.size || known === 0) {
    const transfer = { url: ourUrl(slot.put), headers: slot.headers, body: job.file, offset: known ?? 0, onProgress };
    await sendFile(transfer, job.abort.signal);
  }
  return slot.get;
}

async function newSlot(file: File): Promise<Slot> {
  const type = file.type || "application/octet-stream";
  const slot = readSlot(await iq("get", `upload.${home()}`, slotQuery(file.name, file.size, type)));
  if (!slot) throw new ApiError("no-slot", 0, "");
  return slot;
}

export function retryUpload(id: string): Promise<void> {
  return run(id);
}

export function cancelUpload(id: string): void {
  work.get(id)?.abort.abort();
  drop(id);
}

function drop(id: string): void {
  const preview = uploads[id]?.preview;
  if (preview) URL.revokeObjectURL(preview);
  work.delete(id);
  setUploads(produce((all) => delete all[id]));
}

export function installUploads(): void {
  // A network that came back finishes what it broke.
  const again = (): void => {
    for (const row of Object.values(uploads)) if (row.state === "failed" && row.error === "network") void run(row.id);
  };
  events.bound.on(again);
  events.resumed.on(again);
  events.closed.on(() => {
    for (const job of work.values()) job.abort.abort();
    work.clear();
    setUploads(reconcile({}));
  });
}
