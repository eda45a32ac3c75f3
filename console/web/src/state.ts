/** What the page knows, and how that changes; pure. */

import type { Drawing } from "./drawing";
import type { Lang } from "./i18n";
import type { Incident, IncidentDetail, Me, Names, Org, Place, Schedule, Wearer, WearerState, Zones } from "./types";

export type Look = WearerState | "stale";

export interface Draft {
  cause: string;
  note: string;
}

export interface State {
  lang: Lang;
  phase: "starting" | "signed_out" | "signed_in";
  signInProblem: "wrong" | "too_many" | "failed" | null;
  me: Me | null;
  names: Names;
  /** How far the server's clock is ahead of this computer's. */
  aheadMs: number;
  nowMs: number;
  live: boolean;
  tab: "open" | "closed";
  open: ReadonlyMap<string, Incident>;
  closed: readonly Incident[];
  /** Incidents that came in during the last seconds. */
  fresh: ReadonlySet<string>;
  wearers: readonly Wearer[];
  zones: Zones;
  places: readonly Place[];
  /** The zone that is being drawn, and what there is to choose among for it. */
  drawing: Drawing | null;
  orgs: readonly Org[];
  schedules: readonly Schedule[];
  search: string;
  selectedIncident: string | null;
  detail: IncidentDetail | null;
  selectedWearer: string | null;
  selectedZone: string | null;
  /** Asked to end it, and not yet sure. */
  zoneIsEnding: boolean;
  draft: Draft;
  busy: boolean;
  actFailed: boolean;
}

export const EMPTY_DRAFT: Draft = { cause: "", note: "" };

export const nothingYet: State = {
  lang: "zh",
  phase: "starting",
  signInProblem: null,
  me: null,
  names: { codes: {}, close_causes: {} },
  aheadMs: 0,
  nowMs: 0,
  live: false,
  tab: "open",
  open: new Map(),
  closed: [],
  fresh: new Set(),
  wearers: [],
  zones: { features: [] },
  places: [],
  drawing: null,
  orgs: [],
  schedules: [],
  search: "",
  selectedIncident: null,
  detail: null,
  selectedWearer: null,
  selectedZone: null,
  zoneIsEnding: false,
  draft: EMPTY_DRAFT,
  busy: false,
  actFailed: false,
};

/** The open incidents after one changed. */
export function withChanged(open: ReadonlyMap<string, Incident>, changed: Incident): Map<string, Incident> {
  const next = new Map(open);
  if (changed.state === "closed") next.delete(changed.incident_id);
  else next.set(changed.incident_id, changed);
  return next;
}

export function byId(incidents: readonly Incident[]): Map<string, Incident> {
  return new Map(incidents.map((incident) => [incident.incident_id, incident]));
}

/** Gravest first, then newest. */
export function queue(open: ReadonlyMap<string, Incident>): Incident[] {
  return [...open.values()].sort(
    (a, b) => b.priority - a.priority || Date.parse(b.opened_at) - Date.parse(a.opened_at),
  );
}

/** How many open incidents there are of each priority, by priority. */
export function counts(open: ReadonlyMap<string, Incident>): number[] {
  const result = [0, 0, 0, 0, 0];
  for (const { priority } of open.values()) result[priority] = (result[priority] ?? 0) + 1;
  return result;
}

/** How a wearer is drawn: an unknown or old position is grey, whatever else is well. */
export function look(wearer: Wearer, nowMs: number): Look {
  return wearer.state === "ok" && isStale(wearer.fix_at, wearer, nowMs) ? "stale" : wearer.state;
}

export function isOnline(wearer: Wearer, nowMs: number): boolean {
  return wearer.state !== "silent" && !isStale(wearer.heard_at, wearer, nowMs);
}

function isStale(at: string | null, wearer: Wearer, nowMs: number): boolean {
  return at === null || nowMs - Date.parse(at) > wearer.silence_after_s * 1000;
}

const LOOKS: readonly Look[] = ["sos", "tamper", "breach", "silent", "stale", "ok"];

/** Wearers whose name or id contains the text, those in need of a look first. */
export function found(wearers: readonly Wearer[], text: string, nowMs: number): Wearer[] {
  const wanted = text.trim().toLowerCase();
  const rank = (wearer: Wearer) => LOOKS.indexOf(look(wearer, nowMs));
  return wearers
    .filter((one) => `${one.wearer_name} ${one.wearer}`.toLowerCase().includes(wanted))
    .sort((a, b) => rank(a) - rank(b) || a.wearer.localeCompare(b.wearer));
}

export function wearerName(one: { wearer: string; wearer_name: string }): string {
  return one.wearer_name || one.wearer;
}

/** Whom an incident concerns: a wearer, or, where a whole place is concerned, nobody. */
export function concerns(incident: Incident, lang: Lang): string {
  if (incident.wearer) return wearerName(incident);
  return lang === "zh" ? incident.org_name : incident.org_name_en;
}

/** The name of a wearer whose id is known. */
export function nameOf(id: string, wearers: readonly Wearer[]): string {
  const one = wearers.find(({ wearer }) => wearer === id);
  return one ? wearerName(one) : id;
}

/** Whether only a person's note ends the incident. */
export function needsNote(incident: Incident, names: Names): boolean {
  return incident.codes.some((code) => names.codes[code]?.latching);
}

export function codeName(code: string, names: Names, lang: Lang): string {
  const name = names.codes[code]?.[lang] ?? code;
  return name.charAt(0).toUpperCase() + name.slice(1);
}

export function incidentTitle(incident: Incident, names: Names, lang: Lang): string {
  return codeName(incident.codes[0] ?? incident.cause, names, lang);
}
