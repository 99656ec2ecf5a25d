import { Button, Group, Modal, Textarea } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { DeploymentDetail } from "../../../src/api/contract.ts";
import { post, wireOf } from "../api.ts";
import { type Ask, asksOf } from "../asks.ts";
import { useSession } from "../session.tsx";
import { Trouble } from "./trouble.tsx";

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
  const [reason, setReason] = useState("");
  const step = deployment.canary?.step ?? null;
  const sent = useMutation({
    mutationFn: () =>
      post(`/v1/deployments/${deployment.id}/requests`, {
        kind,
        actor: person,
        reason: reason.trim() || "by hand",
        // Only while it is at the step that was seen.
        ...(kind === "promote" && step !== null ? { step } : {}),
      }),
    onSuccess: onClose,
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    sent.mutate();
  };
  const { release, environment } = deployment;
  return (
    <Modal opened onClose={onClose} title={`${label}: r${release.number} in ${environment}?`}>
      <form onSubmit={submit} className="dialog">
        <p>{will}</p>
        <Textarea
          label="Why (kept in the history)"
          placeholder="by hand"
          maxLength={500}
          autosize
          minRows={2}
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
          data-autofocus
        />
        {sent.isError && <Trouble error={wireOf(sent.error)} />}
        <Group justify="flex-end" gap="sm">
          <span className="quiet small speaks">as {person}</span>
          <Button variant="default" onClick={onClose}>
            Leave it
          </Button>
          <Button type="submit" loading={sent.isPending} {...(kind === "cancel" ? { color: "red" } : {})}>
            {label}
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
