// SPDX-License-Identifier: AGPL-3.0-or-later
// Name and picture of a person (vcard-temp, XEP-0054; photo hash as XEP-0153 wants it).

import { digest, fromBase64, hex, toBase64 } from "./bytes";
import type { Bytes } from "./bytes";
import { NS } from "./ns";
import { el, El, textEl } from "./xml";

export interface Photo {
  readonly type: string;
  readonly data: Bytes;
}

export interface VCard {
  readonly name: string;
  readonly photo: Photo | undefined;
  /** Everything that we do not edit, given back unchanged. */
  readonly rest: readonly El[];
}

export const vcardQuery: El = el("vCard", NS.vcard);

const IMAGE_TYPES = /^image\/(png|jpeg|webp|gif)$/;

function readPhoto(node: El | undefined): Photo | undefined {
  const base64 = node?.textOf("BINVAL");
  const type = node?.textOf("TYPE") ?? "";
  if (base64 === undefined || base64 === "") return undefined;
  try {
    return { type: IMAGE_TYPES.test(type) ? type : "image/png", data: fromBase64(base64) };
  } catch {
    return undefined;
  }
}

export function readVCard(iq: El): VCard {
  const card = iq.child("vCard", NS.vcard);
  const fullName = card?.textOf("FN") ?? "";
  const rest = card?.els().filter((e) => !["PHOTO", "FN", "NICKNAME"].includes(e.name)) ?? [];
  return { name: card?.textOf("NICKNAME") || fullName, photo: readPhoto(card?.child("PHOTO")), rest };
}

export function vcardSet(card: VCard): El {
  const photo = card.photo && el("PHOTO", "", {}, textEl("TYPE", card.photo.type), textEl("BINVAL", toBase64(card.photo.data)));
  const name = card.name === "" ? [] : [textEl("FN", card.name), textEl("NICKNAME", card.name)];
  return el("vCard", NS.vcard, {}, ...name, photo, ...card.rest);
}

/** The hash that presence announces. */
export async function photoHash(data: Bytes): Promise<string> {
  return hex(await digest("SHA-1", data));
}
