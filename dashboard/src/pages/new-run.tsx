import { Button, Checkbox, Group, Paper, Skeleton, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import type { PipelineView, StartRunBody } from "../../../src/api/contract.ts";
import { readValue } from "../../../src/core/pipeline/parameter.ts";
import { post, wireOf } from "../api.ts";
import { ParameterField } from "../parts/parameter-field.tsx";
import { Trouble } from "../parts/trouble.tsx";
import { useSession } from "../session.tsx";

/** Begins a run by hand, with the parameters that the pipeline of that commit has. */
export function NewRun() {
  const { product } = useSession();
  const [revision, setRevision] = useState("HEAD");
  const [typed, setTyped] = useState("HEAD");
  const pipeline = useQuery({
    queryKey: ["pipeline", product, revision],
    queryFn: () => post<PipelineView>("/v1/pipelines", { product, revision }),
    staleTime: 0,
  });
  const look = (event: FormEvent): void => {
    event.preventDefault();
    if (typed.trim() === revision) void pipeline.refetch();
    else setRevision(typed.trim());
  };
  return (
    <div className="stack">
      <Title order={1} size="h3">
        New run
      </Title>
      <Paper component="section" className="card" aria-label="What to run">
        <form onSubmit={look} className="beside">
          <TextInput
            label="Commit, branch or tag"
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            maxLength={255}
            required
          />
          <Button type="submit" variant="default" loading={pipeline.isFetching}>
            Look at it
          </Button>
        </form>
        {pipeline.isPending ? (
          <Skeleton height={120} radius="md" />
        ) : pipeline.isError ? (
          <Trouble error={wireOf(pipeline.error)} />
        ) : (
          <Form key={pipeline.data.commit} pipeline={pipeline.data} />
        )}
      </Paper>
    </div>
  );
}

function Form({ pipeline }: { readonly pipeline: PipelineView }) {
  const { commit, subject, branch, repository, parameters, steps } = pipeline;
  const { product, person } = useSession();
  const navigate = useNavigate();
  const [values, setValues] = useState<Readonly<Record<string, string>>>(() =>
    Object.fromEntries(parameters.map((parameter) => [parameter.name, parameter.default ?? ""])),
  );
  const [wanted, setWanted] = useState<readonly string[]>([]);
  const [cache, setCache] = useState(true);
  const faults = new Map(
    parameters.flatMap(({ name, kind, default: usual }) => {
      const said = values[name] ?? "";
      if (said === "" && usual === null) return [[name, "must be given"] as const];
      const read = readValue(kind, said);
      return "allowed" in read ? [[name, `must be ${read.allowed}`] as const] : [];
    }),
  );
  const begin = useMutation({
    mutationFn: () => {
      const asked = {
        event: "manual",
        branch,
        steps: [...wanted],
        services: [],
        parameters: values,
        cache,
        release: false,
      } satisfies StartRunBody["asked"];
      const body = { product, repository, revision: commit, dirty: false, actor: person, asked };
      return post<{ readonly run: string }>("/v1/runs", body satisfies StartRunBody);
    },
    onSuccess: ({ run }) => navigate({ to: "/runs/$id", params: { id: run } }),
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (faults.size === 0) begin.mutate();
  };
  return (
    <form onSubmit={submit} className="dialog" noValidate>
      <p>
        <code>{commit.slice(0, 7)}</code> {subject} {branch !== null && <span className="quiet">on {branch}</span>}
      </p>
      {parameters.length === 0 ? (
        <p className="quiet small">The pipeline of this commit has no parameters.</p>
      ) : (
        <div className="fields">
          {parameters.map((parameter) => (
            <ParameterField
              key={parameter.name}
              parameter={parameter}
              value={values[parameter.name] ?? ""}
              fault={faults.get(parameter.name) ?? null}
              onChange={(value) => setValues((all) => ({ ...all, [parameter.name]: value }))}
            />
          ))}
        </div>
      )}
      {steps.length > 1 && (
        <Checkbox.Group
          label="Steps"
          description="None chosen: all of them. Of one that is chosen, those that it needs run too."
          value={[...wanted]}
          onChange={setWanted}
        >
          <Group gap="md" mt="xs">
            {steps.map((step) => (
              <Checkbox key={step} value={step} label={step} />
            ))}
          </Group>
        </Checkbox.Group>
      )}
      <Checkbox
        label="Take results of before where nothing has changed"
        checked={cache}
        onChange={(event) => setCache(event.currentTarget.checked)}
      />
      {begin.isError && <Trouble error={wireOf(begin.error)} />}
      <Group justify="flex-end" gap="sm">
        <span className="quiet small speaks">as {person}; it makes no release</span>
        <Button
          type="submit"
          loading={begin.isPending}
          disabled={faults.size > 0}
          {...(faults.size > 0 ? { title: [...faults].map(([name, fault]) => `${name} ${fault}`).join("; ") } : {})}
        >
          Begin the run
        </Button>
      </Group>
    </form>
  );
}
