// SPDX-License-Identifier: AGPL-3.0-or-later
import { Show } from "solid-js";
import { chats } from "../model/chats";
import { availability } from "../model/people";
import { personName, profile, wantProfile } from "../model/profiles";
import { roomName } from "../model/rooms";
import { go, hrefOf } from "../model/router";
import type { Route } from "../model/router";
import { t } from "../model/settings";
import { typingIn } from "../model/typing";
import type { ChatMessage } from "../model/timeline";
import { isPicture } from "../model/uploads";
import { Avatar } from "../ui/Avatar";
import { StateMark } from "./StateMark";
import { shortTime } from "./words";

export function previewOf(message: ChatMessage): string {
  if (!message.file) return message.body;
  return isPicture(message.file.type) ? t().file.aPicture : message.file.name || t().file.aFile;
}

interface ChatRowProps {
  readonly jid: string;
  readonly kind: "person" | "room";
  readonly current: boolean;
}

export function ChatRow(props: ChatRowProps) {
  const room = (): boolean => props.kind === "room";
  const name = (): string => (room() ? roomName(props.jid) : personName(props.jid));
  const last = (): ChatMessage | undefined => chats[props.jid]?.messages.findLast((m) => m.notice === undefined);
  const unread = (): number => chats[props.jid]?.unread ?? 0;
  const draft = (): string => (props.current ? "" : (chats[props.jid]?.draft ?? ""));
  const show = (): string => (room() ? "offline" : availability(props.jid).show);
  const place = (): Route => ({ page: "chat", jid: props.jid, kind: props.kind, details: false });
  if (props.kind === "person") wantProfile(props.jid);
  const follow = (event: MouseEvent): void => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    go(place());
  };
  return (
    <a class="chat-row" href={hrefOf(place())} aria-current={props.current ? "page" : undefined} onClick={follow}>
      <Avatar name={name()} seed={props.jid} picture={room() ? undefined : profile(props.jid)?.picture} group={room()} dot={show()} />
      <span class="chat-row-text">
        <span class="chat-row-line">
          <span class="chat-row-name cut">{name()}</span>
          <Show when={last()}>{(m) => <time class="small soft">{shortTime(m().atMs)}</time>}</Show>
        </span>
        <span class="chat-row-line">
          <span class="cut grow soft small" classList={{ strong: unread() > 0 }}>
            <Show when={typingIn(props.jid).length > 0} fallback={<Preview last={last()} draft={draft()} room={room()} jid={props.jid} />}>
              <span class="typing">{t().list.typing}</span>
            </Show>
          </span>
          <Show when={unread() > 0}>
            <span class="badge"><span aria-hidden="true">{unread() > 99 ? "99+" : unread()}</span><span class="hidden-text">{t().list.unread(unread())}</span></span>
          </Show>
        </span>
      </span>
      <Show when={show() !== "offline"}><span class="hidden-text">{t().presence[show() as "online"]}</span></Show>
    </a>
  );
}

function Preview(props: { readonly last: ChatMessage | undefined; readonly draft: string; readonly room: boolean; readonly jid: string }) {
  const idle = (): string => (props.room ? t().list.noMessages : availability(props.jid).status || t().presence[availability(props.jid).show]);
  return (
    <Show when={props.draft === ""} fallback={<><span class="draft">{t().list.draft}</span> {props.draft}</>}>
      <Show when={props.last} fallback={idle()}>
        {(m) => (
          <>
            <Show when={m().mine} fallback={<Show when={props.room}>{`${m().from}: `}</Show>}>
              <StateMark state={m().state} />{" "}
            </Show>
            {previewOf(m())}
          </>
        )}
      </Show>
    </Show>
  );
}
