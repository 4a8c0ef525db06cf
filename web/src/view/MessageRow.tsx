// SPDX-License-Identifier: AGPL-3.0-or-later
// One message as it stands in the log.

import { For, Match, Show, Switch } from "solid-js";
import { retryMessage } from "../model/outbox";
import { personName, profile } from "../model/profiles";
import { rooms } from "../model/rooms";
import { t } from "../model/settings";
import type { ChatMessage } from "../model/timeline";
import { Avatar, hueOf } from "../ui/Avatar";
import { Button } from "../ui/controls";
import { Attachment } from "./Attachment";
import { StateMark } from "./StateMark";
import { errorText, fullTime, timeOf } from "./words";

interface MessageRowProps {
  readonly message: ChatMessage;
  readonly chat: string;
  readonly kind: "person" | "room";
  /** Follows a message of the same person: no name and picture again. */
  readonly joined: boolean;
}

const LINK = /(https?:\/\/[^\s<>"'，。；：！？、）】」》]*[^\s<>"'.,;:!?)\]}，。；：！？、）】」》])/;
const ONLY_EMOJI = /^(?:\p{Extended_Pictographic}(?:\p{Emoji_Modifier}|\ufe0f|\u200d\p{Extended_Pictographic})*\s*){1,3}$/u;

function Body(props: { readonly text: string }) {
  const parts = (): string[] => props.text.split(LINK);
  return (
    <p class="bubble-text" classList={{ big: ONLY_EMOJI.test(props.text) }} dir="auto">
      <For each={parts()}>
        {(part, i) => (
          <Show when={i() % 2 === 1} fallback={part}>
            <a href={part} target="_blank" rel="noopener noreferrer nofollow">{part}</a>
          </Show>
        )}
      </For>
    </p>
  );
}

export function MessageRow(props: MessageRowProps) {
  const message = props.message;
  const jid = (): string => (props.kind === "room" ? (rooms[props.chat]?.occupants[message.from]?.jid ?? "") : message.from);
  const author = (): string => {
    if (message.mine) return t().chat.me;
    return props.kind === "room" ? (jid() !== "" ? personName(jid()) : message.from) : personName(message.from);
  };
  const seed = (): string => jid() || message.from;
  const withFace = (): boolean => props.kind === "room" && !message.mine;
  return (
    <Switch>
      <Match when={message.notice !== undefined}><li class="day"><span>{message.body}</span></li></Match>
      <Match when={true}>
        <li class="message" classList={{ mine: message.mine, joined: props.joined, faced: withFace() }} data-id={message.id}>
          <Show when={withFace() && !props.joined}>
            <Avatar name={author()} seed={seed()} picture={profile(jid())?.picture} size="tiny" />
          </Show>
          <div class="bubble" classList={{ failed: message.state === "failed", framed: message.file !== undefined }}>
            <span class="author" classList={{ "hidden-text": !withFace() || props.joined }} style={{ "--author": String(hueOf(seed())) }}>{author()}</span>
            <Show when={message.file} fallback={<Body text={message.body} />}>{(file) => <Attachment file={file()} />}</Show>
            <span class="meta">
              <time datetime={new Date(message.atMs).toISOString()} title={fullTime(message.atMs)}>{timeOf(message.atMs)}</time>
              <Show when={message.mine}><StateMark state={message.state} /></Show>
            </span>
          </div>
          <Show when={message.state === "failed"}>
            <div class="failure small" role="alert">
              <span>{errorText(message.error ?? "")}</span>
              <Button look="plain" small onClick={() => void retryMessage(props.chat, message.id)}>{t().chat.retry}</Button>
            </div>
          </Show>
        </li>
      </Match>
    </Switch>
  );
}
