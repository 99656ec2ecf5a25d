import { Paper, Skeleton, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { DeploymentView, EvidenceView } from "../../../src/api/contract.ts";
import { get, wireOf } from "../api.ts";
import { Empty } from "../parts/empty.tsx";
import { Gates } from "../parts/gates.tsx";
import { ReleaseEvidence } from "../parts/release-evidence.tsx";
import { Trouble } from "../parts/trouble.tsx";
import { type Said, WordButtons } from "../parts/word.tsx";
import { useStatus, waitingIn } from "../status.tsx";
import { Ago } from "../time.tsx";

/** What waits for a person, with what they should know before they say yes. */
export function Approvals() {
  const { value } = useStatus();
  const [said, setSaid] = useState<readonly Said[]>([]);
  if (value === null) return <Skeleton height={320} radius="lg" />;
  const waiting = waitingIn(value);
  return (
    <div className="stack">
      <Title order={1} size="h3">
        Approvals
      </Title>
      {said.map((word) => (
        <Outcome key={`${word.deployment.id} ${word.at}`} said={word} />
      ))}
      {waiting.length === 0 ? (
        <Empty title="Nothing waits for anybody">
          A deployment to an environment with gates appears here when it is asked for, with its change log, its tests
          and how it has fared before.
        </Empty>
      ) : (
        waiting.map((deployment) => (
          <Waiting key={deployment.id} deployment={deployment} onSaid={(word) => setSaid((all) => [word, ...all])} />
        ))
      )}
    </div>
  );
}

function Outcome({ said: { deployment, verdict, by, opens } }: { readonly said: Said }) {
  const what = `r${deployment.release.number} ${deployment.release.version} for ${deployment.environment}`;
  const isYes = verdict === "approved";
  const outcome = isYes ? opens : deployment.canary === null ? "nothing was touched" : "it goes back";
  return (
    <div role="status" className={`note ${isYes ? "good" : "warn"}`}>
      <strong>
        {isYes ? "Approved" : "Refused"}: {what}
      </strong>
      <p>
        By {by}: {outcome}.{" "}
        <Link to="/deployments/$id" params={{ id: deployment.id }}>
          Look at it
        </Link>
      </p>
    </div>
  );
}

type WaitingShown = { readonly deployment: DeploymentView; readonly onSaid: (said: Said) => void };

function Waiting({ deployment, onSaid }: WaitingShown) {
  const { id, release, stable, environment, kind, createdAt, createdBy, gates, reason } = deployment;
  const evidence = useQuery({
    // What is live decides what the change log is of.
    queryKey: ["evidence", id, stable?.id, reason],
    queryFn: ({ signal }) => get<EvidenceView>(`/v1/deployments/${id}/evidence`, signal),
  });
  return (
    <Paper component="section" className="card waiting" id={id} aria-label={`r${release.number} for ${environment}`}>
      <div className="card-head">
        <Title order={2} size="h4">
          <span className="number">r{release.number}</span> {release.version} <span className="arrow">→</span>{" "}
          {environment}
        </Title>
        <span className="quiet small">
          {kind} asked for by {createdBy} <Ago at={createdAt} />
        </span>
      </div>
      <p className="subject">{release.subject}</p>
      {gates !== null && <Gates gates={gates} />}
      {evidence.isPending ? (
        <Skeleton height={160} radius="md" />
      ) : evidence.isError ? (
        <Trouble error={wireOf(evidence.error)} />
      ) : (
        <>
          <ReleaseEvidence lines={evidence.data.lines} />
          <WordButtons
            deployment={deployment}
            live={evidence.data.live}
            onSaid={onSaid}
            onRefused={() => void evidence.refetch()}
          />
        </>
      )}
    </Paper>
  );
}
