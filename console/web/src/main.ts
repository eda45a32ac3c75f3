/** The console's page: what happens when; what it looks like stands in `views/` and `style.css`. */

import { render } from "lit-html";

import * as api from "./api";
import { blank, changed, featureOf, type Drawing, type Verdict } from "./drawing";
import { locale, translator, type Lang } from "./i18n";
import { listen } from "./live";
import { Schematic } from "./map";
import { byId, EMPTY_DRAFT, nothingYet, withChanged, type State } from "./state";
import "./style.css";
import type { Incident, Me, ZoneAnswer, ZoneRefusal } from "./types";
import { pageView } from "./views/page";
import type { Actions } from "./views/view";

const LANGUAGE = "shouhuan.language";
const WEARERS_EVERY_MS = 5000;
const ZONES_EVERY_MS = 30_000;
const FRESH_MS = 6000;

const root = document.querySelector<HTMLElement>("#app") as HTMLElement;
let state: State = { ...nothingYet, lang: localStorage.getItem(LANGUAGE) === "en" ? "en" : "zh" };
let schematic: Schematic | null = null;
let stopListening: (() => void) | null = null;
let isDrawn = true;

function update(change: Partial<State>): void {
  state = { ...state, ...change };
  if (!isDrawn) return;
  isDrawn = false;
  requestAnimationFrame(draw);
}

function draw(): void {
  isDrawn = true;
  const t = translator(state.lang);
  const waiting = state.open.size ? `(${state.open.size}) ` : "";
  document.documentElement.lang = locale(state.lang);
  document.title = waiting + t("app.name");
  render(pageView({ state, t, lang: state.lang, timezone: state.me?.timezone ?? "UTC", act }), root);
  drawMap();
}

function drawMap(): void {
  const container = document.querySelector<HTMLElement>("#map");
  if (container === null) {
    schematic?.remove();
    schematic = null;
  } else if (schematic === null && !container.classList.contains("unavailable")) schematic = newMap(container);
  schematic?.show(state);
}

/** Without WebGL there is no map, but still a queue. */
function newMap(container: HTMLElement): Schematic | null {
  try {
    return new Schematic(container, {
      wearer: (wearer) => act.selectWearer(wearer),
      zone: (zone) => act.selectZone(zone),
      sketched: (change) => act.changeDrawing(change),
    });
  } catch {
    container.classList.add("unavailable");
    return null;
  }
}

/** Do something with the server; whoever is no longer signed in is asked to sign in. */
async function attempt(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (!(error instanceof api.Refused)) throw error;
    if (error.status === 401) leave();
    return false;
  }
}

function leave(): void {
  stopListening?.();
  stopListening = null;
  const { lang, nowMs } = state;
  update({ ...nothingYet, lang, nowMs, phase: "signed_out" });
}

async function enter(me: Me): Promise<void> {
  const aheadMs = Date.parse(me.now) - Date.now();
  update({ me, aheadMs, nowMs: Date.now() + aheadMs, phase: "signed_in", signInProblem: null });
  const [names, places] = await Promise.all([api.names(), api.places().catch(() => [])]);
  update({ names, places });
  await Promise.all([readWearers(), readZones()]);
  stopListening = listen({
    changed: hear,
    resync: () => void attempt(readQueue),
    connected: (live) => {
      update({ live });
      if (!live) void attempt(async () => void (await api.me()));
    },
  });
}

async function readQueue(): Promise<void> {
  update({ open: byId(await api.openIncidents()) });
  await Promise.all([readWearers(), readDetail(), state.tab === "closed" ? readClosed() : null]);
}

async function readClosed(): Promise<void> {
  update({ closed: await api.closedIncidents() });
}

async function readWearers(): Promise<void> {
  update({ wearers: (await api.wearers()).wearers });
}

async function readZones(): Promise<void> {
  update({ zones: await api.zones() });
}

async function readDetail(): Promise<void> {
  const id = state.selectedIncident;
  if (id === null) return;
  const detail = await api.incident(id);
  if (state.selectedIncident === id) update({ detail, selectedWearer: detail.wearer });
}

function hear(incident: Incident): void {
  const isNew = !state.open.has(incident.incident_id) && incident.state === "open";
  update({ open: withChanged(state.open, incident) });
  if (isNew) highlight(incident.incident_id);
  void attempt(async () => {
    if (incident.incident_id === state.selectedIncident) await readDetail();
    if (state.tab === "closed") await readClosed();
    await readWearers();
  });
}

function highlight(id: string): void {
  update({ fresh: new Set([...state.fresh, id]) });
  setTimeout(() => update({ fresh: new Set([...state.fresh].filter((other) => other !== id)) }), FRESH_MS);
}

async function handle(work: (id: string) => Promise<unknown>): Promise<void> {
  const id = state.selectedIncident;
  if (id === null) return;
  update({ busy: true, actFailed: false });
  const isDone = await attempt(async () => void (await work(id)));
  update({ busy: false, actFailed: !isDone && state.phase === "signed_in" });
  await attempt(readDetail);
}

