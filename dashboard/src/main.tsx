import "@mantine/core/styles.css";
import "uplot/dist/uPlot.min.css";
import "./style/base.css";
import "./style/cards.css";
import "./style/overview.css";
import "./style/approvals.css";
import "./style/deployment.css";
import "./style/run.css";
import "./style/narrow.css";
import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { createRoot } from "react-dom/client";
import { ApiError } from "./api.ts";
import { router } from "./router.tsx";
import { SessionGate } from "./session.tsx";
import { theme } from "./theme.ts";

/** Of this answer: styles without it are not taken by the browser. */
const nonce = document.querySelector<HTMLMetaElement>('meta[name="style-nonce"]')?.content ?? "";
// Where the library that holds the page still behind a dialog looks for it.
Object.assign(globalThis, { __webpack_nonce__: nonce });
/** What was refused is refused the next time too; what was not answered may be. */
const retry = (count: number, error: unknown): boolean =>
  count < 2 && error instanceof ApiError && error.wire.code === "CONTROL_PLANE_DOWN";
const queries = new QueryClient({ defaultOptions: { queries: { retry, refetchOnWindowFocus: false } } });

createRoot(document.getElementById("root") as HTMLElement).render(
  <MantineProvider theme={theme} defaultColorScheme="auto" getStyleNonce={() => nonce}>
    <QueryClientProvider client={queries}>
      <SessionGate>
        <RouterProvider router={router} />
      </SessionGate>
    </QueryClientProvider>
  </MantineProvider>,
);
