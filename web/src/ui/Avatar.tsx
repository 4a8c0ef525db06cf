// SPDX-License-Identifier: AGPL-3.0-or-later
// A person's or group's picture, or the first letter of the name on a colour of its own.

import { Show } from "solid-js";

interface AvatarProps {
  readonly name: string;
  /** What the colour is made from: the address, so that renaming does not change it. */
  readonly seed: string;
  readonly picture?: string;
  readonly group?: boolean;
  readonly size?: "large" | "tiny";
  /** A presence to show as a dot; none for offline. */
  readonly dot?: string;
}

/** A hue of 0..359 that is always the same for the same text. */
export function hueOf(text: string): number {
  let hash = 2166136261;
  for (const char of text) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 16777619) >>> 0;
  return hash % 360;
}

function initial(name: string): string {
  const [first = "?"] = new Intl.Segmenter().segment(name.trim() || "?");
  return typeof first === "string" ? first : first.segment.toLocaleUpperCase();
}

export function Avatar(props: AvatarProps) {
  return (
    <span
      class="avatar" aria-hidden="true"
      classList={{ group: props.group === true, large: props.size === "large", tiny: props.size === "tiny" }}
      style={{ "--hue": `oklch(0.52 0.11 ${hueOf(props.seed)})` }}
    >
      <Show when={props.picture} fallback={initial(props.name)}>
        <img src={props.picture} alt="" draggable={false} />
      </Show>
      <Show when={props.dot !== undefined && props.dot !== "offline"}>
        <span class="dot" classList={{ [props.dot ?? ""]: true }} />
      </Show>
    </span>
  );
}
