import type { ReactNode } from "react";
import type { Tone } from "../words.ts";

/** A word with its colour; the word says it too, for who sees no colours. */
export function Mark({ tone, children }: { readonly tone: Tone; readonly children: ReactNode }) {
  return (
    <span className={`mark ${tone}`}>
      <span className="dot" aria-hidden="true" />
      {children}
    </span>
  );
}
