import type { TransferView } from "../api/transfer-contract.ts";
import { bar, style, table } from "./terminal/style.ts";
import { bytes, clockTime } from "./terminal/words.ts";

/** A line for each image that is on its way. */
export function transferLines(transfers: readonly TransferView[]): string[] {
  return table(
    transfers.map(({ to, doneBytes, totalBytes }) => [
      `    ${style.quiet("to")} ${to}`,
      style.accent(bar(doneBytes / Math.max(1, totalBytes))),
      style.quiet(`${bytes(doneBytes)} of ${bytes(totalBytes)}`),
    ]),
  );
}

/** Says each once, when it is first seen: for what is not drawn in place. */
export function transferTeller(line: (text: string) => void): (at: string, transfers: readonly TransferView[]) => void {
  const told = new Set<string>();
  return (at, transfers) => {
    for (const { to, image, totalBytes } of transfers) {
      if (told.has(`${image} ${to}`)) continue;
      told.add(`${image} ${to}`);
      line(`${clockTime(Date.now())}  ${at}  sending  ${bytes(totalBytes)} to ${to}`);
    }
  };
}
