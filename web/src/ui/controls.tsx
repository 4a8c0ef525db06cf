// SPDX-License-Identifier: AGPL-3.0-or-later
// Buttons, fields, choices: native elements with our look and their labels.

import "./controls.css";
import { createSignal, createUniqueId, For, Show } from "solid-js";
import type { JSX } from "solid-js";
import { Icon } from "./Icon";
import type { IconName } from "./Icon";

type ButtonLook = "primary" | "quiet" | "plain" | "danger";

interface ButtonProps {
  readonly look?: ButtonLook;
  readonly small?: boolean;
  readonly wide?: boolean;
  readonly submit?: boolean;
  readonly disabled?: boolean;
  readonly busy?: boolean;
  readonly icon?: IconName;
  readonly onClick?: () => void;
  readonly children: JSX.Element;
}

export function Button(props: ButtonProps) {
  return (
    <button
      type={props.submit ? "submit" : "button"}
      class="button"
      classList={{ [props.look ?? "primary"]: true, small: props.small === true, wide: props.wide === true }}
      disabled={props.disabled === true || props.busy === true}
      aria-busy={props.busy === true}
      onClick={() => props.onClick?.()}
    >
      <Show when={props.busy}><span class="spinner" aria-hidden="true" /></Show>
      <Show when={props.icon}>{(icon) => <Icon name={icon()} size={20} />}</Show>
      {props.children}
    </button>
  );
}

interface IconButtonProps {
  readonly icon: IconName;
  readonly label: string;
  readonly filled?: boolean;
  readonly submit?: boolean;
  readonly disabled?: boolean;
  readonly pressed?: boolean;
  readonly onClick?: (event: MouseEvent) => void;
}

export function IconButton(props: IconButtonProps) {
  return (
    <button
      type={props.submit ? "submit" : "button"}
      class="icon-button"
      classList={{ filled: props.filled === true }}
      aria-label={props.label}
      aria-pressed={props.pressed}
      title={props.label}
      disabled={props.disabled === true}
      onClick={(event) => props.onClick?.(event)}
    >
      <Icon name={props.icon} />
    </button>
  );
}

interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly onInput: (value: string) => void;
  readonly hint?: string;
  readonly problem?: string;
  readonly autocomplete?: string;
  readonly autofocus?: boolean;
  readonly required?: boolean;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly placeholder?: string;
  /** Names are not words: no capital letters, no corrections. */
  readonly verbatim?: boolean;
  readonly readOnly?: boolean;
}

export function Field(props: FieldProps & { readonly type?: string; readonly inside?: JSX.Element }) {
  const id = createUniqueId();
  const about = (): string | undefined => (props.problem ? `${id}-problem` : props.hint ? `${id}-hint` : undefined);
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <div classList={{ "with-button": props.inside !== undefined }}>
        <input
          id={id} class="input" type={props.type ?? "text"} value={props.value} required={props.required === true}
          autocomplete={props.autocomplete ?? "off"} minLength={props.minLength} maxLength={props.maxLength ?? 1000}
          placeholder={props.placeholder} readOnly={props.readOnly === true} aria-invalid={props.problem ? "true" : undefined}
          aria-describedby={about()} autocapitalize={props.verbatim ? "none" : undefined} spellcheck={!props.verbatim}
          autocorrect={props.verbatim ? "off" : undefined} autofocus={props.autofocus === true}
          onInput={(event) => props.onInput(event.currentTarget.value)}
        />
        {props.inside}
      </div>
      <Show when={props.problem} fallback={<Show when={props.hint}><p id={`${id}-hint`} class="soft small">{props.hint}</p></Show>}>
        <p id={`${id}-problem`} class="problem" role="alert"><Icon name="alert" size={20} />{props.problem}</p>
      </Show>
    </div>
  );
}

export function PasswordField(props: FieldProps & { readonly showLabel: string; readonly hideLabel: string }) {
  const [shown, setShown] = createSignal(false);
  const toggle = (
    <IconButton icon="eye" label={shown() ? props.hideLabel : props.showLabel} pressed={shown()} onClick={() => setShown(!shown())} />
  );
  return <Field {...props} verbatim type={shown() ? "text" : "password"} inside={toggle} />;
}

export function Problem(props: { readonly text: string | undefined }) {
  return (
    <Show when={props.text}>
      <p class="problem" role="alert"><Icon name="alert" size={20} />{props.text}</p>
    </Show>
  );
}

export interface Choice<T extends string> {
  readonly value: T;
  readonly label: string;
}

interface ChoicesProps<T extends string> {
  readonly label: string;
  readonly value: T;
  readonly choices: readonly Choice<T>[];
  readonly onChange: (value: T) => void;
  readonly hideLabel?: boolean;
}

/** A few choices of which one is taken. */
export function Choices<T extends string>(props: ChoicesProps<T>) {
  const name = createUniqueId();
  return (
    <div class="field">
      <span class="legend" id={name} classList={{ "hidden-text": props.hideLabel === true }}>{props.label}</span>
      <div>
        <div class="segments" role="radiogroup" aria-labelledby={name}>
          <For each={props.choices}>
            {(choice) => (
              <label>
                <input type="radio" name={name} checked={choice.value === props.value} onChange={() => props.onChange(choice.value)} />
                {choice.label}
              </label>
            )}
          </For>
        </div>
      </div>
    </div>
  );
}

export function Switch(props: { readonly label: string; readonly on: boolean; readonly disabled?: boolean; readonly onChange: (on: boolean) => void }) {
  return (
    <label class="switch">
      <span>{props.label}</span>
      <input type="checkbox" role="switch" checked={props.on} disabled={props.disabled === true}
        onChange={(event) => props.onChange(event.currentTarget.checked)} />
    </label>
  );
}
