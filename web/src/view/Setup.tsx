// SPDX-License-Identifier: AGPL-3.0-or-later
// First run: the link that the server printed brings a person here to become its administrator.

import { createSignal, Show } from "solid-js";
import { setUp } from "../model/account";
import { go, route } from "../model/router";
import { server } from "../model/server";
import { t } from "../model/settings";
import { Button, Field } from "../ui/controls";
import { AccountForm } from "./AccountForm";
import { Door } from "./Door";

export function Setup() {
  const linked = (): string => {
    const at = route();
    return at.page === "setup" ? at.code : "";
  };
  const [typed, setTyped] = createSignal("");
  const enter = (): void => go({ page: "home" }, true);
  return (
    <Door>
      <Show
        when={server()?.setupNeeded}
        fallback={
          <>
            <h1>{t().door.setupDone}</h1>
            <p class="soft">{t().door.setupDoneText}</p>
            <Button wide onClick={enter}>{t().door.signIn}</Button>
          </>
        }
      >
        <div class="stack">
          <h1>{t().door.setupTitle}</h1>
          <p class="soft">{t().door.setupText}</p>
        </div>
        <AccountForm
          create={(name, password) => setUp(linked() || typed().trim(), name, password)} done={enter}
          before={
            <Show when={linked() === ""}>
              <Field label={t().door.setupCode} hint={t().door.setupCodeHint} value={typed()} onInput={setTyped} required verbatim />
            </Show>
          }
        />
      </Show>
    </Door>
  );
}
