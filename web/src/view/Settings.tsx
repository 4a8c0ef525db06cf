// SPDX-License-Identifier: AGPL-3.0-or-later
import "./settings.css";
import { createSignal, For, Show } from "solid-js";
import { changeAvailability } from "../model/app";
import { changePassword, PASSWORD_MIN } from "../model/account";
import { waitingCount } from "../model/outbox";
import { blocked, unblock } from "../model/people";
import { show, statusText } from "../model/presence";
import { server } from "../model/server";
import { signOut } from "../model/session";
import { canNotify, notify, notifyDenied, setNotify, t } from "../model/settings";
import { Button, Choices, Field, PasswordField, Switch } from "../ui/controls";
import { Confirm, Dialog } from "../ui/Dialog";
import { toast } from "../ui/say";
import { attempt } from "./Conversation";
import { DeviceChoices } from "./DeviceChoices";
import { ProfileForm } from "./ProfileForm";
import { errorText } from "./words";

function Availability() {
  const [text, setText] = createSignal(statusText());
  return (
    <form class="stack" onSubmit={(event) => {
      event.preventDefault();
      changeAvailability(show(), text().trim());
      toast(t().app.saved);
    }}>
      <Choices label={t().settings.availability} value={show()} onChange={(value) => changeAvailability(value, text().trim())}
        choices={[
          { value: "online", label: t().presence.online },
          { value: "away", label: t().presence.away },
          { value: "dnd", label: t().presence.dnd },
        ]} />
      <Field label={t().settings.statusText} value={text()} onInput={setText} maxLength={200} placeholder={t().settings.statusHint} />
      <div><Button submit small look="quiet" disabled={text().trim() === statusText()}>{t().app.save}</Button></div>
    </form>
  );
}

function Notifications() {
  return (
    <>
      <Switch label={t().settings.notificationsOn} on={notify()} disabled={!canNotify() || notifyDenied()} onChange={(on) => void setNotify(on)} />
      <Show when={notifyDenied()}><p class="soft small">{t().settings.notificationsDenied}</p></Show>
      <Show when={!canNotify()}><p class="soft small">{t().settings.notificationsNone}</p></Show>
    </>
  );
}

function Password() {
  const [password, setPassword] = createSignal("");
  const [problem, setProblem] = createSignal<string>();
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    setProblem(password().length < PASSWORD_MIN ? errorText("weak-password") : undefined);
    if (password().length < PASSWORD_MIN) return;
    attempt(async () => {
      await changePassword(password());
      setPassword("");
      toast(t().settings.passwordChanged);
    });
  };
  return (
    <form class="stack" onSubmit={submit}>
      <PasswordField label={t().settings.newPassword} hint={t().door.choosePasswordHint(PASSWORD_MIN)} value={password()} onInput={setPassword}
        problem={problem()} autocomplete="new-password" showLabel={t().door.showPassword} hideLabel={t().door.hidePassword} />
      <div><Button submit small look="quiet" disabled={password() === ""}>{t().settings.changePassword}</Button></div>
    </form>
  );
}

export function Settings(props: { readonly onClose: () => void }) {
  const [asking, setAsking] = createSignal(false);
  return (
    <Dialog title={t().settings.title} closeLabel={t().app.close} onClose={props.onClose}>
      <section class="settings-part"><h3>{t().settings.profile}</h3><ProfileForm /><Availability /></section>
      <section class="settings-part"><h3>{t().settings.device}</h3><DeviceChoices labels /><Notifications /></section>
      <section class="settings-part">
        <h3>{t().settings.security}</h3>
        <Password />
        <Show when={blocked().length > 0}>
          <span class="legend">{t().settings.blocked}</span>
          <ul>
            <For each={blocked()}>
              {(jid) => <li class="row"><span class="grow cut">{jid}</span><Button small look="plain" onClick={() => attempt(() => unblock(jid))}>{t().chat.unblock}</Button></li>}
            </For>
          </ul>
        </Show>
      </section>
      <section class="settings-part">
        <Button look="danger" icon="leave" onClick={() => setAsking(true)}>{t().settings.signOut}</Button>
        <p class="soft small">{t().settings.version(server()?.version ?? "")}</p>
      </section>
      <Show when={asking()}>
        <Confirm title={t().settings.signOut} text={t().settings.signOutSure} yes={t().settings.signOut} no={t().app.cancel}
          warning={waitingCount() > 0 ? t().settings.signOutPending(waitingCount()) : undefined}
          onAnswer={(yes) => {
            setAsking(false);
            if (!yes) return;
            props.onClose();
            void signOut();
          }} />
      </Show>
    </Dialog>
  );
}
