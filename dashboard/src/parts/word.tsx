import { Button, Group, Modal, Skeleton, Textarea } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { DeploymentDetail, DeploymentView, EvidenceView, PlanView } from "../../../src/api/contract.ts";
import { get, post, wireOf } from "../api.ts";
import { useSession } from "../session.tsx";
import { PlanSteps } from "./plan.tsx";
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
  const [reason, setReason] = useState("");
  const isYes = verdict === "approved";
  const { id, environment, release } = deployment;
  const word = useMutation({
    mutationFn: async (): Promise<Said> => {
      const body = { verdict, actor: person, reason: reason.trim() || "approved by hand", live };
      await post(`/v1/deployments/${id}/approvals`, body);
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
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    word.mutate();
  };
  const title = `${isYes ? "Approve" : "Refuse"} r${release.number} ${release.version} for ${environment}?`;
  return (
    <Modal opened onClose={onClose} title={title} size="lg">
      <form onSubmit={submit} className="dialog">
        {isYes ? <WhatWillHappen deployment={deployment} /> : <p>{refusalText(deployment)}</p>}
        <Textarea
          label={isYes ? "Why (kept in the history)" : "What has to be mended"}
          placeholder={isYes ? "approved by hand" : ""}
          description={isYes ? undefined : "Who asked for it reads this."}
          required={!isYes}
          maxLength={500}
          autosize
          minRows={2}
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
          data-autofocus
        />
        {word.isError && <Trouble error={wireOf(word.error)} />}
        <Group justify="flex-end" gap="sm">
          <span className="quiet small speaks">as {person}</span>
          <Button variant="default" onClick={onClose}>
            Not now
          </Button>
          <Button
            type="submit"
            {...(isYes ? {} : { color: "red" })}
            loading={word.isPending}
            disabled={!isYes && reason.trim() === ""}
          >
            {isYes ? "Approve" : "Refuse"}
          </Button>
        </Group>
      </form>
    </Modal>
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
