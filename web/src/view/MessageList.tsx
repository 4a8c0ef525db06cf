// SPDX-License-Identifier: AGPL-3.0-or-later
// The log. The scroller is turned upside down (column-reverse), so its natural resting place is the newest message
// and older pages do not move what a person is reading; away from the edge, the browser's scroll anchoring keeps
// the place when new messages come. At the edge it must not: there the newest message is the place.

import { createEffect, createMemo, createSignal, For, Match, on, onCleanup, onMount, Show, Switch } from "solid-js";
import { chats, trimChat } from "../model/chats";
import { loadOlder } from "../model/history";
import { markRead } from "../model/inbox";
import { isOnline } from "../model/session";
import { t } from "../model/settings";
import type { ChatMessage } from "../model/timeline";
import { typingIn } from "../model/typing";
import { personName } from "../model/profiles";
import { rooms, roomName } from "../model/rooms";
import { Button, IconButton } from "../ui/controls";
import { MessageRow } from "./MessageRow";
import { Uploads } from "./Uploads";
import { dayOf, dayStart } from "./words";

const LOAD_WITHIN_PX = 600;
const LIVE_EDGE_PX = 60;
const GROUP_MS = 5 * 60_000;

interface MessageListProps {
  readonly jid: string;
  readonly kind: "person" | "room";
}

function typingText(names: readonly string[]): string {
  const [a, b] = names;
  if (names.length > 2) return t().chat.typingMany(names.length);
  if (a !== undefined && b !== undefined) return t().chat.typingTwo(a, b);
  return a === undefined ? "" : t().chat.typingOne(a);
}

export function MessageList(props: MessageListProps) {
  let scroller: HTMLDivElement | undefined;
  const [atEdge, setAtEdge] = createSignal(true);
  const [loading, setLoading] = createSignal(false);
  const [failed, setFailed] = createSignal(false);
  const [focused, setFocused] = createSignal(document.hasFocus() && document.visibilityState === "visible");
  const messages = (): readonly ChatMessage[] => chats[props.jid]?.messages ?? [];
  // Where reading began, so that the line stays while new messages are being read.
  const [lineMs, setLineMs] = createSignal(chats[props.jid]?.unread ? (chats[props.jid]?.readMs ?? 0) : Infinity);
  const firstNew = createMemo(() => messages().find((m) => !m.mine && m.notice === undefined && m.atMs > lineMs()));
  const names = (): string[] => typingIn(props.jid).map((who) => (props.kind === "room" ? who : personName(who)));
  const ready = (): boolean => isOnline() && (props.kind === "person" || rooms[props.jid]?.state === "joined");

  const older = async (): Promise<void> => {
    if (loading() || chats[props.jid]?.complete || !ready()) return;
    setLoading(true);
    setFailed(false);
    try {
      let more = true;
      // A page may hold only receipts and the like: go on until the screen is full.
      while (more && scroller && scroller.scrollHeight + scroller.scrollTop < scroller.clientHeight + LOAD_WITHIN_PX) {
        more = await loadOlder(props.jid);
      }
    } catch {
      setFailed(true);
    }
    setLoading(false);
  };
  const onScroll = (): void => {
    if (!scroller) return;
    setAtEdge(scroller.scrollTop > -LIVE_EDGE_PX);
    if (scroller.scrollHeight + scroller.scrollTop < scroller.clientHeight + LOAD_WITHIN_PX) void older();
  };
  const toEdge = (): void => scroller?.scrollTo({ top: 0, behavior: "smooth" });
  const onFocus = (): void => {
    setFocused(document.hasFocus() && document.visibilityState === "visible");
  };
  onMount(() => {
    for (const name of ["focus", "blur"]) addEventListener(name, onFocus);
    document.addEventListener("visibilitychange", onFocus);
  });
  onCleanup(() => {
    for (const name of ["focus", "blur"]) removeEventListener(name, onFocus);
    document.removeEventListener("visibilitychange", onFocus);
    trimChat(props.jid);
  });
  createEffect(on(ready, (now) => {
    if (now) void older();
  }));
  createEffect(on([focused, atEdge, () => messages().length], ([here, edge, count]) => {
    if (here && edge && count > 0) markRead(props.jid);
  }));
  createEffect(on(focused, (now) => {
    if (!now) setLineMs(chats[props.jid]?.readMs ?? Infinity);
  }, { defer: true }));
  createEffect(on(() => messages()[messages().length - 1], (last) => {
    if (last?.mine && last.state === "pending" && scroller) scroller.scrollTop = 0;
  }));
  const joined = (m: ChatMessage, i: number): boolean => {
    const before = messages()[i - 1];
    return before !== undefined && before.from === m.from && before.mine === m.mine && m.atMs - before.atMs < GROUP_MS
      && dayStart(before.atMs) === dayStart(m.atMs) && m !== firstNew() && before.notice === m.notice;
  };
  const newDay = (m: ChatMessage, i: number): boolean => {
    const before = messages()[i - 1];
    return before === undefined || dayStart(before.atMs) !== dayStart(m.atMs);
  };
  const empty = (): boolean => messages().length === 0 && chats[props.jid]?.complete === true;
  return (
    <div class="log-frame">
      <div class="log" classList={{ "at-edge": atEdge() }} ref={scroller} onScroll={onScroll} tabindex="0" role="log" aria-live="off"
        aria-label={t().chat.messagesOf(props.kind === "room" ? roomName(props.jid) : personName(props.jid))}>
        <div class="log-inner">
          <Switch>
            <Match when={failed()}>
              <p class="log-note"><span>{t().chat.olderFailed}</span><Button small look="plain" onClick={() => void older()}>{t().app.retry}</Button></p>
            </Match>
            <Match when={loading()}><p class="log-note"><span class="spinner" />{t().chat.loadingOlder}</p></Match>
            <Match when={empty()}>
              <p class="log-note hello">{props.kind === "room" ? t().chat.emptyRoom : t().chat.emptyPerson(personName(props.jid))}</p>
            </Match>
            <Match when={chats[props.jid]?.complete}><p class="log-note">{t().chat.beginning}</p></Match>
          </Switch>
          <ol>
            <For each={messages()}>
              {(message, i) => (
                <>
                  <Show when={newDay(message, i())}><li class="day"><span>{dayOf(message.atMs)}</span></li></Show>
                  <Show when={message === firstNew()}><li class="new-line"><span>{t().chat.newMessages}</span></li></Show>
                  <MessageRow message={message} chat={props.jid} kind={props.kind} joined={joined(message, i())} />
                </>
              )}
            </For>
          </ol>
          <Uploads chat={props.jid} />
          <p class="typing-line small" aria-hidden={names().length === 0}>
            <Show when={names().length > 0}><span class="dots" aria-hidden="true"><i /><i /><i /></span>{typingText(names())}</Show>
          </p>
        </div>
      </div>
      <Show when={!atEdge()}>
        <div class="to-edge"><IconButton icon="down" label={t().chat.toNewest} onClick={toEdge} />
          <Show when={(chats[props.jid]?.unread ?? 0) > 0}><span class="badge" aria-hidden="true">{chats[props.jid]?.unread}</span></Show>
        </div>
      </Show>
    </div>
  );
}
