// SPDX-License-Identifier: AGPL-3.0-or-later
// Names and pictures of people (vcard-temp), remembered on this device by photo hash.

import { createStore, reconcile } from "solid-js/store";
import { photoHash, readVCard, vcardQuery, vcardSet } from "../wire/vcard";
import type { Photo, VCard } from "../wire/vcard";
import { accountDb, events, iq, isOnline, me } from "./session";
import { contacts, photoNews } from "./people";
import { setIdentity } from "./presence";
import { local } from "../wire/jid";

interface SavedProfile {
  readonly jid: string;
  readonly name: string;
  readonly hash: string;
  readonly photo: Photo | undefined;
}

export interface Profile {
  readonly name: string;
  readonly hash: string;
  /** An object URL, or "". */
  readonly picture: string;
}

const [profiles, setProfiles] = createStore<Record<string, Profile>>({});
const asked = new Set<string>();

export const profile = (jid: string): Profile | undefined => profiles[jid];

/** The name to show for a person: ours for them, theirs, or the address. */
export function personName(jid: string): string {
  const given = contacts[jid]?.name;
  const own = profiles[jid]?.name;
  // A roster name that is only the address was not chosen by anybody.
  if (given && given !== local(jid)) return given;
  return own || given || local(jid) || jid;
}

function show(saved: SavedProfile): void {
  const old = profiles[saved.jid]?.picture;
  if (old) URL.revokeObjectURL(old);
  const picture = saved.photo ? URL.createObjectURL(new Blob([saved.photo.data], { type: saved.photo.type })) : "";
  setProfiles(saved.jid, { name: saved.name, hash: saved.hash, picture });
}

async function fetchProfile(jid: string): Promise<SavedProfile> {
  const card = readVCard(await iq("get", jid === me() ? undefined : jid, vcardQuery));
  const hash = card.photo ? await photoHash(card.photo.data) : "";
  const saved = { jid, name: card.name, hash, photo: card.photo };
  await accountDb().write([{ store: "people", key: jid, value: saved }]);
  show(saved);
  return saved;
}

/** Loads a person's card if it is not known; with `again` also a known one, once per session: names change silently. */
export function wantProfile(jid: string, again = false): void {
  if (asked.has(jid) || (profiles[jid] && !again) || !isOnline()) return;
  asked.add(jid);
  void fetchProfile(jid).catch(() => undefined);
}

async function onPhotoNews(jid: string, hash: string): Promise<void> {
  if (jid === me() && profiles[jid]?.hash === hash) return;
  if (profiles[jid]?.hash === hash || asked.has(`${jid} ${hash}`)) return;
  asked.add(`${jid} ${hash}`);
  const fetched = await fetchProfile(jid).catch(() => undefined);
  if (fetched && jid === me()) setIdentity(fetched.name, fetched.hash);
}

/** Our own card, once per session; then our presence says which photo we have. */
export async function fetchOwnProfile(): Promise<void> {
  const own = await fetchProfile(me()).catch(() => undefined);
  if (own) setIdentity(own.name, own.hash);
}

const PICTURE_PX = 192;

/** Cuts a square out of a picture and makes it small. Rejects when the file is no picture. */
export async function squarePicture(file: Blob): Promise<Photo> {
  const bitmap = await createImageBitmap(file);
  const side = Math.min(bitmap.width, bitmap.height);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = PICTURE_PX;
  const context = canvas.getContext("2d");
  if (!context) throw new Error("no canvas");
  context.imageSmoothingQuality = "high";
  const x = (bitmap.width - side) / 2;
  const y = (bitmap.height - side) / 2;
  context.drawImage(bitmap, x, y, side, side, 0, 0, PICTURE_PX, PICTURE_PX);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.85));
  if (!blob) throw new Error("no picture");
  return { type: "image/jpeg", data: new Uint8Array(await blob.arrayBuffer()) };
}

async function change(edit: (card: VCard) => VCard): Promise<void> {
  const card = readVCard(await iq("get", undefined, vcardQuery));
  await iq("set", undefined, vcardSet(edit(card)));
  await fetchOwnProfile();
}

// A card is read, changed and written as a whole: one change at a time, or one would undo the other.
let changes: Promise<unknown> = Promise.resolve();

function inTurn(edit: (card: VCard) => VCard): Promise<void> {
  const mine = changes.then(() => change(edit));
  changes = mine.catch(() => undefined);
  return mine;
}

export const saveName = (name: string): Promise<void> => inTurn((card) => ({ ...card, name }));

/** Changes our picture; undefined removes it. */
export const savePicture = (photo: Photo | undefined): Promise<void> => inTurn((card) => ({ ...card, photo }));

export function installProfiles(): void {
  events.opened.on((db) => {
    void db.all<SavedProfile>("people").then((all) => all.forEach(show));
  });
  photoNews.on(({ jid, hash }) => void onPhotoNews(jid, hash));
  events.bound.on(() => asked.clear());
  events.closed.on(() => {
    Object.values(profiles).forEach((p) => p.picture && URL.revokeObjectURL(p.picture));
    asked.clear();
    setProfiles(reconcile({}));
  });
}
