import { createRootRoute, createRoute, createRouter } from "@tanstack/react-router";
import { Frame } from "./frame.tsx";
import { Approvals } from "./pages/approvals.tsx";
import { NotFound } from "./pages/not-found.tsx";
import { Overview } from "./pages/overview.tsx";

const root = createRootRoute({ component: Frame, notFoundComponent: NotFound });

const routes = [
  createRoute({ getParentRoute: () => root, path: "/", component: Overview }),
  createRoute({ getParentRoute: () => root, path: "/approvals", component: Approvals }),
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
