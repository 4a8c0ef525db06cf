// SPDX-License-Identifier: AGPL-3.0-or-later
// The one polite live region of the page, and short confirmations that fade by themselves.

import { createSignal, For } from "solid-js";

const SHOWN_MS = 3500;
const [spoken, setSpoken] = createSignal("");
const [toasts, setToasts] = createSignal<readonly { readonly text: string }[]>([]);

/** Reads a text out to people who use a screen reader. */
export function say(text: string): void {
  setSpoken(text);
}

/** Shows a text for a moment, and reads it out. */
export function toast(text: string): void {
  const entry = { text };
  say(text);
  setToasts((all) => [...all.slice(-2), entry]);
  setTimeout(() => setToasts((all) => all.filter((e) => e !== entry)), SHOWN_MS);
}

export function Announcer() {
  return (
    <>
      <div class="hidden-text" role="status" aria-live="polite">{spoken()}</div>
      <div class="toasts" aria-hidden="true">
        <For each={toasts()}>{(entry) => <div class="toast">{entry.text}</div>}</For>
      </div>
    </>
  );
}
