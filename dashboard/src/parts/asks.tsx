import { Button, Group, Modal, Textarea } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { AskBody, DeploymentDetail } from "../../../src/api/contract.ts";
import { post, wireOf } from "../api.ts";
import { useSession } from "../session.tsx";
import { Trouble } from "./trouble.tsx";

type Kind = AskBody["kind"];

type Ask = {
  readonly kind: Kind;
  readonly label: string;
  /** What will happen, in a sentence. */
  readonly will: string;
  /** Why it cannot be asked now; null where it can. */
  readonly not: string | null;
};

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

const goingBack: ReadonlySet<string> = new Set(["restoring", "unshifting", "cleaning"]);

export function asksOf({ phase, canary, stable, environment, release }: DeploymentDetail): readonly Ask[] {
  const isBefore = phase === "queued" || phase === "gated";
  const isBack = goingBack.has(phase) ? "it goes back already" : null;
  const isHeld = phase === "paused" || phase === "held" || canary?.waits != null;
  const back =
    stable === null ? "nothing is live before it, so nothing is after it" : `all traffic returns to r${stable.number}`;
  const cancel: Ask = {
    kind: "cancel",
    label: "Cancel",
    will: isBefore
      ? `r${release.number} is not deployed to ${environment}: it ends before it has begun, and nothing is touched.`
      : `r${release.number} is called off in ${environment}: ${back}.`,
    not: isBack,
  };
  const hold: Ask = isHeld
    ? {
        kind: "resume",
        label: "Go on",
        will: "It goes on where it was held; a step that could not be judged is looked at again.",
        not: isBack ?? (canary?.waits?.for === "gates" ? "it waits for its gates" : null),
      }
    : {
        kind: "pause",
        label: "Pause",
        will: "It holds where it is, before its next step; what has traffic keeps it, and goes on being watched.",
        not: isBack ?? (isBefore ? "it has not begun" : null),
      };
  const step = canary?.step ?? null;
  if (canary === null || step === null) return [hold, cancel];
  const next = canary.steps[step];
  const to = next === undefined ? "all traffic" : `${next.weight / 100} % of the traffic`;
  const promote: Ask = {
    kind: "promote",
    label: "Next step",
    will: `The canary gets ${to} now, on your word, without the rest of this step's watch.`,
    not: isBack ?? (canary.waits?.for === "gates" ? "it waits for its gates" : null),
  };
  return [promote, hold, cancel];
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
