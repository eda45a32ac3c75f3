/** What the API answers. Times are RFC 3339, positions WGS-84 degrees. */

export type IncidentState = "open" | "acknowledged" | "closed";
export type WearerState = "sos" | "tamper" | "breach" | "silent" | "ok";

export interface Me {
  name: string;
  org_name: string;
  org_name_en: string;
  timezone: string;
  changes_rules: boolean;
  now: string;
}

export interface Named {
  zh: string;
  en: string;
}

export interface Names {
  codes: Record<string, Named & { priority: number; latching: boolean }>;
  close_causes: Record<string, Named & { by_person: boolean }>;
}

export interface Incident {
  incident_id: string;
  state: IncidentState;
  cause: string;
  /** 0 welfare, 1 low, 2 medium, 3 high, 4 highest. */
  priority: number;
  historic: boolean;
  opened_at: string;
  updated_at: string;
  acknowledged_by: string | null;
  acknowledged_at: string | null;
  closed_by: string | null;
  closed_at: string | null;
  close_cause: string | null;
  close_note: string | null;
  wearer: string;
  wearer_name: string;
  grade: string;
  minor: boolean;
  org: string;
  org_name: string;
  org_name_en: string;
  timezone: string;
  codes: string[];
  alerts: number;
  open_alerts: number;
}

export type Evidence = Record<string, unknown>;

export interface Alert {
  alert_id: string;
  code: string;
  priority: number;
  device: string;
  state: "open" | "cleared" | "retracted";
  onset_at: string;
  opened_at: string;
  cleared_at: string | null;
  rule_version: number;
  historic: boolean;
  /** Why it rang, in one sentence. */
  reason: Named;
  evidence: Evidence;
}

export interface TrackPoint {
  event_time: string;
  lat: number;
  lon: number;
  accuracy_m: number | null;
}

export interface Act {
  at: string;
  operator: string;
  action: string;
}

export interface IncidentDetail extends Incident {
  evidence: Alert[];
  track: TrackPoint[];
  acts: Act[];
}

export interface Wearer {
  wearer: string;
  wearer_name: string;
  grade: string;
  minor: boolean;
  org: string;
  order_until: string | null;
  lat: number | null;
  lon: number | null;
  accuracy_m: number | null;
  fix_at: string | null;
  heard_at: string | null;
  silence_after_s: number;
  battery_pct: number | null;
  charging: boolean;
  codes: string[];
  state: WearerState;
}

export type ZoneKind = "keep_in" | "keep_out" | "curfew" | "interest";

export interface ZoneProperties {
  zone: string;
  org: string;
  name: string;
  kind: ZoneKind;
  datum: string;
  radius_m: number | null;
  width_m: number | null;
  approach_m: number | null;
  dwell_s: number | null;
  schedule: string | null;
  /** The line at which nearing begins; none for circles, whose ring is as far from their line. */
  ring: GeoJSON.Polygon | GeoJSON.MultiPolygon | null;
  wearers: string[] | null;
}

export type Zone = GeoJSON.Feature<GeoJSON.Point | GeoJSON.Polygon | GeoJSON.MultiPolygon, ZoneProperties>;

export interface Zones {
  features: Zone[];
}

/** A sentence about one place in what was sent. */
export interface Said extends Named {
  path: string;
}

/** A zone was stored, or could be. */
export interface ZoneAnswer {
  zone: GeoJSON.Feature;
  drawn: Zone;
  warnings: Said[];
  /** How many more there are. */
  more_warnings: number;
}

/** Why a zone was not stored. */
export interface ZoneRefusal {
  detail: string;
  problems?: Said[];
  repair?: { geometry: GeoJSON.Polygon | GeoJSON.MultiPolygon | null };
}

export interface Org {
  org: string;
  name: string;
  name_en: string;
}

export interface Schedule {
  schedule: string;
  windows: { days: string[]; start: string; end: string }[];
}

export interface Place extends Named {
  lat: number;
  lon: number;
}
