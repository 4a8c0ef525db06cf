// SPDX-License-Identifier: AGPL-3.0-or-later
import "./ui/base.css";
import { render } from "solid-js/web";
import { App } from "./view/App";

const root = document.getElementById("app");
if (root) render(() => <App />, root);
