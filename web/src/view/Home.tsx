// SPDX-License-Identifier: AGPL-3.0-or-later
// The client itself: the list on one side, the conversation on the other; on a small screen one at a time.

import "./home.css";
import { createEffect, Match, Show, Switch } from "solid-js";
import { incoming } from "../model/inbox";
import { back, route } from "../model/router";
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

let announcing = false;

export function Home() {
  if (!announcing) {
    announcing = true;
    incoming.on(({ chat, from, body }) => say(t().chat.says(isRoom(chat) ? `${from}, ${roomName(chat)}` : personName(from), body)));
  }
  const chat = () => {
    const at = route();
    return at.page === "chat" ? at : undefined;
  };
  const dialog = () => {
    const at = route();
    return at.page === "home" ? at.dialog : undefined;
  };
  const close = (): void => back({ page: "home" });
  let main: HTMLElement | undefined;
  createEffect(() => {
    if (chat() && main) main.scrollTop = 0;
  });
  return (
    <div class="home" classList={{ "in-chat": chat() !== undefined, "in-details": chat()?.details === true }}>
      <a class="skip" href="#conversation">{t().app.skip}</a>
      <Connection />
      <Sidebar current={chat()?.jid} />
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
