import { Skeleton, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { RunView } from "../../../src/api/contract.ts";
import { get, wireOf } from "../api.ts";
import { Empty } from "../parts/empty.tsx";
import { Mark } from "../parts/mark.tsx";
import { Trouble } from "../parts/trouble.tsx";
import { useSession } from "../session.tsx";
import { Ago } from "../time.tsx";
import { tookText } from "../time-text.ts";
import { runWords } from "../words.ts";

const limit = 50;
const everyMs = 3_000;

/** Commits on their way through the pipeline, the newest first. */
export function Runs() {
  const { product } = useSession();
  const list = useQuery({
    queryKey: ["runs", product],
    queryFn: ({ signal }) =>
      get<{ readonly runs: readonly RunView[] }>(
        `/v1/runs?product=${encodeURIComponent(product)}&limit=${limit}`,
        signal,
      ),
    refetchInterval: everyMs,
  });
  return (
    <div className="stack">
      <div className="card-head">
        <Title order={1} size="h3">
          Runs
        </Title>
        <Link to="/runs/new" className="button url">
          New run
        </Link>
      </div>
      {list.isPending ? (
        <Skeleton height={320} radius="lg" />
      ) : list.isError ? (
        <Trouble error={wireOf(list.error)} />
      ) : list.data.runs.length === 0 ? (
        <Empty title="No run yet" command="slipway run">
          A commit's way through the pipeline appears here when it begins.
        </Empty>
      ) : (
        <ul className="list">
          {list.data.runs.map((run) => (
            <Row key={run.id} run={run} />
          ))}
        </ul>
      )}
    </div>
  );
}

function Row({ run }: { readonly run: RunView }) {
  const { id, commit, phase, reason, event, createdAt, createdBy, endedAt } = run;
  const { word, tone } = runWords[phase];
  return (
    <li>
      <Link to="/runs/$id" params={{ id }} className="row">
        <span className="row-main">
          <code>{commit.slice(0, 7)}</code> <span className="quiet">{event}</span>
        </span>
        <Mark tone={tone}>{word}</Mark>
        <span className="quiet small row-side">
          by {createdBy} <Ago at={createdAt} />
          {endedAt !== null && `, took ${tookText(endedAt - createdAt)}`}
        </span>
        <span className="quiet small row-below">{reason}</span>
      </Link>
    </li>
  );
}
