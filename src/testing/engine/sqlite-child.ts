import { serveChild } from "./child.ts";
import { openSqlitePlace } from "./sqlite.ts";

await serveChild(() => openSqlitePlace(process.argv[2] ?? ""));
