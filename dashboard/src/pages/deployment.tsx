import { Paper, Skeleton, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import type { DeploymentDetail, RulesView, ServiceTraffic } from "../../../src/api/contract.ts";
import { get } from "../api.ts";
import { useLive } from "../live.ts";
import { Asks } from "../parts/asks.tsx";
import { Canary } from "../parts/canary.tsx";
import { Evidence } from "../parts/evidence.tsx";
import { Gates } from "../parts/gates.tsx";
import { Mark } from "../parts/mark.tsx";
import { Progress } from "../parts/progress.tsx";
import { Rules } from "../parts/rules.tsx";
import { Timeline } from "../parts/timeline.tsx";
import { Trouble } from "../parts/trouble.tsx";
import { Ago } from "../time.tsx";
import { tookText } from "../time-text.ts";
import { deploymentWord } from "../words.ts";

/** One attempt to make one release live in one environment: how it stands, what it was judged by, and every step it took. */
export function Deployment() {
  const { id } = useParams({ strict: false }) as { readonly id: string };
  const { value, trouble } = useLive<DeploymentDetail>(`/v1/deployments/${encodeURIComponent(id)}/follow`);
  if (value === null) return trouble === null ? <Skeleton height={360} radius="lg" /> : <Trouble error={trouble} />;
  return (
    <div className="stack">
      <Head deployment={value} />
      <Split services={value.services} isOver={value.ended} />
      {!value.ended && <RulesNow environment={value.environment} />}
      <Paper component="section" className="card" aria-label="History">
        <Title order={2} size="h4">
          History
        </Title>
        <Timeline entries={value.history} />
      </Paper>
    </div>
  );
}

function Head({ deployment }: { readonly deployment: DeploymentDetail }) {
  const { id, release, stable, environment, kind, phase, ended, reason, createdAt, createdBy, gates, canary, failure } =
    deployment;
  const { word, tone } = deploymentWord(phase);
  return (
    <Paper component="section" className="card" aria-label="Deployment">
      <div className="card-head">
        <Title order={1} size="h4">
          <span className="number">r{release.number}</span> {release.version} <span className="arrow">→</span>{" "}
          {environment}
        </Title>
        <Mark tone={tone}>{word}</Mark>
        <span className="quiet small url">
          {kind} by {createdBy} <Ago at={createdAt} />
        </span>
      </div>
      <p className="subject">{release.subject}</p>
      {ended
        ? failure === null && <p className="quiet">{reason}</p>
        : gates === null && <Progress deployment={deployment} />}
      {failure !== null && (
        <div className="note bad">
          <strong>{failure.message}</strong>
          <Evidence lines={failure.evidence} />
          {failure.hint != null && <p className="quiet">{failure.hint}</p>}
        </div>
      )}
      {gates !== null && <Gates gates={gates} />}
      {canary !== null && <Canary canary={canary} isOver={ended} />}
      <dl className="figures">
        <Figure label="instead of" value={stable === null ? "nothing" : `r${stable.number} ${stable.version}`} />
        <Figure label="all traffic after" value={between(deployment.startedAt, deployment.liveAt)} />
        <Figure label="caught after" value={between(deployment.exposedAt, deployment.detectedAt)} />
        <Figure label="back within" value={between(deployment.detectedAt, deployment.restoredAt)} />
        <Figure label="took in all" value={between(deployment.startedAt, deployment.endedAt)} />
        <Figure label="id" value={id} />
      </dl>
      {!ended && <Asks deployment={deployment} />}
    </Paper>
  );
}

function Figure({ label, value }: { readonly label: string; readonly value: string | null }) {
  if (value === null) return null;
  return (
    <div>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </div>
  );
}

const between = (from: number | null, to: number | null): string | null =>
  from === null || to === null ? null : tookText(Math.max(0, to - from));

/** How the traffic of each service is split over its releases now. */
function Split({ services, isOver }: { readonly services: readonly ServiceTraffic[]; readonly isOver: boolean }) {
  const split = services.filter(({ revisions }) => revisions.some(({ weight }) => weight !== null));
  if (split.length === 0) return null;
  return (
    <Paper component="section" className="card" aria-label="Traffic">
      <Title order={2} size="h4">
        Traffic {isOver && <span className="quiet small">as it is now</span>}
      </Title>
      {split.map(({ service, revisions }) => (
        <div key={service} className="split">
          <strong>{service}</strong>
          <div className="bar" aria-hidden="true">
            {revisions.map(({ revision, weight, role }) => (
              <i key={revision} className={role} style={{ width: `${(weight ?? 0) / 100}%` }} />
            ))}
          </div>
          <ul>
            {revisions.map(({ revision, number, role, weight, requests, errors }) => (
              <li key={revision} className="small">
                <span className={`role ${role}`}>
                  r{number} {role}
                </span>
                <strong>{(weight ?? 0) / 100} %</strong>
                <span className="quiet">
                  {requests} {requests === 1 ? "request" : "requests"}
                  {errors > 0 && <span className="bad-text">, {errors} failed</span>}
                </span>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </Paper>
  );
}

const rulesMs = 2_000;

function RulesNow({ environment }: { readonly environment: string }) {
  const rules = useQuery({
    queryKey: ["rules", environment],
    queryFn: ({ signal }) => get<RulesView>(`/v1/rules?environment=${encodeURIComponent(environment)}`, signal),
    refetchInterval: rulesMs,
  });
  if (rules.data === undefined || rules.data.rules.length === 0) return null;
  return (
    <Paper component="section" className="card" aria-label="Rules">
      <Title order={2} size="h4">
        Rules
      </Title>
      <Rules rules={rules.data.rules} />
    </Paper>
  );
}
