import type { EpochMs } from "../core/ids.ts";
import type { StepPhase } from "../core/pipeline/decide.ts";
import type { DeploymentDetail, RunDetail, ServiceTraffic, StepView } from "./contract.ts";
import { html, page } from "./page.ts";

/** While it goes on, who looks at it sees more after so long. */
const againS = 5;

type Mood = "good" | "bad" | "busy" | "warn" | "quiet";

const moods: Readonly<Record<StepPhase, readonly [string, Mood]>> = {
  waiting: ["○", "quiet"],
  running: ["●", "busy"],
  passed: ["✔", "good"],
  restored: ["≡", "good"],
  failed: ["✖", "bad"],
  skipped: ["–", "quiet"],
  cancelled: ["–", "warn"],
};

/**
 * How a run stands, for whoever has the address: what a forge is told of it anyway, and its steps. No line of a log: it may say more than
 * those who see the commit should know.
 */
export function runPage(run: RunDetail, now: EpochMs): string {
  const isOver = run.endedAt !== null;
  const mood: Mood = !isOver ? "busy" : run.phase === "succeeded" ? "good" : "bad";
  const rows = run.steps.map((step) => stepRow(step, now));
  const facts = `<code>${html(run.commit.slice(0, 12))}</code>, by ${html(run.createdBy)}, ${lasting(run, now)}`;
  const body = [
    head(`${run.product}: run`, run.phase, mood),
    `<p>${html(run.reason)}<br><span class="quiet">${facts} · ${html(run.id)}</span></p>`,
    ...(rows.length === 0 ? [] : ["<h2>Steps</h2>", `<table>${rows.join("\n")}</table>`]),
    ...(run.release === null ? [] : [`<p>It made <code>${html(run.release)}</code>.</p>`]),
  ];
  return page(`${run.product}: run ${run.phase}`, body.join("\n"), isOver ? {} : { againS });
}

function stepRow(step: StepView, now: EpochMs): string {
  const [mark, mood] = step.phase === "failed" && step.allowFailure ? (["⚠", "warn"] as const) : moods[step.phase];
  const name = step.service === null ? step.id : `${step.service}/${step.id}`;
  const time = step.startedAt === null ? "" : timeOf((step.endedAt ?? now) - step.startedAt);
  const tests = step.reports?.tests ?? null;
  const failed = tests !== null && tests.failed > 0 ? `, ${tests.failed} failed` : "";
  const words = [step.phase, step.reason, tests === null ? "" : `${tests.tests} tests${failed}`];
  const says = html(words.filter((word) => word !== "").join(": "));
  return `<tr><th><span class="${mood}">${mark}</span> ${html(name)}</th><td class="${mood}">${says}</td><td class="n quiet">${time}</td></tr>`;
}

/** The same of a deployment: the way it has come, and who has the traffic. */
export function deploymentPage(deployment: DeploymentDetail, now: EpochMs): string {
  const { product, environment, release, phase, ended, reason, kind, history, services } = deployment;
  const mood: Mood = !ended ? "busy" : phase === "succeeded" ? "good" : phase === "cancelled" ? "warn" : "bad";
  const steps = history.map(({ at, event, reason: why }, index) => {
    const next = history[index + 1]?.at ?? (ended ? null : now);
    const time = next === null ? "" : timeOf(next - at);
    const word = event.replace(/^deployment\./, "");
    return `<tr><th>${html(word)}</th><td>${html(why)}</td><td class="n quiet">${time}</td></tr>`;
  });
  const facts = `${html(kind)} of r${release.number} <code>${html(release.version)}</code>, by ${html(deployment.createdBy)}, ${lasting(deployment, now)}`;
  const body = [
    head(`${product}: ${environment}`, phase, mood),
    `<p>${html(release.subject)}<br>${html(reason)}<br><span class="quiet">${facts} · ${html(deployment.id)}</span></p>`,
    ...trafficOf(services),
    "<h2>What happened</h2>",
    `<table>${steps.join("\n")}</table>`,
  ];
  return page(`${product}: ${environment} ${phase}`, body.join("\n"), ended ? {} : { againS });
}

function trafficOf(services: readonly ServiceTraffic[]): string[] {
  const rows = services.flatMap(({ service, revisions }) =>
    revisions.flatMap(({ number, weight, requests, errors }) => {
      if (weight === null || weight === 0) return [];
      const share = weight / 100;
      const bar = `<div class="bar"><i style="width:${share}%"></i></div>`;
      const counts = `${requests} requests${errors === 0 ? "" : `, <span class="bad">${errors} failed</span>`}`;
      return [
        `<tr><th>${html(service)}</th><td>r${number}</td><td class="n">${share} %</td><td>${bar}</td><td class="quiet">${counts}</td></tr>`,
      ];
    }),
  );
  return rows.length === 0 ? [] : ["<h2>Traffic</h2>", `<table>${rows.join("\n")}</table>`];
}

function head(title: string, phase: string, mood: Mood): string {
  return `<h1>${html(title)} <span class="${mood}">${html(phase)}</span></h1>`;
}

function lasting(
  { createdAt, endedAt }: { readonly createdAt: EpochMs; readonly endedAt: EpochMs | null },
  now: EpochMs,
) {
  const at = new Date(createdAt).toISOString().slice(0, 16).replace("T", " ");
  return `at ${at} UTC, ${endedAt === null ? "for" : "in"} ${timeOf((endedAt ?? now) - createdAt)}`;
}

function timeOf(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  const minutes = Math.floor(ms / 60_000);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
