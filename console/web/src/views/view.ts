/** What every view is given. */

import type { Drawing, Shape } from "../drawing";
import type { Reader } from "../format";
import type { Draft, State } from "../state";

export interface Actions {
  signIn(name: string, password: string): void;
  signOut(): void;
  switchLanguage(): void;
  showTab(tab: State["tab"]): void;
  selectIncident(id: string): void;
  selectWearer(wearer: string): void;
  deselect(): void;
  search(text: string): void;
  draft(change: Partial<Draft>): void;
  acknowledge(): void;
  close(): void;
  fitMap(): void;
  selectZone(zone: string): void;
  askToEndZone(isEnding: boolean): void;
  endZone(): void;
  startDrawing(): void;
  stopDrawing(): void;
  drawShape(shape: Shape): void;
  changeDrawing(change: Partial<Drawing>): void;
  takeRepair(): void;
  checkZone(): void;
  saveZone(): void;
}

export interface View extends Reader {
  state: State;
  act: Actions;
}

/** How long ago, by the server's clock. */
export function ageS(at: string, state: State): number {
  return (state.nowMs - Date.parse(at)) / 1000;
}
