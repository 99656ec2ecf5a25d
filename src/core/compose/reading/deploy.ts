import type { ComposeDeploy, ComposeUpdate } from "../model.ts";
import { isMap } from "../tree.ts";
import { Fields, type Read } from "./fields.ts";

const count = { min: 0, max: 1_000_000 };

/** `deploy`. */
export const deploy: Read<ComposeDeploy> = (value, at, notes) => {
  const fields = new Fields(value, at, notes);
  const resources = new Fields(fields.raw("resources"), [...at, "resources"], notes);
  const found: ComposeDeploy = {
    mode: fields.text("mode"),
    replicas: fields.whole("replicas", { min: 0, max: 10_000 }),
    endpointMode: fields.text("endpoint_mode"),
    labels: fields.labels("labels"),
    update: fields.read("update_config", update),
    rollback: fields.read("rollback_config", update),
    limits: resources.read("limits", limits),
    reservations: resources.read("reservations", reservations),
    restart: fields.read("restart_policy", restart),
    placement: fields.read("placement", (placement) => (isMap(placement) ? placement : null)) ?? {},
  };
  resources.end();
  fields.end();
  return found;
};

const update: Read<ComposeUpdate> = (value, at, notes) => {
  const fields = new Fields(value, at, notes);
  const found: ComposeUpdate = {
    parallelism: fields.whole("parallelism", count),
    delayMs: fields.durationMs("delay"),
    failureAction: fields.text("failure_action"),
    monitorMs: fields.durationMs("monitor"),
    maxFailureRatio: fields.decimal("max_failure_ratio"),
    order: fields.choice("order", ["start-first", "stop-first"]),
  };
  fields.end();
  return found;
};

const limits: Read<NonNullable<ComposeDeploy["limits"]>> = (value, at, notes) => {
  const fields = new Fields(value, at, notes);
  const found = {
    cpus: fields.decimal("cpus"),
    memoryBytes: fields.bytes("memory"),
    pids: fields.whole("pids"),
  };
  fields.end();
  return found;
};

const reservations: Read<NonNullable<ComposeDeploy["reservations"]>> = (value, at, notes) => {
  const fields = new Fields(value, at, notes);
  const found = {
    cpus: fields.decimal("cpus"),
    memoryBytes: fields.bytes("memory"),
    other: fields.kept("devices", "generic_resources"),
  };
  fields.end();
  return found;
};

const restart: Read<NonNullable<ComposeDeploy["restart"]>> = (value, at, notes) => {
  const fields = new Fields(value, at, notes);
  const found = {
    condition: fields.text("condition"),
    delayMs: fields.durationMs("delay"),
    attempts: fields.whole("max_attempts", count),
    windowMs: fields.durationMs("window"),
  };
  fields.end();
  return found;
};
