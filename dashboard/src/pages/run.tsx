import { Button, Group, Modal, Paper, Skeleton, Title } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import type { RunDetail, StepView } from "../../../src/api/contract.ts";
import { post, wireOf } from "../api.ts";
import { useLive } from "../live.ts";
import { Evidence } from "../parts/evidence.tsx";
import { Log } from "../parts/log.tsx";
import { Mark } from "../parts/mark.tsx";
import { Reports } from "../parts/reports.tsx";
import { StepLanes } from "../parts/step-lanes.tsx";
import { Trouble } from "../parts/trouble.tsx";
import { useSession } from "../session.tsx";
import { Ago } from "../time.tsx";
import { tookText } from "../time-text.ts";
import { runWords, stepWords } from "../words.ts";

/** One commit's way through the pipeline: its steps, and of the one that is chosen its log and reports. */
export function Run() {
  const { id } = useParams({ strict: false }) as { readonly id: string };
  const { step: asked } = useSearch({ strict: false }) as { readonly step?: string };
  const navigate = useNavigate();
  const { value, trouble } = useLive<RunDetail>(`/v1/runs/${encodeURIComponent(id)}/follow`);
  if (value === null) return trouble === null ? <Skeleton height={360} radius="lg" /> : <Trouble error={trouble} />;
  const chosen = value.steps.find((step) => step.id === asked) ?? mostTelling(value.steps);
  return (
    <div className="stack">
      <Head run={value} />
      {value.steps.length > 0 && (
        <Paper component="section" className="card" aria-label="Steps">
          <StepLanes
            steps={value.steps}
            chosen={chosen?.id ?? null}
            onChoose={(step) => void navigate({ to: "/runs/$id", params: { id }, search: { step }, replace: true })}
          />
        </Paper>
      )}
      {chosen !== null && <Step key={chosen.id} run={value.id} step={chosen} />}
    </div>
  );
}

/** What somebody wants to see who has not said: what has failed, else what runs, else the last that has ended. */
function mostTelling(steps: readonly StepView[]): StepView | null {
  const last = (phases: readonly StepView["phase"][]) => steps.findLast(({ phase }) => phases.includes(phase));
  return (
    steps.find(({ phase }) => phase === "failed") ??
    last(["running"]) ??
    last(["passed"]) ??
    last(["restored"]) ??
    steps[0] ??
    null
  );
}

function Head({ run }: { readonly run: RunDetail }) {
  const { id, commit, phase, reason, event, createdAt, createdBy, endedAt, error } = run;
  const { word, tone } = runWords[phase];
  return (
    <Paper component="section" className="card" aria-label="Run">
      <div className="card-head">
        <Title order={1} size="h4">
          Run of <code>{commit.slice(0, 7)}</code>
        </Title>
        <Mark tone={tone}>{word}</Mark>
        <span className="quiet small url">
          {event} by {createdBy} <Ago at={createdAt} />
          {endedAt !== null && `, took ${tookText(endedAt - createdAt)}`}
        </span>
      </div>
      <p>{reason}</p>
      {error !== null && run.steps.length === 0 && (
        <div className="note bad">
          <strong>{error.message}</strong>
          <Evidence lines={error.evidence} />
          <p className="quiet">{error.hint}</p>
        </div>
      )}
      <p className="quiet small">
        <code>{id}</code>
      </p>
      {endedAt === null && <CancelRun id={id} />}
    </Paper>
  );
}

function CancelRun({ id }: { readonly id: string }) {
  const { person } = useSession();
  const [isAsked, setAsked] = useState(false);
  const close = (): void => setAsked(false);
  const cancel = useMutation({
    mutationFn: () => post(`/v1/runs/${id}/cancel`, { actor: person, reason: "by hand" }),
    onSuccess: close,
  });
  return (
    <Group>
      <Button variant="default" c="red" onClick={() => setAsked(true)}>
        Cancel…
      </Button>
      <Modal opened={isAsked} onClose={close} title="Cancel this run?">
        <div className="dialog">
          <p>Its steps that are under way are stopped, no other one begins, and no release is made.</p>
          {cancel.isError && <Trouble error={wireOf(cancel.error)} />}
          <Group justify="flex-end" gap="sm">
            <span className="quiet small speaks">as {person}</span>
            <Button variant="default" onClick={close}>
              Leave it
            </Button>
            <Button color="red" loading={cancel.isPending} onClick={() => cancel.mutate()} data-autofocus>
              Cancel the run
            </Button>
          </Group>
        </div>
      </Modal>
    </Group>
  );
}

function Step({ run, step }: { readonly run: string; readonly step: StepView }) {
  const { id, phase, reason, attempt, startedAt, endedAt, artifacts, number } = step;
  const { word, tone } = stepWords[phase];
  return (
    <Paper component="section" className="card" aria-label={`Step ${id}`}>
      <div className="card-head">
        <Title order={2} size="h4">
          {id}
        </Title>
        <Mark tone={tone}>{word}</Mark>
        <span className="quiet small url">
          {startedAt !== null && endedAt !== null && `took ${tookText(endedAt - startedAt)}`}
          {attempt > 1 && `, attempt ${attempt}`}
        </span>
      </div>
      {reason !== "" && <p className="quiet small">{reason}</p>}
      <Reports step={step} />
      {artifacts !== null && (
        <p className="quiet small">
          It left {artifacts.files} {artifacts.files === 1 ? "file" : "files"} to be looked at:{" "}
          <code>slipway run artifacts {run}</code>
        </p>
      )}
      {/* A step that was taken up again has another log. */}
      {startedAt !== null && <Log key={`${number} ${attempt}`} run={run} step={id} isRunning={phase === "running"} />}
    </Paper>
  );
}
