import { Anchor, Paper, Skeleton, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { DeploymentView, EnvironmentView, MetricsView, ServiceTraffic } from "../../../src/api/contract.ts";
import { get } from "../api.ts";
import { healthOf } from "../health.ts";
import { Empty } from "../parts/empty.tsx";
import { Mark } from "../parts/mark.tsx";
import { Measured } from "../parts/measured.tsx";
import { Progress } from "../parts/progress.tsx";
import { RollbackButton } from "../parts/rollback.tsx";
import { useSession } from "../session.tsx";
import { useStatus } from "../status.tsx";
import { Ago } from "../time.tsx";
import { deploymentWord } from "../words.ts";

const windowS = 300;
const everyMs = 5_000;

/** What is live where, how it does, and what is under way. */
export function Overview() {
  const { product } = useSession();
  const { value } = useStatus();
  const metrics = useQuery({
    queryKey: ["metrics", windowS],
    queryFn: ({ signal }) => get<MetricsView>(`/v1/metrics?windowS=${windowS}`, signal),
    refetchInterval: everyMs,
  });
  if (value === null)
    return (
      <div className="stack" aria-busy="true">
        <Skeleton height={220} radius="lg" />
        <Skeleton height={220} radius="lg" />
      </div>
    );
  if (value.environments.length === 0)
    return (
      <Empty title={`Nothing of ${product} has been deployed yet`} command="slipway deploy --env staging">
        Environments appear here with their first deployment.
      </Empty>
    );
  return (
    <div className="stack">
      <h1 className="hidden">Overview of {product}</h1>
      {value.environments.map((environment) => (
        <Environment
          key={`${environment.product} ${environment.name}`}
          environment={environment}
          metrics={metrics.data}
        />
      ))}
    </div>
  );
}

type Shown = { readonly environment: EnvironmentView; readonly metrics: MetricsView | undefined };

function Environment({ environment, metrics }: Shown) {
  const { name, url, live, locked, deployment, gated, queued, restore, services, accessories } = environment;
  const health = healthOf(environment);
  return (
    <Paper component="section" className="card" aria-label={name}>
      <div className="card-head">
        <Title order={2} size="h4">
          {name}
        </Title>
        <Mark tone={health.tone}>{health.word}</Mark>
        {url !== null && (
          <Anchor href={url} target="_blank" rel="noreferrer" size="sm" className="url">
            {url.replace(/^https?:\/\//, "").replace(/\/$/, "")}
          </Anchor>
        )}
      </div>
      {live === null ? (
        <p className="quiet">{nothingLive(deployment)}</p>
      ) : (
        <div className="live">
          <span className="number">r{live.number}</span>
          <span className="version">{live.version}</span>
          <span className="subject">{live.subject}</span>
          <span className="quiet small facts">
            <code>{live.commit.slice(0, 7)}</code> live <Ago at={live.since} />
            {live.by !== null && <> by {live.by}</>}
          </span>
        </div>
      )}
      {health.why.length > 0 && (
        <ul className={`why ${health.tone}`}>
          {health.why.map((text) => (
            <li key={text}>{text}</li>
          ))}
        </ul>
      )}
      {locked !== null && (
        <p className="note warn">
          Locked by {locked.by} <Ago at={locked.at} />: {locked.reason}
        </p>
      )}
      {restore !== null && (live === null || live.since <= restore.at) && (
        <p className={`note ${restore.met ? "quiet" : "warn"}`}>
          Taken back <Ago at={restore.at} />, {restore.reason}
        </p>
      )}
      {deployment !== null && <UnderWay deployment={deployment} />}
      {queued > 0 && <p className="quiet small">{queued} more in line behind it</p>}
      {gated.map((each) => (
        <p key={each.id} className="note warn gated">
          <span>
            <strong>
              r{each.release.number} {each.release.version}
            </strong>{" "}
            waits at its gates, asked for by {each.createdBy} <Ago at={each.createdAt} />
          </span>
          <Link to="/approvals" hash={each.id} className="button">
            Look at it
          </Link>
        </p>
      ))}
      <div className="services">
        {services.map((service) => (
          <Service key={service.service} service={service} environment={name} metrics={metrics} />
        ))}
      </div>
      {(live !== null || deployment !== null) && <RollbackButton environment={name} />}
      {accessories.length > 0 && (
        <ul className="accessories" aria-label="Accessories">
          {accessories.map((accessory) => (
            <li key={accessory.name}>
              <Mark tone={accessory.state === "running" ? "good" : "bad"}>{accessory.name}</Mark>
              <span className="quiet small"> {accessory.image}</span>
            </li>
          ))}
        </ul>
      )}
    </Paper>
  );
}

/** A first release serves before it has passed its bake: it is not called live, and not hidden either. */
function nothingLive(deployment: DeploymentView | null): string {
  if (deployment?.liveAt == null) return "Nothing is live.";
  return `Nothing has passed a bake yet; r${deployment.release.number} serves on trial.`;
}

function UnderWay({ deployment }: { readonly deployment: DeploymentView }) {
  const { release, stable, phase, createdBy, kind } = deployment;
  const { word, tone } = deploymentWord(phase);
  return (
    <div className="under-way">
      <p>
        <Mark tone={tone}>
          <Link to="/deployments/$id" params={{ id: deployment.id }} className="plain">
            r{release.number} {release.version}
          </Link>{" "}
          {word}
        </Mark>
        <span className="quiet small">
          {kind} by {createdBy}
          {stable !== null && <>, instead of r{stable.number}</>}
        </span>
      </p>
      <Progress deployment={deployment} />
    </div>
  );
}

type ServiceShown = {
  readonly service: ServiceTraffic;
  readonly environment: string;
  readonly metrics: MetricsView | undefined;
};

function Service({ service, environment, metrics }: ServiceShown) {
  const { revisions, limits } = service;
  const shown = revisions.filter(({ role }) => role !== "warm");
  const takesRequests = revisions.some(({ weight }) => weight !== null);
  return (
    <div className="service">
      <div className="service-name">
        <strong>{service.service}</strong>
        {shown.map(({ revision, number, role, weight, instances }) => (
          <p key={revision} className="small">
            <span className={role === "candidate" ? "role candidate" : "role"}>
              r{number} {shown.length > 1 || role === "candidate" ? role : ""}
            </span>
            {weight !== null && shown.length > 1 && <span className="weight">{weight / 100} %</span>}
            <Instances instances={instances} limits={role === "stable" ? limits : null} />
          </p>
        ))}
      </div>
      <Measured
        metrics={metrics}
        environment={environment}
        service={service.service}
        of={takesRequests ? "traffic" : "use"}
      />
    </div>
  );
}

type InstancesShown = {
  readonly instances: ServiceTraffic["revisions"][number]["instances"];
  readonly limits: string | null;
};

/** A dot an instance: what each is, is in its title. */
function Instances({ instances, limits }: InstancesShown) {
  const running = instances.filter(({ state, lastSeen }) => state === "running" && lastSeen === null).length;
  const text = `${running} of ${instances.length} ${instances.length === 1 ? "instance runs" : "instances run"}`;
  return (
    <span className="instances" role="img" aria-label={limits === null ? text : `${text}, within ${limits}`}>
      {instances.map(({ id, state, lastSeen, host }) => {
        const tone =
          lastSeen !== null ? "quiet" : state === "running" ? "good" : state === "stopping" ? "quiet" : "bad";
        const says = lastSeen !== null ? "not seen now" : state;
        return <i key={id} className={`dot ${tone}`} title={`${id}: ${says}${host === null ? "" : ` on ${host}`}`} />;
      })}
      {limits !== null && <span className="quiet">{limits}</span>}
    </span>
  );
}
