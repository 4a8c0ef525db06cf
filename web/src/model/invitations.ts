// SPDX-License-Identifier: AGPL-3.0-or-later
// Invitations: rooms that we are asked into, and links that we make for others.

import { createSignal } from "solid-js";
import type { Invitation } from "../wire/message";
import { commandQuery, INVITE_ACCOUNT_NODE, INVITE_NODE, readInvitationLink } from "../wire/services";
import type { InvitationLink } from "../wire/services";
import { StanzaError } from "../wire/stanza";
import { bookmarked } from "./bookmarks";
import { events, home, iq, me } from "./session";

const [invitations, setInvitations] = createSignal<readonly Invitation[]>([]);
export { invitations };

export function receiveInvitation(invitation: Invitation): void {
  if (bookmarked(invitation.room)) return;
  setInvitations((all) => [...all.filter((i) => i.room !== invitation.room), invitation]);
}

export function dismissInvitation(room: string): void {
  setInvitations((all) => all.filter((i) => i.room !== room));
}

/** Makes a link that lets somebody become our contact, with an account here if they have none. */
export async function createInvitation(): Promise<InvitationLink> {
  const ask = async (to: string | undefined, node: string): Promise<InvitationLink> => {
    const link = readInvitationLink(await iq("set", to, commandQuery(node)));
    if (!link) throw new StanzaError("feature-not-implemented", "cancel", "");
    return { ...link, link: ourAddress(link.link) };
  };
  try {
    return await ask(me(), INVITE_NODE);
  } catch (error) {
    if (!(error instanceof StanzaError)) throw error;
    return ask(home(), INVITE_ACCOUNT_NODE);
  }
}

// The server may stand behind a proxy or another name; the link should open the page that we are on.
function ourAddress(link: string): string {
  const path = /\/i\/[^/?#]+$/.exec(link)?.[0];
  return path === undefined ? link : location.origin + path;
}

export function installInvitations(): void {
  events.closed.on(() => setInvitations([]));
}
