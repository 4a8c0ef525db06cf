// SPDX-License-Identifier: AGPL-3.0-or-later
// A button with a menu under it, on the browser's popover: light dismiss and top layer for free.

import { createUniqueId, For } from "solid-js";
import { Icon } from "./Icon";
import type { IconName } from "./Icon";

export interface MenuItem {
  readonly icon: IconName;
  readonly label: string;
  readonly onPick: () => void;
}

export function Menu(props: { readonly label: string; readonly icon: IconName; readonly items: readonly MenuItem[] }) {
  const id = createUniqueId();
  let button: HTMLButtonElement | undefined;
  let menu: HTMLDivElement | undefined;
  const items = (): HTMLButtonElement[] => [...(menu?.querySelectorAll("button") ?? [])];
  const place = (): void => {
    const box = button?.getBoundingClientRect();
    if (!box || !menu) return;
    menu.style.top = `${box.bottom + 6}px`;
    menu.style.right = `${Math.max(8, window.innerWidth - box.right)}px`;
  };
  const move = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const all = items();
    const at = all.findIndex((item) => item === document.activeElement);
    all[(at + step + all.length) % all.length]?.focus();
  };
  return (
    <>
      <button ref={button} type="button" class="icon-button" popovertarget={id} aria-haspopup="menu" aria-label={props.label} title={props.label}>
        <Icon name={props.icon} />
      </button>
      <div
        ref={menu} id={id} popover="auto" class="menu" role="menu" onKeyDown={move}
        on:beforetoggle={place}
        on:toggle={(event: Event) => "newState" in event && event.newState === "open" && items()[0]?.focus()}
      >
        <For each={props.items}>
          {(item) => (
            <button type="button" role="menuitem" onClick={() => {
              menu?.hidePopover();
              item.onPick();
            }}>
              <Icon name={item.icon} size={20} />{item.label}
            </button>
          )}
        </For>
      </div>
    </>
  );
}
