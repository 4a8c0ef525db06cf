// SPDX-License-Identifier: AGPL-3.0-or-later
// The front door: the frame of every page before signing in.

import "./door.css";
import type { JSX } from "solid-js";
import goose from "../ui/goose.svg";
import { server } from "../model/server";
import { t } from "../model/settings";
import { DeviceChoices } from "./DeviceChoices";

export function Door(props: { readonly children: JSX.Element }) {
  return (
    <div class="door">
      <main>
        <header>
          <img src={goose} alt="" width="64" height="64" />
          <div>
            <p class="door-name">{server()?.name ?? "Anser"}</p>
            <p class="soft">{t().app.tagline}</p>
          </div>
        </header>
        <div class="door-card">{props.children}</div>
      </main>
      <footer><DeviceChoices /></footer>
    </div>
  );
}
