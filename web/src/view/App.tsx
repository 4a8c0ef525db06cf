// SPDX-License-Identifier: AGPL-3.0-or-later
import { createEffect, ErrorBoundary, Match, onMount, Show, Switch } from "solid-js";
import { startApp } from "../model/app";
import { go, route } from "../model/router";
import { server, unreachable } from "../model/server";
import { restoring, signedIn } from "../model/session";
import { t } from "../model/settings";
import { Announcer } from "../ui/say";
import { Button } from "../ui/controls";
import { Door } from "./Door";
import { Home } from "./Home";
import { Invited } from "./Invited";
import { Setup } from "./Setup";
import { SignIn } from "./SignIn";

function Starting() {
  return (
    <Show when={unreachable() && !server()} fallback={<div class="starting" role="status"><span class="hidden-text">{t().app.starting}</span></div>}>
      <Door>
        <p role="alert">{t().app.unreachable}</p>
        <Button onClick={() => void startApp()}>{t().app.retry}</Button>
      </Door>
    </Show>
  );
}

function Crashed() {
  return (
    <Door>
      <p role="alert">{t().crashed}</p>
      <Button onClick={() => location.reload()}>{t().reload}</Button>
    </Door>
  );
}

export function App() {
  onMount(() => void startApp());
  // A server without an administrator has nothing else to show; the code may still be typed in.
  createEffect(() => {
    if (server()?.setupNeeded && !restoring() && !signedIn() && route().page === "home") go({ page: "setup", code: "" }, true);
  });
  return (
    <ErrorBoundary fallback={<Crashed />}>
      <Switch fallback={<SignIn />}>
        <Match when={restoring() || !server()}><Starting /></Match>
        <Match when={route().page === "setup" && !signedIn()}><Setup /></Match>
        <Match when={route().page === "invited"}><Invited /></Match>
        <Match when={signedIn()}><Home /></Match>
      </Switch>
      <Announcer />
    </ErrorBoundary>
  );
}
