// SPDX-License-Identifier: AGPL-3.0-or-later
// A line above everything while the connection is not there. Short losses are not worth a word.

import { createEffect, createSignal, Match, onCleanup, onMount, Show, Switch } from "solid-js";
import { endedBecause, retryNow, status, takeOver } from "../model/session";
import { t } from "../model/settings";
import { Button } from "../ui/controls";

/** One window at a time has the session; this one has lost it and shows only the way to get it back. */
function Elsewhere() {
  let element: HTMLDialogElement | undefined;
  onMount(() => element?.showModal());
  return (
    <dialog ref={element} class="sheet" aria-labelledby="elsewhere" onCancel={(event) => event.preventDefault()}>
      <div class="dialog">
        <header><h2 id="elsewhere">{t().connection.elsewhere}</h2></header>
        <div class="dialog-body">
          <p class="soft">{t().connection.elsewhereText}</p>
          <footer><Button onClick={() => void takeOver()}>{t().connection.useHere}</Button></footer>
        </div>
      </div>
    </dialog>
  );
}

const GRACE_MS = 1500;

export function Connection() {
  const [late, setLate] = createSignal(false);
  const [seconds, setSeconds] = createSignal(0);
  let grace: ReturnType<typeof setTimeout> | undefined;
  createEffect(() => {
    if (status().at === "online") {
      clearTimeout(grace);
      grace = undefined;
      setLate(false);
    } else {
      grace ??= setTimeout(() => setLate(true), GRACE_MS);
    }
  });
  const tick = setInterval(() => {
    const state = status();
    if (state.at === "waiting") setSeconds(Math.max(0, Math.ceil((state.untilMs - Date.now()) / 1000)));
  }, 500);
  onCleanup(() => {
    clearInterval(tick);
    clearTimeout(grace);
  });
  return (
    <Switch>
      <Match when={endedBecause() === "conflict"}><Elsewhere /></Match>
      <Match when={late() && status().at !== "online"}>
        <div class="banner" role="status">
          <Show when={navigator.onLine} fallback={<span>{t().connection.offline}</span>}>
            <span>{status().at === "waiting" ? t().connection.retryIn(seconds()) : t().connection.connecting}</span>
          </Show>
          <Show when={status().at === "waiting"}>
            <Button look="quiet" small onClick={retryNow}>{t().connection.retryNow}</Button>
          </Show>
        </div>
      </Match>
    </Switch>
  );
}
