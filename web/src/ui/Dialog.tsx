// SPDX-License-Identifier: AGPL-3.0-or-later
// A modal dialog on the browser's own <dialog>: it keeps the focus, gives it back, and closes with Escape.

import { createUniqueId, onCleanup, onMount, Show } from "solid-js";
import type { JSX } from "solid-js";
import { Button, IconButton } from "./controls";

interface DialogProps {
  readonly title: string;
  readonly closeLabel: string;
  readonly onClose: () => void;
  readonly children: JSX.Element;
}

export function Dialog(props: DialogProps) {
  const id = createUniqueId();
  let element: HTMLDialogElement | undefined;
  onMount(() => element?.showModal());
  onCleanup(() => element?.close());
  return (
    <dialog
      ref={element} class="sheet" aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        props.onClose();
      }}
      onPointerDown={(event) => event.target === element && props.onClose()}
    >
      <div class="dialog">
        <header>
          <h2 id={id}>{props.title}</h2>
          <IconButton icon="close" label={props.closeLabel} onClick={() => props.onClose()} />
        </header>
        <div class="dialog-body">{props.children}</div>
      </div>
    </dialog>
  );
}

interface ConfirmProps {
  readonly title: string;
  readonly text: string;
  readonly yes: string;
  readonly no: string;
  readonly warning?: string;
  readonly onAnswer: (yes: boolean) => void;
}

export function Confirm(props: ConfirmProps) {
  return (
    <Dialog title={props.title} closeLabel={props.no} onClose={() => props.onAnswer(false)}>
      <p>{props.text}</p>
      <Show when={props.warning}><p class="problem">{props.warning}</p></Show>
      <footer>
        <Button look="quiet" onClick={() => props.onAnswer(false)}>{props.no}</Button>
        <Button look="danger" onClick={() => props.onAnswer(true)}>{props.yes}</Button>
      </footer>
    </Dialog>
  );
}
