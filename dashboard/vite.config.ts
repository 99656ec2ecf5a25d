import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

// Whoever builds it for tests says "test", and would get the React that one develops with: half as large again.
process.env.NODE_ENV = "production";

/** Built into the package: the control plane serves the files, and React is needed by nobody who runs it. */
export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  base: "/dashboard/",
  build: {
    outDir: "../dist/dashboard",
    emptyOutDir: true,
    target: "es2022",
    // Everything is a file of ours: the page's policy lets nothing else in.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Held in gzip by a test on the built files.
    chunkSizeWarningLimit: 2_000,
    rolldownOptions: {
      onLog: (level, log, handle) => {
        // "use client" is for servers that render: there is none here.
        if (log.code === "MODULE_LEVEL_DIRECTIVE") return;
        // A bundle with a doubt in it is none.
        handle(level === "warn" ? "error" : level, log);
      },
    },
  },
});
