/** The server, as functions. */

import type {
  Incident, IncidentDetail, Me, Names, Org, Place, Schedule, Wearer, ZoneAnswer, ZoneRefusal, Zones,
} from "./types";

/** An answer that is a refusal; `status` 0 means no answer at all. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly body: unknown = null,
  ) {
    super(`refused with ${status}`);
  }
}

async function ask<Answer>(method: "GET" | "POST", path: string, body?: object): Promise<Answer> {
  const init: RequestInit = { method, credentials: "same-origin" };
  if (method === "POST") {
    init.headers = { "content-type": "application/json" };
    init.body = JSON.stringify(body ?? {});
  }
  const response = await fetch(path, init).catch(() => null);
  if (response === null) throw new Refused(0);
  if (!response.ok) throw new Refused(response.status, await response.json().catch(() => null));
  return (response.status === 204 ? undefined : await response.json()) as Answer;
}

export const MOST_INCIDENTS = 500;

export const signIn = (name: string, password: string) => ask<Me>("POST", "/api/login", { name, password });
export const signOut = () => ask<void>("POST", "/api/logout");
export const me = () => ask<Me>("GET", "/api/me");
export const names = () => ask<Names>("GET", "/api/codes");
export const wearers = () => ask<{ now: string; wearers: Wearer[] }>("GET", "/api/wearers");
export const zones = () => ask<Zones>("GET", "/api/zones");
export const places = () => ask<Place[]>("GET", "/places.json");
export const openIncidents = () => ask<Incident[]>("GET", `/api/incidents?state=open&limit=${MOST_INCIDENTS}`);
export const closedIncidents = () => ask<Incident[]>("GET", "/api/incidents?state=closed&limit=100");
export const incident = (id: string) => ask<IncidentDetail>("GET", `/api/incidents/${id}`);
export const acknowledge = (id: string) => ask<Incident>("POST", `/api/incidents/${id}/acknowledge`);
export const close = (id: string, cause: string, note: string) =>
  ask<Incident>("POST", `/api/incidents/${id}/close`, { cause, note });
export const orgs = () => ask<Org[]>("GET", "/api/orgs");
export const schedules = () => ask<Schedule[]>("GET", "/api/schedules");

export const endZone = (zone: string) => ask<ZoneAnswer>("POST", `/api/zones/${zone}/end`);

/** Store a zone, or only hear what would come of it; what is wrong with it is an answer, too. */
export async function sendZone(zone: GeoJSON.Feature, onlyCheck: boolean): Promise<ZoneAnswer | ZoneRefusal> {
  try {
    return await ask<ZoneAnswer>("POST", `/api/zones?repair=true&check=${onlyCheck}`, zone);
  } catch (error) {
    if (error instanceof Refused && error.status === 422) return error.body as ZoneRefusal;
    throw error;
  }
}