async function startDrawing(): Promise<void> {
  const [orgs, schedules] = await Promise.all([api.orgs(), api.schedules()]);
  const drawing = blank(orgs.length === 1 ? (orgs[0]?.org ?? "") : "");
  update({ orgs, schedules, drawing, actFailed: false });
  await schematic?.sketch(drawing.shape);
}

function stopDrawing(): void {
  update({ drawing: null, actFailed: false });
  void schematic?.endSketch();
}

/** Send the zone that is drawn and show what was said of it, unless it was changed meanwhile. */
async function send(onlyCheck: boolean): Promise<void> {
  const sent = state.drawing;
  if (sent === null) return;
  update({ busy: true, actFailed: false });
  const isDone = await attempt(async () => {
    const answer = await api.sendZone(featureOf(sent), onlyCheck);
    if (state.drawing !== sent) return;
    if (onlyCheck || !("zone" in answer)) update({ drawing: { ...sent, verdict: verdictOf(answer) } });
    else await stored(sent);
  });
  update({ busy: false, actFailed: !isDone && state.phase === "signed_in" });
}

async function stored(drawing: Drawing): Promise<void> {
  stopDrawing();
  update({ selectedWearer: drawing.wearers[0] ?? state.selectedWearer });
  await readZones();
}

async function endZone(): Promise<void> {
  const zone = state.selectedZone;
  if (zone === null) return;
  update({ busy: true, actFailed: false });
  const isDone = await attempt(async () => void (await api.endZone(zone)));
  update({ busy: false, zoneIsEnding: false, actFailed: !isDone && state.phase === "signed_in" });
  if (isDone) update({ selectedZone: null });
  await attempt(readZones);
}

function verdictOf(answer: ZoneAnswer | ZoneRefusal): Verdict {
  if ("zone" in answer) return { sound: true, warnings: answer.warnings, more: answer.more_warnings, drawn: answer.drawn };
  const { detail, problems = [{ path: "", zh: detail, en: detail }], repair } = answer;
  return { sound: false, problems, repair: repair?.geometry ?? null };
}

async function signIn(name: string, password: string): Promise<void> {
  update({ busy: true, signInProblem: null });
  try {
    await enter(await api.signIn(name, password));
  } catch (error) {
    if (!(error instanceof api.Refused)) throw error;
    const problems: Record<number, State["signInProblem"]> = { 401: "wrong", 422: "wrong", 429: "too_many" };
    update({ signInProblem: problems[error.status] ?? "failed" });
  } finally {
    update({ busy: false });
  }
}

const act: Actions = {
  signIn: (name, password) => void signIn(name, password),
  signOut: () => void attempt(api.signOut).then(leave),
  switchLanguage: () => {
    const lang: Lang = state.lang === "zh" ? "en" : "zh";
    localStorage.setItem(LANGUAGE, lang);
    update({ lang });
  },
  showTab: (tab) => {
    update({ tab });
    if (tab === "closed") void attempt(readClosed);
  },
  selectIncident: (id) => {
    update({ selectedZone: null, selectedIncident: id, detail: null, draft: EMPTY_DRAFT, actFailed: false });
    void attempt(readDetail);
  },
  selectWearer: (wearer) => update({ selectedWearer: wearer, selectedZone: null }),
  deselect: () => update({ selectedZone: null, zoneIsEnding: false, selectedIncident: null, detail: null, selectedWearer: null, draft: EMPTY_DRAFT }),
  search: (search) => update({ search }),
  draft: (change) => update({ draft: { ...state.draft, ...change } }),
  acknowledge: () => void handle(api.acknowledge),
  close: () => void handle((id) => api.close(id, state.draft.cause, state.draft.note)),
  fitMap: () => schematic?.fitAll(),
  selectZone: (selectedZone) => update({ selectedZone, zoneIsEnding: false, actFailed: false }),
  askToEndZone: (zoneIsEnding) => update({ zoneIsEnding }),
  endZone: () => void endZone(),
  startDrawing: () => void attempt(startDrawing),
  stopDrawing,
  drawShape: (shape) => {
    act.changeDrawing({ shape, geometry: null });
    void schematic?.sketch(shape);
  },
  changeDrawing: (change) => {
    if (state.drawing) update({ drawing: changed(state.drawing, change), actFailed: false });
  },
  takeRepair: () => {
    const verdict = state.drawing?.verdict;
    if (!verdict || verdict.sound || !verdict.repair) return;
    act.changeDrawing({ geometry: verdict.repair });
    void schematic?.sketch(null);
  },
  checkZone: () => void send(true),
  saveZone: () => void send(false),
};

document.addEventListener("keydown", ({ key }) => {
  // While somebody draws, Escape gives up the line that they are at.
  if (key === "Escape" && state.phase === "signed_in" && !state.drawing) act.deselect();
});
setInterval(() => update({ nowMs: Date.now() + state.aheadMs }), 1000);
setInterval(() => {
  if (state.phase === "signed_in" && !document.hidden) void attempt(readWearers);
}, WEARERS_EVERY_MS);

setInterval(() => {
  if (state.phase === "signed_in" && !document.hidden) void attempt(readZones);
}, ZONES_EVERY_MS);

void attempt(async () => enter(await api.me())).then((isSignedIn) => {
  if (!isSignedIn && state.phase === "starting") leave();
});
