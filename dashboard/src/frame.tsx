import { ActionIcon, Badge, Button, Menu, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { Link, Outlet } from "@tanstack/react-router";
import { post } from "./api.ts";
import { Logo } from "./parts/logo.tsx";
import { Trouble } from "./parts/trouble.tsx";
import { useSession } from "./session.tsx";
import { sessionOver } from "./session-over.ts";
import { StatusStream, useStatus, waitingIn } from "./status.tsx";

const places = [
  { to: "/", label: "Overview" },
  { to: "/approvals", label: "Approvals" },
  { to: "/deployments", label: "Deployments" },
  { to: "/runs", label: "Runs" },
] as const;

/** What is around every page. */
export function Frame() {
  return (
    <StatusStream>
      <a className="skip" href="#content">
        Skip to the content
      </a>
      <Header />
      <main id="content" tabIndex={-1}>
        <Away />
        <Outlet />
      </main>
    </StatusStream>
  );
}

function Header() {
  const { product, person } = useSession();
  const waiting = waitingIn(useStatus().value).length;
  return (
    <header className="top">
      <Link to="/" className="brand" aria-label={`${product}: overview`}>
        <Logo size={28} />
        <strong>{product}</strong>
      </Link>
      <nav aria-label="Pages">
        {places.map(({ to, label }) => (
          <Link key={to} to={to} activeOptions={{ exact: to === "/" }} activeProps={{ className: "here" }}>
            {label}
            {to === "/approvals" && waiting > 0 && (
              <Badge size="sm" circle color="yellow" aria-label={`${waiting} wait`}>
                {waiting}
              </Badge>
            )}
          </Link>
        ))}
      </nav>
      <div className="who">
        <Scheme />
        <Menu position="bottom-end" withinPortal>
          <Menu.Target>
            <Button variant="default" size="xs" className="person">
              <span>{person}</span>
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Label>You speak as {person}</Menu.Label>
            <Menu.Item onClick={signOut}>End this session</Menu.Item>
          </Menu.Dropdown>
        </Menu>
      </div>
    </header>
  );
}

async function signOut(): Promise<void> {
  await post("/v1/dashboard/end", {}).catch(() => {}); // it is over here in any case
  sessionOver();
}

function Scheme() {
  const { setColorScheme } = useMantineColorScheme();
  const isDark = useComputedColorScheme("light") === "dark";
  const label = isDark ? "Light colours" : "Dark colours";
  return (
    <ActionIcon
      variant="default"
      size={30}
      aria-label={label}
      title={label}
      onClick={() => setColorScheme(isDark ? "light" : "dark")}
    >
      <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
        <circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" strokeWidth="1.5" />
        <path d="M8 1.8a6.2 6.2 0 0 1 0 12.4z" fill="currentColor" />
      </svg>
    </ActionIcon>
  );
}

function Away() {
  const { trouble } = useStatus();
  return trouble === null ? null : <Trouble error={trouble} />;
}
