import { resolve } from "node:path";
import { SlipwayError } from "../../core/errors/error.ts";
import { connect, whereIsState } from "../connect.ts";
import { output } from "../output.ts";
import { type GlobalOptions, withSession } from "../session.ts";
import { prepareStateDirectory } from "../state-directory.ts";
import { sign, style } from "../terminal/style.ts";
import { restoreStore } from "../wire.ts";

/** Writes a consistent copy of the state while everything goes on. */
export function backupState(file: string, options: GlobalOptions): Promise<number> {
  return withSession(options, async (session) => {
    const to = resolve(file);
    await session.client.post("/v1/state/backup", { file: to });
    session.out.line(`${style.good(sign.done)} state copied to ${to}`);
    session.out.json({ file: to });
    return 0;
  });
}

/** Puts a copy in the place of the state; the state that was there is kept aside. The control plane must be down. */
export async function restoreState(file: string, options: GlobalOptions): Promise<number> {
  const out = output(options);
  const at = whereIsState(options.stateDir);
  const up = await connect({ stateDir: options.stateDir, start: false }).then(
    ({ client }) => {
      client.close();
      return true;
    },
    () => false,
  );
  if (up) {
    throw new SlipwayError("STORE_LOCKED", {
      message: "the control plane runs and uses this state",
      hint: "run: slipway down, then restore, then: slipway up",
    });
  }
  prepareStateDirectory(at);
  const restored = await restoreStore({ directory: at.root, from: resolve(file) });
  out.line(`${style.good(sign.done)} state restored from ${resolve(file)}`);
  if (restored.replaced !== null) out.line(`  what was there is kept in ${restored.replaced}`);
  out.json(restored);
  return 0;
}
