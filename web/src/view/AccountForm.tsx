// SPDX-License-Identifier: AGPL-3.0-or-later
// Name and password of a new account, for the administrator, the invited and the curious alike.

import { createSignal } from "solid-js";
import type { JSX } from "solid-js";
import { PASSWORD_MIN } from "../model/account";
import { t } from "../model/settings";
import { Button, Field, PasswordField, Problem } from "../ui/controls";
import { errorText } from "./words";

interface AccountFormProps {
  /** Resolves to "" or an error word. */
  readonly create: (name: string, password: string) => Promise<string>;
  readonly done?: () => void;
  readonly before?: JSX.Element;
}

const NAME_PROBLEMS = ["bad-name", "exists", "conflict"];

export function AccountForm(props: AccountFormProps) {
  const [name, setName] = createSignal("");
  const [password, setPassword] = createSignal("");
  const [busy, setBusy] = createSignal(false);
  const [problem, setProblem] = createSignal("");
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    setProblem("");
    if (password().length < PASSWORD_MIN) {
      setProblem("weak-password");
      return;
    }
    setBusy(true);
    const reason = await props.create(name().trim().toLowerCase(), password()).catch(() => "network");
    setBusy(false);
    setProblem(reason);
    if (reason === "") props.done?.();
  };
  const at = (codes: readonly string[]): string | undefined => (codes.includes(problem()) ? errorText(problem()) : undefined);
  const elsewhere = (): string | undefined =>
    problem() !== "" && ![...NAME_PROBLEMS, "weak-password"].includes(problem()) ? errorText(problem()) : undefined;
  return (
    <form onSubmit={(event) => void submit(event)}>
      {props.before}
      <Field label={t().door.chooseName} hint={t().door.chooseNameHint} value={name()} onInput={setName} problem={at(NAME_PROBLEMS)}
        autocomplete="username" verbatim required autofocus maxLength={64} />
      <PasswordField label={t().door.choosePassword} hint={t().door.choosePasswordHint(PASSWORD_MIN)} value={password()} required
        onInput={setPassword} problem={at(["weak-password"])} autocomplete="new-password"
        showLabel={t().door.showPassword} hideLabel={t().door.hidePassword} />
      <Problem text={elsewhere()} />
      <Button submit wide busy={busy()}>{busy() ? t().door.creating : t().door.createAccount}</Button>
    </form>
  );
}
