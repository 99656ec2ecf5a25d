import { Button, Code, Loader, Paper, Stack, Text, TextInput, Title } from "@mantine/core";
import { createContext, type FormEvent, type ReactNode, useContext, useEffect, useState } from "react";
import type { DashboardOpenedView, DashboardSessionView } from "../../src/api/dashboard-contract.ts";
import type { WireError } from "../../src/core/errors/error.ts";
import { get, half, isNoSession, post, wireOf } from "./api.ts";
import { Logo } from "./parts/logo.tsx";
import { Trouble } from "./parts/trouble.tsx";
import { onSessionOver } from "./session-over.ts";

const Session = createContext<DashboardSessionView | null>(null);

/** Who looks. Below `SessionGate` there is always somebody. */
export function useSession(): DashboardSessionView {
  const session = useContext(Session);
  if (session === null) throw new Error("there is no session here");
  return session;
}

type State =
  | { readonly is: "asking" }
  | { readonly is: "in"; readonly session: DashboardSessionView }
  | { readonly is: "out"; readonly trouble: WireError | null };

/** Lets in whoever has a session, or a link that opens one; asks everybody else for a link. */
export function SessionGate({ children }: { readonly children: ReactNode }) {
  const [state, setState] = useState<State>({ is: "asking" });
  useEffect(() => {
    const stop = new AbortController();
    enter(stop.signal).then(setState, (error: unknown) => {
      if (!stop.signal.aborted) setState({ is: "out", trouble: wireOf(error) });
    });
    return () => stop.abort();
  }, []);
  useEffect(
    () =>
      onSessionOver(() => {
        half.forget();
        setState({ is: "out", trouble: null });
      }),
    [],
  );
  if (state.is === "in") return <Session value={state.session}>{children}</Session>;
  if (state.is === "asking")
    return (
      <main className="door">
        <Loader aria-label="One moment" />
      </main>
    );
  return (
    <Door
      trouble={state.trouble}
      onCode={async (code) => {
        try {
          setState({ is: "in", session: await open(code) });
        } catch (error) {
          setState({ is: "out", trouble: wireOf(error) });
        }
      }}
    />
  );
}

/** A code of a link opens one session: asked for twice, as React does while it is developed, it would be over the second time. */
let opening: Promise<DashboardSessionView> | null = null;

async function enter(signal: AbortSignal): Promise<State> {
  const code = takeCode();
  if (code !== null) opening = open(code);
  if (opening !== null) return { is: "in", session: await opening };
  if (half.read() === null) return { is: "out", trouble: null };
  try {
    return { is: "in", session: await get<DashboardSessionView>("/v1/dashboard/session", signal) };
  } catch (error) {
    if (!isNoSession(error)) throw error;
    half.forget();
    return { is: "out", trouble: null };
  }
}

/** What the address says after `#code=`, which it says no longer. */
function takeCode(): string | null {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code !== null) history.replaceState(null, "", location.pathname + location.search);
  return code;
}

async function open(code: string): Promise<DashboardSessionView> {
  const { half: kept, ...session } = await post<DashboardOpenedView>("/v1/dashboard/open", { code });
  half.keep(kept);
  return session;
}

type DoorProps = { readonly trouble: WireError | null; readonly onCode: (code: string) => Promise<void> };

function Door({ trouble, onCode }: DoorProps) {
  const [text, setText] = useState("");
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const code = /#code=([\w-]+)/.exec(text)?.[1] ?? text.trim();
    if (code !== "") void onCode(code);
    setText("");
  };
  return (
    <main className="door">
      <Paper className="card door-card" p="xl">
        <Stack gap="md">
          <Logo />
          <Title order={1} size="h3">
            Open the dashboard
          </Title>
          <Text c="dimmed" size="sm">
            On the machine that runs the control plane, in the product's directory, type the command below and open the
            link that it prints. It is good once, for five minutes.
          </Text>
          <Code block>slipway dashboard</Code>
          {trouble !== null && <Trouble error={trouble} />}
          <form onSubmit={submit}>
            <Stack gap="xs">
              <TextInput
                label="Or paste the link here"
                description="Where the dashboard is reached through a tunnel, at another port than the link says"
                value={text}
                onChange={(event) => setText(event.currentTarget.value)}
                autoComplete="off"
              />
              <Button type="submit" disabled={text.trim() === ""}>
                Open
              </Button>
            </Stack>
          </form>
        </Stack>
      </Paper>
    </main>
  );
}
