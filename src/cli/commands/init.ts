import { detectProduct } from "../config/detect.ts";
import { writeConfig } from "../config/write.ts";
import { output } from "../output.ts";
import type { GlobalOptions } from "../session.ts";
import { sign, style, table } from "../terminal/style.ts";

/** Looks at what is in this directory and writes a config that validates. Says what it found and what it only guessed. */
export async function init(options: GlobalOptions & { readonly force?: boolean }): Promise<number> {
  const out = output(options);
  const directory = process.cwd();
  const detection = detectProduct(directory);
  const file = await writeConfig(directory, detection, { force: options.force === true });
  out.json({ file, ...detection });
  out.line(`${style.good(sign.done)} wrote ${file}`);
  const services = Object.entries(detection.product.services ?? {});
  for (const line of table(
    services.map(([name, service]) => [
      `  ${style.name(name)}`,
      service.kind ?? "",
      style.quiet(`from ${detection.services[name]?.from ?? "?"}`),
    ]),
  ))
    out.line(line);
  for (const [name] of services) {
    for (const guess of detection.services[name]?.guesses ?? [])
      out.line(`  ${style.warn(sign.warn)} ${name}: ${guess}`);
  }
  for (const note of detection.notes) out.line(`  ${style.quiet(note)}`);
  out.line(
    `\nNext: read it and commit it (git add -A && git commit), then run: slipway validate && slipway deploy --env ${Object.keys(detection.product.environments ?? { production: {} })[0] ?? "production"}`,
  );
  return 0;
}
