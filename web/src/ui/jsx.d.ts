// SPDX-License-Identifier: AGPL-3.0-or-later
import "solid-js";

declare module "solid-js" {
  namespace JSX {
    interface CustomEvents {
      beforetoggle: Event;
      toggle: Event;
    }
    interface InputHTMLAttributes<T> {
      autocorrect?: string | undefined;
    }
  }
}
