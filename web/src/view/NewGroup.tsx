// SPDX-License-Identifier: AGPL-3.0-or-later
import { createSignal, Show } from "solid-js";
import { contacts } from "../model/people";
import { createRoom } from "../model/rooms";
import { openConversation } from "../model/router";
import { t } from "../model/settings";
import { Button, Field, Problem } from "../ui/controls";
import { Dialog } from "../ui/Dialog";
import { PeoplePicker } from "./Details";
import { problemOf } from "./words";

export function NewGroup(props: { readonly onClose: () => void }) {
  const [name, setName] = createSignal("");
  const [picked, setPicked] = createSignal<readonly string[]>([]);
  const [busy, setBusy] = createSignal(false);
  const [problem, setProblem] = createSignal<string>();
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    try {
      openConversation(await createRoom(name().trim(), picked()), "room");
    } catch (error) {
      setProblem(problemOf(error));
    }
    setBusy(false);
  };
  return (
    <Dialog title={t().newGroup.title} closeLabel={t().app.close} onClose={props.onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        <Field label={t().newGroup.name} value={name()} onInput={setName} required autofocus maxLength={100} />
        <div class="field">
          <span class="legend">{t().newGroup.who}</span>
          <Show when={Object.keys(contacts).length > 0} fallback={<p class="soft small">{t().newGroup.nobody}</p>}>
            <PeoplePicker people={Object.keys(contacts)} picked={picked()} onChange={setPicked} />
          </Show>
        </div>
        <Problem text={problem()} />
        <footer><Button submit busy={busy()} disabled={name().trim() === ""}>{busy() ? t().newGroup.creating : t().newGroup.create}</Button></footer>
      </form>
    </Dialog>
  );
}
