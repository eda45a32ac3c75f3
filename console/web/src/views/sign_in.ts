import { html, nothing, type TemplateResult } from "lit-html";

import type { View } from "./view";

export function signInView({ state, t, act }: View): TemplateResult {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const given = new FormData(event.target as HTMLFormElement);
    act.signIn(String(given.get("name")), String(given.get("password")));
  };
  return html`
    <main class="sign-in">
      <form @submit=${submit}>
        <img src="/icon.svg" alt="" width="44" height="44" />
        <h1>${t("app.name")}</h1>
        <p class="muted">${t("app.subtitle")}</p>
        <label>
          <span>${t("sign_in.name")}</span>
          <input name="name" autocomplete="username" required maxlength="64" autofocus />
        </label>
        <label>
          <span>${t("sign_in.password")}</span>
          <input name="password" type="password" autocomplete="current-password" required maxlength="256" />
        </label>
        <p class="problem" role="alert">${state.signInProblem ? t(`sign_in.${state.signInProblem}`) : nothing}</p>
        <button class="primary" ?disabled=${state.busy}>${t("sign_in.submit")}</button>
        <p class="notice">${t("sign_in.notice")}</p>
        <button type="button" class="quiet" title=${t("switch_language.hint")} @click=${() => act.switchLanguage()}>
          ${t("switch_language")}
        </button>
      </form>
    </main>
  `;
}
