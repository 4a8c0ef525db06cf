// SPDX-License-Identifier: AGPL-3.0-or-later
import { createSignal, Show } from "solid-js";
import { register } from "../model/account";
import { server } from "../model/server";
import { endedBecause, signIn } from "../model/session";
import { t } from "../model/settings";
import { Button, Field, PasswordField, Problem } from "../ui/controls";
import { AccountForm } from "./AccountForm";
import { Door } from "./Door";
import { errorText } from "./words";

export function SignInForm(props: { readonly done?: () => void }) {
  const [name, setName] = createSignal("");
  const [password, setPassword] = createSignal("");
  const [busy, setBusy] = createSignal(false);
  const [code, setCode] = createSignal("");
  // A second factor: known only after the password, then asked for in the same form.
  const [codeAsked, setCodeAsked] = createSignal(endedBecause() === "code-needed");
  const [problem, setProblem] = createSignal(codeAsked() ? "" : endedBecause());
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setProblem("");
    const reason = await signIn(name(), password(), codeAsked() ? code() : undefined);
    setBusy(false);
    if (reason === "code-needed" || reason === "wrong-code") setCodeAsked(true);
    if (reason === "wrong-code") setCode("");
    setProblem(reason === "code-needed" ? "" : reason);
    if (reason === "") props.done?.();
  };
  return (
    <form onSubmit={(event) => void submit(event)}>
      <h1>{t().door.signInTo(server()?.domain ?? "")}</h1>
      <Field label={t().door.name} value={name()} onInput={setName} autocomplete="username" verbatim required autofocus
        hint={t().door.nameHint(server()?.domain ?? "")} />
      <PasswordField label={t().door.password} value={password()} onInput={setPassword} autocomplete="current-password" required
        showLabel={t().door.showPassword} hideLabel={t().door.hidePassword} />
      <Show when={codeAsked()}>
        <Field label={t().door.code} hint={t().door.codeHint} value={code()} onInput={setCode} autocomplete="one-time-code" verbatim
          required autofocus maxLength={64} />
      </Show>
      <Problem text={problem() === "" ? undefined : errorText(problem())} />
      <Button submit wide busy={busy()}>{busy() ? t().door.signingIn : t().door.signIn}</Button>
    </form>
  );
}

export function SignIn() {
  const [creating, setCreating] = createSignal(false);
  return (
    <Door>
      <Show when={creating()} fallback={<SignInForm />}>
        <h1>{t().door.createAccount}</h1>
        <AccountForm create={(name, password) => register(undefined, name, password)} />
      </Show>
      <div class="alternative">
        <Show when={server()?.registrationOpen} fallback={<p class="soft small">{t().door.needInvitation}</p>}>
          <p class="row">
            <span class="soft">{creating() ? "" : t().door.noAccount}</span>
            <Button look="plain" small onClick={() => setCreating(!creating())}>
              {creating() ? t().door.haveAccount : t().door.openAccount}
            </Button>
          </p>
        </Show>
      </div>
    </Door>
  );
}
