import { Button, Skeleton } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import type { RollbackPlanView } from "../../../src/api/contract.ts";
import { post, wireOf } from "../api.ts";
import { useSession } from "../session.tsx";
import { PlanSteps } from "./plan.tsx";
import { byHand, Reasoned } from "./reasoned.tsx";
import { Trouble } from "./trouble.tsx";

/** Back to the last good release; what that means now is shown before it is done. */
export function RollbackButton({ environment }: { readonly environment: string }) {
  const [isAsked, setAsked] = useState(false);
  return (
    <div className="foot">
      <Button variant="default" size="xs" onClick={() => setAsked(true)}>
        Roll back…
      </Button>
      {isAsked && <RollbackDialog environment={environment} onClose={() => setAsked(false)} />}
    </div>
  );
}

function RollbackDialog({ environment, onClose }: { readonly environment: string; readonly onClose: () => void }) {
  const { person, product } = useSession();
  const navigate = useNavigate();
  const plan = useQuery({
    queryKey: ["rollback", environment],
    queryFn: () => post<RollbackPlanView>("/v1/rollbacks/plans", { product, environment }),
    gcTime: 0,
    staleTime: 0,
  });
  const back = useMutation({
    mutationFn: (reason: string) =>
      goBack(plan.data as RollbackPlanView, { product, environment, actor: person, reason }),
    onSuccess: (id) => navigate({ to: "/deployments/$id", params: { id } }),
  });
  return (
    <Reasoned
      title={`Roll ${environment} back?`}
      wide
      reason={byHand}
      leave="Leave it"
      confirm={{ label: "Roll back", isGrave: true, isReady: plan.isSuccess }}
      doing={back}
      onClose={onClose}
    >
      {plan.isPending && <Skeleton height={90} radius="md" />}
      {plan.isError && <Trouble error={wireOf(plan.error)} />}
      {plan.isSuccess && <WhatWillHappen plan={plan.data} />}
    </Reasoned>
  );
}

type Asked = {
  readonly product: string;
  readonly environment: string;
  readonly actor: string;
  readonly reason: string;
};

/** What was shown and nothing else, also when something has ended meanwhile. Answers the deployment that goes back. */
async function goBack(plan: RollbackPlanView, { product, environment, actor, reason }: Asked): Promise<string> {
  if (plan.is === "call off") {
    const { id } = plan.deployment;
    await post(`/v1/deployments/${id}/requests`, { kind: "cancel", actor, reason });
    return id;
  }
  const body = { product, environment, to: plan.release, force: false, actor, reason };
  return (await post<{ readonly deployment: string }>("/v1/rollbacks", body)).deployment;
}

function WhatWillHappen({ plan }: { readonly plan: RollbackPlanView }) {
  if (plan.is === "call off") {
    const { release, stable, environment } = plan.deployment;
    return (
      <p>
        r{release.number} is under way in {environment}: it is called off, and{" "}
        {stable === null
          ? "nothing was live before it, so there is nothing to go back to."
          : `all traffic returns to r${stable.number} ${stable.version}.`}
      </p>
    );
  }
  const { release, live } = plan.plan;
  return (
    <>
      <p>
        {live !== null && `r${live.number} ${live.version} is taken away, and `}
        <strong>
          r{release.number} {release.version}
        </strong>
        , the last that was good there, takes its place with its own config. Gates, windows and locks do not hold it.
      </p>
      <PlanSteps plan={{ ...plan.plan, blocked: [] }} when="What is done" />
    </>
  );
}
