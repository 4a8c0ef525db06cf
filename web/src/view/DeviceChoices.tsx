// SPDX-License-Identifier: AGPL-3.0-or-later
// Language and light or dark, wherever they are offered.

import { language, setLanguage, setTheme, t, theme } from "../model/settings";
import { Choices } from "../ui/controls";

export function DeviceChoices(props: { readonly labels?: boolean }) {
  return (
    <div class="device stack">
      <Choices
        label={t().app.language} hideLabel={!props.labels} value={language()} onChange={(value) => void setLanguage(value)}
        choices={[{ value: "en", label: "English" }, { value: "zh-CN", label: "简体中文" }]}
      />
      <Choices
        label={t().app.theme} hideLabel={!props.labels} value={theme()} onChange={setTheme}
        choices={[
          { value: "system", label: t().app.themeSystem },
          { value: "light", label: t().app.themeLight },
          { value: "dark", label: t().app.themeDark },
        ]}
      />
    </div>
  );
}
