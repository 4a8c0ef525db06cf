// SPDX-License-Identifier: AGPL-3.0-or-later
// One conversation: who it is with, what was said, and where to write.

import "./conversation.css";
import { createEffect, createSignal, Match, onMount, Show, Switch } from "solid-js";
import type { JSX } from "solid-js";
import { bookmarked } from "../model/bookmarks";
import { chats, openChat } from "../model/chats";
import { addContact, availability, block, contacts, isBlocked, isContact, myself, requests, rosterReady, unblock } from "../model/people";
import { personName, profile, wantProfile } from "../model/profiles";
import { enterRoom, roomName, roomPeople, rooms } from "../model/rooms";
import { go, up } from "../model/router";
import { isOnline } from "../model/session";
import { t } from "../model/settings";
import { Avatar } from "../ui/Avatar";
import { Button, IconButton } from "../ui/controls";
import { toast } from "../ui/say";
import { Composer } from "./Composer";
import { MessageList } from "./MessageList";
import { problemOf } from "./words";

interface ConversationProps {
  readonly jid: string;
  readonly kind: "person" | "room";
}

/** Runs a verb and tells when it did not work. */
export function attempt(work: () => Promise<unknown>): void {
  work().catch((error: unknown) => toast(problemOf(error)));
}

function Head(props: ConversationProps) {
  const room = (): boolean => props.kind === "room";
  const name = (): string => (room() ? roomName(props.jid) : personName(props.jid));
  const line = (): string => {
    if (room()) return rooms[props.jid]?.subject || t().room.members(roomPeople(props.jid).length);
    if (!isContact(props.jid)) return props.jid;
    const { show, status } = availability(props.jid);
    return status === "" ? t().presence[show] : `${t().presence[show]} · ${status}`;
  };
  const toggle = (): void => {
    const open = location.pathname.endsWith("/details");
    go({ page: "chat", jid: props.jid, kind: props.kind, details: !open });
  };
  return (
    <header class="chat-head">
      <span class="only-narrow"><IconButton icon="back" label={t().app.back} onClick={up} /></span>
      <button type="button" class="chat-title" onClick={toggle}>
        <Avatar name={name()} seed={props.jid} picture={room() ? undefined : profile(props.jid)?.picture} group={room()}
          dot={room() ? undefined : availability(props.jid).show} />
        <span class="grow">
          <h1 class="cut">{name()}</h1>
          <span class="soft small cut chat-line">{line()}</span>
        </span>
      </button>
      <IconButton icon="info" label={t().chat.details} onClick={toggle} />
    </header>
  );
}

/** `late`: only worth showing when it stays. */
function Notice(props: { readonly children: JSX.Element; readonly late?: boolean }) {
  return <div class="chat-notice" classList={{ late: props.late === true }}>{props.children}</div>;
}

function PersonNotice(props: { readonly jid: string }) {
  const name = (): string => personName(props.jid);
  const stranger = (): boolean =>
    rosterReady() && isOnline() && !isContact(props.jid) && !contacts[props.jid]?.asked && !myself(props.jid) && !requests().includes(props.jid);
  return (
    <Switch>
      <Match when={isBlocked(props.jid)}>
        <Notice>
          <span>{t().chat.blocked}</span>
          <Button small look="quiet" onClick={() => attempt(() => unblock(props.jid))}>{t().chat.unblock}</Button>
        </Notice>
      </Match>
      <Match when={stranger()}>
        <Notice>
          <span>{t().chat.stranger(name())}</span>
          <span class="row">
            <Button small onClick={() => attempt(() => addContact(props.jid))}>{t().chat.addContact}</Button>
            <Button small look="quiet" onClick={() => attempt(() => block(props.jid))}>{t().chat.block}</Button>
          </span>
        </Notice>
      </Match>
      <Match when={contacts[props.jid]?.asked && !isContact(props.jid)}>
        <Notice><span>{t().chat.waitingForApproval(name())}</span></Notice>
      </Match>
    </Switch>
  );
}

function RoomNotice(props: { readonly jid: string }) {
  const [busy, setBusy] = createSignal(false);
  const state = (): string => rooms[props.jid]?.state ?? "out";
  const why = (): string => {
    const error = rooms[props.jid]?.error ?? "";
    if (error === "") return t().chat.notInside;
    return t().chat.gone[error] ?? t().errors[error] ?? t().chat.notInside;
  };
  const enter = (): void => {
    setBusy(true);
    attempt(() => enterRoom(props.jid).finally(() => setBusy(false)));
  };
  return (
    <Switch>
      <Match when={!isOnline() || state() === "joined"}>{null}</Match>
      <Match when={state() === "joining" || (state() === "out" && bookmarked(props.jid) && !rooms[props.jid]?.error)}><Notice late><span class="spinner" /><span>{t().chat.joining}</span></Notice></Match>
      <Match when={true}>
        <Notice>
          <span>{why()}</span>
          <Show when={rooms[props.jid]?.error !== "destroyed"}>
            <Button small look="quiet" busy={busy()} onClick={enter}>{t().chat.joinAgain}</Button>
          </Show>
        </Notice>
      </Match>
    </Switch>
  );
}

export function Conversation(props: ConversationProps) {
  const [dropped, setDropped] = createSignal<readonly File[]>([]);
  const [dragging, setDragging] = createSignal(false);
  createEffect(() => {
    if (props.kind === "person" && isOnline()) wantProfile(props.jid, true);
  });
  onMount(() => {
    if (!chats[props.jid]) openChat(props.jid, props.kind);
  });
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    setDragging(false);
    setDropped([...(event.dataTransfer?.files ?? [])]);
  };
  const over = (event: DragEvent): void => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    setDragging(true);
  };
  return (
    <section
      class="conversation" aria-label={props.kind === "room" ? roomName(props.jid) : personName(props.jid)}
      onDragOver={over} onDrop={drop} onDragLeave={(event) => event.currentTarget === event.target && setDragging(false)}
    >
      <Head {...props} />
      <Show when={props.kind === "person"} fallback={<RoomNotice jid={props.jid} />}><PersonNotice jid={props.jid} /></Show>
      <MessageList {...props} />
      <Composer {...props} dropped={dropped()} />
      <Show when={dragging()}><div class="drop-zone" aria-hidden="true">{t().chat.dropHere}</div></Show>
    </section>
  );
}
