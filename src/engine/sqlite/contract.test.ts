import { engineContract } from "../../testing/engine/contract.ts";
import { sqliteHarness } from "../../testing/engine/sqlite.ts";

engineContract("sqlite", sqliteHarness);
