import { Button, Group, Skeleton } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { DeploymentDetail, DeploymentView, EvidenceView, PlanView } from "../../../src/api/contract.ts";
import { get, post, wireOf } from "../api.ts";
import { useSession } from "../session.tsx";
import { PlanSteps } from "./plan.tsx";
import { byHand, Reasoned } from "./reasoned.tsx";
import { Trouble } from "./trouble.tsx";

type Verdict = "approved" | "rejected";

/** What somebody has said here, and what came of it at once. */
export type Said = {
  readonly deployment: DeploymentView;
  readonly verdict: Verdict;
  readonly by: string;
  readonly opens: string;
  readonly at: number;
};

type WordProps = {
  readonly deployment: DeploymentView;
  /** What was live when this page looked: a yes is to that change log and to no other. */
  readonly live: EvidenceView["live"];
  readonly onSaid: (said: Said) => void;
  readonly onRefused: () => void;
};

/** Yes or no, each with what it will do and why it is said. */
export function WordButtons(props: WordProps) {
  const [asked, setAsked] = useState<Verdict | null>(null);
  return (
    <>
      <Group gap="sm" className="word">
        <Button onClick={() => setAsked("approved")}>Approve…</Button>
        <Button variant="default" onClick={() => setAsked("rejected")}>
          Refuse…
        </Button>
      </Group>
      {asked !== null && <WordDialog {...props} verdict={asked} onClose={() => setAsked(null)} />}
    </>
  );
}

type DialogProps = WordProps & { readonly verdict: Verdict; readonly onClose: () => void };

function WordDialog({ deployment, live, verdict, onSaid, onRefused, onClose }: DialogProps) {
  const { person } = useSession();
  const isYes = verdict === "approved";
  const { id, environment, release } = deployment;
  const word = useMutation({
    mutationFn: async (reason: string): Promise<Said> => {
      await post(`/v1/deployments/${id}/approvals`, { verdict, actor: person, reason, live });
      const after = await get<DeploymentDetail>(`/v1/deployments/${id}`);
      const closed = (after.gates ?? []).filter(({ open }) => !open);
      const waits = closed.map(({ gate, says }) => `${gate} ${says}`).join("; ");
      const opens = closed.length === 0 ? "its gates are open, and it begins" : `it waits on: ${waits}`;
      return { deployment, verdict, by: person, opens, at: Date.now() };
    },
    onSuccess: (said) => {
      onSaid(said);
      onClose();
    },
    onError: onRefused,
  });
  return (
    <Reasoned
      title={`${isYes ? "Approve" : "Refuse"} r${release.number} ${release.version} for ${environment}?`}
      wide
      reason={
        isYes
          ? { ...byHand, otherwise: "approved by hand" }
          : { label: "What has to be mended", description: "Who asked for it reads this." }
      }
      leave="Not now"
      confirm={{ label: isYes ? "Approve" : "Refuse", isGrave: !isYes }}
      doing={word}
      onClose={onClose}
    >
      {isYes ? <WhatWillHappen deployment={deployment} /> : <p>{refusalText(deployment)}</p>}
    </Reasoned>
  );
}

function refusalText({ canary, createdBy }: DeploymentView): string {
  return canary === null
    ? `It ends before it has begun: nothing is touched, and ${createdBy} is told why in the history.`
    : "The canary goes back: all traffic returns to what was live before.";
}

function WhatWillHappen({ deployment: { release, environment } }: { readonly deployment: DeploymentView }) {
  const plan = useQuery({
    queryKey: ["plan", release.id, environment],
    queryFn: () => post<PlanView>("/v1/plans", { environment, release: release.id }),
    staleTime: 0,
  });
  if (plan.isPending) return <Skeleton height={90} radius="md" />;
  if (plan.isError) return <Trouble error={wireOf(plan.error)} />;
  return <PlanSteps plan={plan.data} when="When every gate is open" />;
}
