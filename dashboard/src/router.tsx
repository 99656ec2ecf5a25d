import { createRootRoute, createRoute, createRouter } from "@tanstack/react-router";
import { Frame } from "./frame.tsx";
import { Approvals } from "./pages/approvals.tsx";
import { Deployment } from "./pages/deployment.tsx";
import { Deployments } from "./pages/deployments.tsx";
import { NewRun } from "./pages/new-run.tsx";
import { NotFound } from "./pages/not-found.tsx";
import { Overview } from "./pages/overview.tsx";
import { Run } from "./pages/run.tsx";
import { Runs } from "./pages/runs.tsx";

const root = createRootRoute({ component: Frame, notFoundComponent: NotFound });

const routes = [
  createRoute({ getParentRoute: () => root, path: "/", component: Overview }),
  createRoute({ getParentRoute: () => root, path: "/approvals", component: Approvals }),
  createRoute({ getParentRoute: () => root, path: "/deployments", component: Deployments }),
  createRoute({ getParentRoute: () => root, path: "/deployments/$id", component: Deployment }),
  createRoute({ getParentRoute: () => root, path: "/runs", component: Runs }),
  createRoute({ getParentRoute: () => root, path: "/runs/new", component: NewRun }),
  createRoute({
    getParentRoute: () => root,
    path: "/runs/$id",
    component: Run,
    validateSearch: ({ step }: Record<string, unknown>): { readonly step?: string } =>
      typeof step === "string" ? { step } : {},
  }),
] as const;

export const router = createRouter({
  routeTree: root.addChildren(routes),
  basepath: "/dashboard",
  scrollRestoration: false,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
