// SPDX-License-Identifier: AGPL-3.0-or-later
// Wires the models together: what happens, in which order, when the page opens and when a session begins.

import { bookmarks, fetchBookmarks, installBookmarks } from "./bookmarks";
import { installChats } from "./chats";
import { catchUpPeople, catchUpRoom, installHistory } from "./history";
import { installInbox } from "./inbox";
import { installInvitations } from "./invitations";
import { installWorker } from "./offline";
import { installNotify } from "./notify";
import { flushOutbox, installOutbox, loadOutbox } from "./outbox";
import { fetchPeople, installPeople } from "./people";
import { announceFirst, installPresence, setAvailability } from "./presence";
import type { OwnShow } from "./presence";
import { fetchOwnProfile, installProfiles } from "./profiles";
import { installRooms, rejoin, rooms, whenEntered } from "./rooms";
import { installRouter } from "./router";
import { loadServer, server } from "./server";
import { events, isOnline, restore, watchPage } from "./session";
import { loadSettings } from "./settings";
import { installTyping } from "./typing";
import { installUploads } from "./uploads";

// The connection may break while a session begins. Then the beginning starts over when it comes back: every step may
// be repeated. `turn` tells an outdated run that another one has taken over.
let turn = 0;
let begun = false;

/** A new session, in order: who we know, what we missed, then we appear, then what waited goes out. */
async function begin(): Promise<void> {
  const mine = ++turn;
  const stillOurs = (): boolean => mine === turn && isOnline();
  begun = false;
  await Promise.all([fetchPeople(), loadOutbox()]);
  if (!stillOurs()) return;
  await catchUpPeople().catch(() => undefined);
  if (!stillOurs()) return;
  await announceFirst();
  const known = await fetchBookmarks().catch(() => bookmarks());
  if (!stillOurs()) return;
  begun = true;
  flushOutbox();
  rejoin(known.map((b) => b.room));
  void fetchOwnProfile();
}

function goOn(): void {
  if (begun) rejoin(bookmarks().map((b) => b.room).filter((jid) => (rooms[jid]?.state ?? "out") === "out"));
  else void begin();
}

export function changeAvailability(show: OwnShow, text: string): void {
  const inside = Object.values(rooms).filter((r) => r.state === "joined").map((r) => `${r.jid}/${r.nick}`);
  setAvailability(show, text, inside);
}

function install(): void {
  installChats();
  installPeople();
  installPresence();
  installProfiles();
  installOutbox();
  installInbox();
  installInvitations();
  installBookmarks();
  installRooms();
  installTyping();
  installHistory();
  installUploads();
  installNotify();
  whenEntered(catchUpRoom);
  events.bound.on(() => void begin());
  events.resumed.on(goOn);
  watchPage();
}

const SERVER_RETRY_MS = 5000;
let started = false;

/** Starts the client: settings, the server's description, and the session of the last visit. */
export async function startApp(): Promise<void> {
  const described = loadServer();
  await Promise.all([loadSettings(), server() ? undefined : described]);
  if (started) return;
  if (!server()) {
    setTimeout(() => void startApp(), SERVER_RETRY_MS);
    return;
  }
  started = true;
  installRouter({ domain: server()?.domain ?? "", muc: server()?.muc ?? "" });
  install();
  installWorker();
  await restore();
}
