import { createHash, randomBytes } from "node:crypto";
import type { RouteTable } from "../../../ports/edge.ts";
import { serviceFolder } from "./paths.ts";
import type { FileStep } from "./place.ts";
import { modeOf, type Slots, slotsOf } from "./slots.ts";

export type PublishOptions = {
  /** Folders of services that wait at the gate. */
  readonly held: ReadonlySet<string>;
  /** Its services stay readable beside the table's own, for a config that still names them. */
  readonly also: RouteTable | null;
  /** Instead of `live`. */
  readonly liveAs: string | null;
};

/** Tables before the one in force stay for a moment: a request may be reading one. */
const keptTables = 3;

/**
 * Writes route tables as slot files:
 *
 * - `sets/<x>/0` … `199`, `spare-0` … `15`, `candidate-0` …, `stable-0` …, `spare-is`: where one service's requests go, written once, never changed;
 * - `tables/<y>/generation`, `table`, and for each service its mode and a link to its set;
 * - `current`: a link to one of the tables. Moving it is the switch: all services, one step.
 */
export class Publisher {
  /** Sets that this object has written, by the digest of what is in them. Those of others are not trusted to be whole. */
  readonly #sets = new Map<string, string>();
  #tables: { readonly name: string; readonly sets: readonly string[] }[] = [];

  /** What brings `table` in force. `stamp` is what Caddy will say of it. */
  steps(
    table: RouteTable | null,
    options: PublishOptions,
  ): { readonly steps: readonly FileStep[]; readonly stamp: string } {
    const steps: FileStep[] = [];
    const mark = randomBytes(4).toString("hex");
    const name = `${table?.generation ?? "none"}-${mark}`;
    const stamp = `${table?.generation ?? "none"}.${mark}`;
    const at = `tables/${name}`;
    const sets = new Set<string>();
    steps.push({ is: "folder", name: at });
    steps.push({ is: "file", name: `${at}/generation`, content: stamp });
    if (table !== null) steps.push({ is: "file", name: `${at}/table`, content: JSON.stringify(table) });
    for (const [service, routed] of Object.entries({ ...options.also?.services, ...table?.services })) {
      const folder = serviceFolder(service);
      const slots = slotsOf(routed);
      const mode = modeOf(routed, slots, options.held.has(folder));
      const set = this.#set(slots, steps);
      sets.add(set);
      steps.push({
        is: "file",
        name: `${at}/${folder}.mode`,
        content: mode === "live" ? (options.liveAs ?? mode) : mode,
      });
      steps.push({ is: "link", name: `${at}/${folder}`, to: `../../sets/${set}` });
    }
    steps.push({ is: "link", name: "current", to: at });
    this.#tables = [...this.#tables, { name, sets: [...sets] }].slice(-keptTables);
    return { steps, stamp };
  }

  /** What removes everything that no table of the last ones needs. Never before the switch. */
  tidy(): readonly FileStep[] {
    const needed = new Set(this.#tables.flatMap(({ sets }) => sets));
    for (const [digest, set] of this.#sets) if (!needed.has(set)) this.#sets.delete(digest);
    return [
      { is: "keep", folder: "tables", names: this.#tables.map(({ name }) => name) },
      { is: "keep", folder: "sets", names: [...needed] },
    ];
  }

  #set(slots: Slots, steps: FileStep[]): string {
    const digest = createHash("sha256").update(JSON.stringify(slots)).digest("hex");
    const known = this.#sets.get(digest);
    if (known !== undefined) return known;
    const set = `${digest.slice(0, 12)}-${randomBytes(4).toString("hex")}`;
    const at = `sets/${set}`;
    steps.push({ is: "folder", name: at });
    steps.push({ is: "file", name: `${at}/spare-is`, content: slots.spareIs });
    for (const [index, address] of slots.first.entries())
      steps.push({ is: "file", name: `${at}/${index}`, content: address });
    for (const [index, address] of slots.spare.entries())
      steps.push({ is: "file", name: `${at}/spare-${index}`, content: address });
    for (const [side, addresses] of Object.entries(slots.chosen ?? {}))
      for (const [index, address] of addresses.entries())
        steps.push({ is: "file", name: `${at}/${side}-${index}`, content: address });
    this.#sets.set(digest, set);
    return set;
  }
}
