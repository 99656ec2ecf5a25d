import { Button, Group } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import type { DeploymentDetail } from "../../../src/api/contract.ts";
import { post } from "../api.ts";
import { type Ask, asksOf } from "../asks.ts";
import { useSession } from "../session.tsx";
import { byHand, Reasoned } from "./reasoned.tsx";

/** What a person may ask of a deployment that is under way; a button that does nothing says why. */
export function Asks({ deployment }: { readonly deployment: DeploymentDetail }) {
  const [asked, setAsked] = useState<Ask | null>(null);
  const asks = asksOf(deployment);
  return (
    <>
      <Group gap="sm" className="word">
        {asks.map((ask) => (
          <Button
            key={ask.kind}
            variant="default"
            {...(ask.kind === "cancel" ? { c: "red" } : {})}
            disabled={ask.not !== null}
            title={ask.not ?? ask.will}
            onClick={() => setAsked(ask)}
          >
            {ask.label}…
          </Button>
        ))}
      </Group>
      {asked !== null && <AskDialog ask={asked} deployment={deployment} onClose={() => setAsked(null)} />}
    </>
  );
}

type DialogProps = { readonly ask: Ask; readonly deployment: DeploymentDetail; readonly onClose: () => void };

function AskDialog({ ask: { kind, label, will }, deployment, onClose }: DialogProps) {
  const { person } = useSession();
  const step = deployment.canary?.step ?? null;
  const sent = useMutation({
    mutationFn: (reason: string) =>
      post(`/v1/deployments/${deployment.id}/requests`, {
        kind,
        actor: person,
        reason,
        // Only while it is at the step that was seen.
        ...(kind === "promote" && step !== null ? { step } : {}),
      }),
    onSuccess: onClose,
  });
  const { release, environment } = deployment;
  return (
    <Reasoned
      title={`${label}: r${release.number} in ${environment}?`}
      reason={byHand}
      leave="Leave it"
      confirm={{ label, isGrave: kind === "cancel" }}
      doing={sent}
      onClose={onClose}
    >
      <p>{will}</p>
    </Reasoned>
  );
}
