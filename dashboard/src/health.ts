import type { EnvironmentView, ServiceTraffic } from "../../src/api/contract.ts";
import type { Word } from "./words.ts";

/** How an environment does now, and what is wrong with it. What is not seen is not called well. */
export type Health = Word & { readonly why: readonly string[] };

export function healthOf(environment: EnvironmentView): Health {
  const { live, services, accessories, away, certificates, firing } = environment;
  const down = [
    ...services.flatMap((service) => (isServing(service) ? [] : [`nothing of ${service.service} runs`])),
    ...services.flatMap((service) =>
      isServing(service) && isSick(service) ? [`no instance of ${service.service} is healthy`] : [],
    ),
    ...accessories.flatMap(({ name, state }) => (state === "running" ? [] : [`${name} is ${state}`])),
  ];
  const worse = [
    ...services.flatMap(shortOf),
    ...firing.map(({ rule, says }) => `rule ${rule}: ${says}`),
    ...away.map(({ says }) => says),
    ...certificates.map(({ says }) => `certificate of ${says}`),
  ];
  if (live === null && services.length === 0) return { word: "nothing live", tone: "quiet", why: [] };
  if (down.length > 0) return { word: "not healthy", tone: "bad", why: [...down, ...worse] };
  if (worse.length > 0) return { word: "needs a look", tone: "warn", why: worse };
  return { word: "healthy", tone: "good", why: [] };
}

/** The revisions that are meant to serve: a warm one is kept stopped for the way back. */
const serving = ({ revisions }: ServiceTraffic): ServiceTraffic["revisions"] =>
  revisions.filter(({ role }) => role !== "warm");

const runs = ({ state, lastSeen }: ServiceTraffic["revisions"][number]["instances"][number]): boolean =>
  state === "running" && lastSeen === null;

function isServing(service: ServiceTraffic): boolean {
  const revisions = serving(service);
  return revisions.length === 0 || revisions.some(({ instances }) => instances.some(runs));
}

/** All that runs of what serves is known to fail its health check. */
function isSick(service: ServiceTraffic): boolean {
  const all = serving(service).flatMap(({ instances }) => instances.filter(runs));
  return all.length > 0 && all.every(({ healthy }) => healthy === false);
}

function shortOf(service: ServiceTraffic): string[] {
  return serving(service).flatMap(({ instances, number }) => {
    const well = instances.filter(runs).length;
    // One that stops on purpose is not missed.
    const wanted = instances.filter(({ state }) => state !== "stopping" && state !== "stopped").length;
    const sick = instances.filter((each) => runs(each) && each.healthy === false).length;
    const name = `instances of ${service.service} r${number}`;
    return [
      ...(well < wanted && well > 0 ? [`${well} of ${wanted} ${name} run`] : []),
      ...(sick > 0 && sick < well ? [`${sick} of ${well} ${name} are unhealthy`] : []),
    ];
  });
}
