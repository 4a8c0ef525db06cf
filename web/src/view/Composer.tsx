// SPDX-License-Identifier: AGPL-3.0-or-later
// Where messages are written. Enter sends, Shift+Enter breaks the line; while an input method composes, Enter is its own.

import { createEffect, createSignal, For, on, onCleanup, onMount, Show } from "solid-js";
import { chats, setDraft } from "../model/chats";
import { sendMessage } from "../model/outbox";
import { isBlocked } from "../model/people";
import { personName } from "../model/profiles";
import { roomName } from "../model/rooms";
import { t } from "../model/settings";
import { weSent, weType } from "../model/typing";
import { isPicture, upload } from "../model/uploads";
import { IconButton } from "../ui/controls";
import { Icon } from "../ui/Icon";
import { sizeOf } from "./words";

interface ComposerProps {
  readonly jid: string;
  readonly kind: "person" | "room";
  readonly dropped: readonly File[];
}

interface Waiting {
  readonly file: File;
  readonly preview: string;
}

const HEIGHT_MAX_PX = 180;
const LENGTH_MAX = 20_000;

export function Composer(props: ComposerProps) {
  let area: HTMLTextAreaElement | undefined;
  let picker: HTMLInputElement | undefined;
  const [text, setText] = createSignal(chats[props.jid]?.draft ?? "");
  const [waiting, setWaiting] = createSignal<readonly Waiting[]>([]);
  const name = (): string => (props.kind === "room" ? roomName(props.jid) : personName(props.jid));
  const usable = (): boolean => !isBlocked(props.jid);
  const fit = (): void => {
    if (!area) return;
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight, HEIGHT_MAX_PX)}px`;
  };
  const write = (value: string): void => {
    setText(value);
    weType(props.jid, value);
    fit();
  };
  const add = (files: readonly File[]): void => {
    setWaiting((all) => [...all, ...files.map((file) => ({ file, preview: isPicture(file.type) ? URL.createObjectURL(file) : "" }))]);
    area?.focus();
  };
  const remove = (entry: Waiting): void => {
    if (entry.preview) URL.revokeObjectURL(entry.preview);
    setWaiting((all) => all.filter((w) => w !== entry));
  };
  const send = (): void => {
    const body = text().trim();
    if (!usable() || (body === "" && waiting().length === 0)) return;
    for (const entry of waiting()) {
      void upload(props.jid, props.kind, entry.file);
      remove(entry);
    }
    if (body !== "") {
      weSent(props.jid);
      void sendMessage(props.jid, props.kind, body);
    }
    setText("");
    setDraft(props.jid, "");
    queueMicrotask(fit);
    area?.focus();
  };
  const onKey = (event: KeyboardEvent): void => {
    // Browsers report the Enter that ends a composition as 229, or with isComposing.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    send();
  };
  const onPaste = (event: ClipboardEvent): void => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    add(files);
  };
  createEffect(on(() => props.dropped, (files) => files.length > 0 && add(files), { defer: true }));
  onMount(() => {
    fit();
    if (matchMedia("(hover: hover)").matches) area?.focus({ preventScroll: true });
  });
  onCleanup(() => {
    setDraft(props.jid, text());
    waiting().forEach(remove);
  });
  return (
    <form class="composer" onSubmit={(event) => {
      event.preventDefault();
      send();
    }}>
      <Show when={waiting().length > 0}>
        <ul class="waiting" aria-label={t().file.toSend}>
          <For each={waiting()}>
            {(entry) => (
              <li>
                <Show when={entry.preview} fallback={<Icon name="file" />}><img src={entry.preview} alt="" /></Show>
                <span class="grow"><span class="cut file-name">{entry.file.name}</span><span class="soft small">{sizeOf(entry.file.size)}</span></span>
                <IconButton icon="close" label={t().file.remove(entry.file.name)} onClick={() => remove(entry)} />
              </li>
            )}
          </For>
        </ul>
      </Show>
      <div class="composer-line">
        <IconButton icon="attach" label={t().chat.attach} disabled={!usable()} onClick={() => picker?.click()} />
        <input ref={picker} type="file" multiple hidden onChange={(event) => {
          add([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = "";
        }} />
        <textarea
          ref={area} rows={1} class="input" value={text()} placeholder={t().chat.writeTo(name())} aria-label={t().chat.writeTo(name())}
          maxLength={LENGTH_MAX} enterkeyhint="send" dir="auto" disabled={!usable()}
          onInput={(event) => write(event.currentTarget.value)} onKeyDown={onKey} onPaste={onPaste} onBlur={() => setDraft(props.jid, text())}
        />
        <IconButton icon="send" filled submit label={t().chat.send} disabled={!usable() || (text().trim() === "" && waiting().length === 0)} />
      </div>
    </form>
  );
}
