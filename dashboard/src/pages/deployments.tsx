import { Skeleton, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { DeploymentView } from "../../../src/api/contract.ts";
import { get, wireOf } from "../api.ts";
import { Empty } from "../parts/empty.tsx";
import { Mark } from "../parts/mark.tsx";
import { Trouble } from "../parts/trouble.tsx";
import { useSession } from "../session.tsx";
import { Ago } from "../time.tsx";
import { deploymentWord } from "../words.ts";

const limit = 50;
const everyMs = 4_000;

/** What was tried, where, by whom, and how it ended; the newest first. */
export function Deployments() {
  const { product } = useSession();
  const list = useQuery({
    queryKey: ["deployments", product],
    queryFn: ({ signal }) =>
      get<{ readonly deployments: readonly DeploymentView[] }>(
        `/v1/deployments?product=${encodeURIComponent(product)}&limit=${limit}`,
        signal,
      ),
    refetchInterval: everyMs,
  });
  return (
    <div className="stack">
      <Title order={1} size="h3">
        Deployments
      </Title>
      {list.isPending ? (
        <Skeleton height={320} radius="lg" />
      ) : list.isError ? (
        <Trouble error={wireOf(list.error)} />
      ) : list.data.deployments.length === 0 ? (
        <Empty title="Nothing has been deployed yet" command="slipway deploy --env staging" />
      ) : (
        <ul className="list">
          {list.data.deployments.map((deployment) => (
            <Row key={deployment.id} deployment={deployment} />
          ))}
        </ul>
      )}
    </div>
  );
}

function Row({ deployment }: { readonly deployment: DeploymentView }) {
  const { id, release, environment, kind, phase, reason, createdAt, createdBy } = deployment;
  const { word, tone } = deploymentWord(phase);
  return (
    <li>
      <Link to="/deployments/$id" params={{ id }} className="row">
        <span className="row-main">
          <span className="number">r{release.number}</span> <span className="version">{release.version}</span>{" "}
          <span className="arrow">→</span> {environment}
        </span>
        <Mark tone={tone}>{word}</Mark>
        <span className="quiet small row-side">
          {kind} by {createdBy} <Ago at={createdAt} />
        </span>
        <span className="quiet small row-below">{reason}</span>
      </Link>
    </li>
  );
}
