// SPDX-License-Identifier: AGPL-3.0-or-later
// Our own name and picture.

import { createSignal, Show } from "solid-js";
import { personName, profile, saveName, savePicture, squarePicture } from "../model/profiles";
import { me } from "../model/session";
import { t } from "../model/settings";
import { Avatar } from "../ui/Avatar";
import { Button, Field } from "../ui/controls";
import { toast } from "../ui/say";
import { attempt } from "./Conversation";

export function ProfileForm() {
  let picker: HTMLInputElement | undefined;
  const [name, setName] = createSignal(profile(me())?.name ?? "");
  const [busy, setBusy] = createSignal(false);
  const saved = (): string => profile(me())?.name ?? "";
  const run = (work: () => Promise<void>): void => {
    setBusy(true);
    attempt(() => work().then(() => toast(t().app.saved)).finally(() => setBusy(false)));
  };
  const choose = (file: File | undefined): void => {
    if (!file) return;
    run(async () => {
      const photo = await squarePicture(file).catch(() => undefined);
      if (!photo) {
        toast(t().settings.notPicture);
        return;
      }
      await savePicture(photo);
    });
  };
  return (
    <>
      <div class="row profile-picture">
        <Avatar name={personName(me())} seed={me()} picture={profile(me())?.picture} size="large" />
        <div class="stack grow">
          <p class="wrap">{me()}</p>
          <div class="row">
            <Button small look="quiet" busy={busy()} onClick={() => picker?.click()}>{t().settings.choosePicture}</Button>
            <Show when={profile(me())?.picture}>
              <Button small look="plain" onClick={() => run(() => savePicture(undefined))}>{t().settings.removePicture}</Button>
            </Show>
          </div>
        </div>
        <input ref={picker} type="file" accept="image/*" hidden aria-label={t().settings.picture} onChange={(event) => {
          choose(event.currentTarget.files?.[0]);
          event.currentTarget.value = "";
        }} />
      </div>
      <form class="stack" onSubmit={(event) => {
        event.preventDefault();
        run(() => saveName(name().trim()));
      }}>
        <Field label={t().settings.yourName} hint={t().settings.yourNameHint} value={name()} onInput={setName} maxLength={100} autocomplete="name" />
        <div><Button submit small look="quiet" disabled={busy() || name().trim() === saved()}>{t().app.save}</Button></div>
      </form>
    </>
  );
}
