// SPDX-License-Identifier: AGPL-3.0-or-later
// A line above everything while the connection is not there. Short losses are not worth a word.

import { createEffect, createSignal, Match, onCleanup, Show, Switch } from "solid-js";
import { endedBecause, retryNow, status, takeOver } from "../model/session";
import { t } from "../model/settings";
import { Button } from "../ui/controls";

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
      <Match when={endedBecause() === "conflict"}>
        <div class="banner" role="alert">
          <span>{t().connection.elsewhere}</span>
          <Button look="quiet" small onClick={() => void takeOver()}>{t().connection.useHere}</Button>
        </div>
      </Match>
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
