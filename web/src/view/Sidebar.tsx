// SPDX-License-Identifier: AGPL-3.0-or-later
// The list of conversations, with search, requests and everything that starts something new.

import "./sidebar.css";
import { createMemo, createSignal, For, Show } from "solid-js";
import { chats } from "../model/chats";
import { contacts, rosterReady } from "../model/people";
import { personName } from "../model/profiles";
import { roomName } from "../model/rooms";
import { go, openConversation } from "../model/router";
import { home, me } from "../model/session";
import { show } from "../model/presence";
import { profile } from "../model/profiles";
import { t } from "../model/settings";
import { jidFromInput } from "../wire/jid";
import { Avatar } from "../ui/Avatar";
import { Button, IconButton } from "../ui/controls";
import { Icon } from "../ui/Icon";
import { Menu } from "../ui/Menu";
import { Cards } from "./Cards";
import { ChatRow } from "./ChatRow";

const nameOf = (jid: string): string => (chats[jid]?.kind === "room" ? roomName(jid) : personName(jid));

function moveFocus(event: KeyboardEvent, list: HTMLElement | undefined): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined || !list) return;
  const links = [...list.querySelectorAll<HTMLElement>("a.chat-row")];
  const at = links.findIndex((link) => link === document.activeElement);
  const next = links[at < 0 ? (step > 0 ? 0 : links.length - 1) : at + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

interface SidebarProps {
  readonly current: string | undefined;
  /** Nothing else is on the screen. */
  readonly alone: boolean;
}

export function Sidebar(props: SidebarProps) {
  const [query, setQuery] = createSignal("");
  let list: HTMLDivElement | undefined;
  const matches = (jid: string): boolean => {
    const wanted = query().trim().toLocaleLowerCase();
    return wanted === "" || nameOf(jid).toLocaleLowerCase().includes(wanted) || jid.includes(wanted);
  };
  const open = createMemo(() =>
    Object.values(chats).filter((c) => c.activeMs > 0).sort((a, b) => b.activeMs - a.activeMs).map((c) => c.jid).filter(matches),
  );
  const people = createMemo(() => {
    const collator = new Intl.Collator(["zh", "en"]);
    return Object.values(contacts).filter((c) => c.subscription !== "none" || c.asked).map((c) => c.jid)
      .filter((jid) => !chats[jid]?.activeMs && matches(jid)).sort((a, b) => collator.compare(nameOf(a), nameOf(b)));
  });
  const typedAddress = (): string | undefined => (open().length + people().length === 0 ? jidFromInput(query(), home()) : undefined);
  const nobody = (): boolean => query() === "" && rosterReady() && open().length === 0 && people().length === 0;
  return (
    <div class="sidebar" role={props.alone ? "main" : undefined}>
      <nav aria-label={t().list.title} onKeyDown={(event) => moveFocus(event, list)}>
        <header>
          <button type="button" class="me" aria-label={t().list.settings} title={t().list.settings} onClick={() => go({ page: "home", dialog: "settings" })}>
            <Avatar name={personName(me())} seed={me()} picture={profile(me())?.picture} size="tiny" dot={show()} />
          </button>
          <h1 class="grow">{t().list.title}</h1>
          <IconButton icon="add" label={t().list.newChat} onClick={() => go({ page: "home", dialog: "new" })} />
          <Menu label={t().list.menu} icon="more" items={[
            { icon: "people", label: t().list.newGroup, onPick: () => go({ page: "home", dialog: "group" }) },
            { icon: "link", label: t().list.invite, onPick: () => go({ page: "home", dialog: "invite" }) },
            { icon: "settings", label: t().list.settings, onPick: () => go({ page: "home", dialog: "settings" }) },
          ]} />
        </header>
        <div class="search">
          <Icon name="search" size={18} />
          <input class="input" type="search" value={query()} placeholder={t().list.search} aria-label={t().list.search}
            onInput={(event) => setQuery(event.currentTarget.value)} />
        </div>
        <div class="chat-list" ref={list}>
          <Cards />
          <ul>
            <For each={open()}>{(jid) => <li><ChatRow jid={jid} kind={chats[jid]?.kind ?? "person"} current={jid === props.current} /></li>}</For>
          </ul>
          <Show when={people().length > 0}>
            <h2 class="minor">{t().list.people}</h2>
            <ul>
              <For each={people()}>{(jid) => <li><ChatRow jid={jid} kind="person" current={jid === props.current} /></li>}</For>
            </ul>
          </Show>
          <Show when={query() !== "" && open().length + people().length === 0}>
            <div class="empty">
              <p class="soft wrap">{t().list.nothingFound(query())}</p>
              <Show when={typedAddress()}>
                {(jid) => <Button look="quiet" small onClick={() => openConversation(jid(), "person")}>{t().list.addAs(jid())}</Button>}
              </Show>
            </div>
          </Show>
          <Show when={nobody()}>
            <div class="empty">
              <h2>{t().list.emptyTitle}</h2>
              <p class="soft">{t().list.emptyText}</p>
              <Button icon="link" onClick={() => go({ page: "home", dialog: "invite" })}>{t().list.invite}</Button>
            </div>
          </Show>
        </div>
      </nav>
    </div>
  );
}
