// SPDX-License-Identifier: AGPL-3.0-or-later
// The client itself: the list on one side, the conversation on the other; on a small screen one at a time.

import "./home.css";
import { createEffect, createMemo, createSignal, Match, onCleanup, Show, Switch } from "solid-js";
import { incoming } from "../model/inbox";
import { close, route } from "../model/router";
import type { Route } from "../model/router";
import { t } from "../model/settings";
import { isRoom, roomName } from "../model/rooms";
import { personName } from "../model/profiles";
import { say } from "../ui/say";
import { Connection } from "./Connection";
import { Conversation } from "./Conversation";
import { Details } from "./Details";
import { InviteDialog } from "./InviteDialog";
import { NewChat } from "./NewChat";
import { NewGroup } from "./NewGroup";
import { Settings } from "./Settings";
import { Sidebar } from "./Sidebar";
import { Welcome } from "./Welcome";

type ChatRoute = Extract<Route, { page: "chat" }>;

/** Whether there is room for one column only, as home.css has it. */
function isNarrow(): () => boolean {
  const query = matchMedia("(width < 720px)");
  const [narrow, setNarrow] = createSignal(query.matches);
  const update = (): void => void setNarrow(query.matches);
  query.addEventListener("change", update);
  onCleanup(() => query.removeEventListener("change", update));
  return narrow;
}

let announcing = false;

export function Home() {
  if (!announcing) {
    announcing = true;
    incoming.on(({ chat, from, body }) => say(t().chat.says(isRoom(chat) ? `${from}, ${roomName(chat)}` : personName(from), body)));
  }
  // A dialog lies over the conversation that was open before it.
  const chat = createMemo<ChatRoute | undefined>((before) => {
    const at = route();
    if (at.page === "chat") return at;
    return at.page === "home" && at.dialog ? before : undefined;
  });
  const dialog = () => {
    const at = route();
    return at.page === "home" ? at.dialog : undefined;
  };
  const narrow = isNarrow();
  let main: HTMLElement | undefined;
  createEffect(() => {
    if (chat() && main) main.scrollTop = 0;
  });
  return (
    <div class="home" classList={{ "in-chat": chat() !== undefined, "in-details": chat()?.details === true }}>
      <a class="skip" href="#conversation">{t().app.skip}</a>
      <Connection />
      <Sidebar current={chat()?.jid} alone={narrow() && !chat()} />
      <main ref={main} id="conversation" tabindex="-1">
        <Show when={chat()?.jid} keyed fallback={<Welcome />}>
          {(jid) => <Conversation jid={jid} kind={chat()?.kind ?? "person"} />}
        </Show>
      </main>
      <Show when={chat()?.details && chat()?.jid} keyed>
        {(jid) => <Details jid={jid} kind={chat()?.kind ?? "person"} />}
      </Show>
      <Switch>
        <Match when={dialog() === "new"}><NewChat onClose={close} /></Match>
        <Match when={dialog() === "group"}><NewGroup onClose={close} /></Match>
        <Match when={dialog() === "invite"}><InviteDialog onClose={close} /></Match>
        <Match when={dialog() === "settings"}><Settings onClose={close} /></Match>
      </Switch>
    </div>
  );
}
