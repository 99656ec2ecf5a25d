import { useEffect, useRef, useState } from "react";
import type { LogPieceView } from "../../../src/api/contract.ts";
import type { WireError } from "../../../src/core/errors/error.ts";
import { type Line, LogLines, type Look } from "../ansi.ts";
import { follow, wireOf } from "../api.ts";
import { useIsSeen } from "../live.ts";
import { Trouble } from "./trouble.tsx";

/** More lines than somebody reads, and no more than a browser lays out at once. */
const mostLines = 2_000;
/** Near enough to the end to be taken along with it. */
const nearPx = 40;

type LogProps = { readonly run: string; readonly step: string; readonly isRunning: boolean };

/** What a step prints, as it prints it, with its colours. Stays at the end until somebody scrolls away from it. */
export function Log({ run, step, isRunning }: LogProps) {
  const [shown, setShown] = useState<{ readonly lines: readonly Line[]; readonly left: number }>({
    lines: [],
    left: 0,
  });
  const [trouble, setTrouble] = useState<WireError | null>(null);
  const box = useRef<HTMLElement>(null);
  const isAtEnd = useRef(true);

  const isSeen = useIsSeen();
  useEffect(() => {
    if (!isSeen) return;
    const stop = new AbortController();
    const lines = new LogLines(mostLines);
    let drawing = 0;
    const draw = (): void => {
      drawing = 0;
      setShown({ lines: lines.all(), left: lines.left });
    };
    const read = async (): Promise<void> => {
      const query = new URLSearchParams({ step, follow: "true" });
      for await (const piece of follow<LogPieceView>(`/v1/runs/${run}/logs?${query}`, stop.signal)) {
        lines.add(piece.text);
        // Many pieces a second, one picture a frame.
        if (drawing === 0) drawing = requestAnimationFrame(draw);
      }
    };
    read().catch((error: unknown) => {
      if (!stop.signal.aborted) setTrouble(wireOf(error));
    });
    return () => {
      stop.abort();
      cancelAnimationFrame(drawing);
    };
  }, [run, step, isSeen]);

  useEffect(() => {
    const place = box.current;
    if (place !== null && isAtEnd.current && shown.lines.length > 0) place.scrollTop = place.scrollHeight;
  }, [shown]);

  if (trouble !== null) return <Trouble error={trouble} />;
  if (shown.lines.length === 0)
    return <p className="quiet small">{isRunning ? "It has printed nothing yet." : "It has printed nothing."}</p>;
  return (
    <>
      {shown.left > 0 && (
        <p className="quiet small">
          {shown.left} lines before these: <code>slipway logs --run {run}</code>
        </p>
      )}
      <section
        ref={box}
        className="log"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
        tabIndex={0}
        aria-label={`Log of ${step}`}
        onScroll={({ currentTarget: place }) => {
          isAtEnd.current = place.scrollHeight - place.scrollTop - place.clientHeight < nearPx;
        }}
      >
        <pre>
          {shown.lines.map((line, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: lines are only added
            <span key={index + shown.left} className="line">
              {line.map(({ text, look }, at) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: pieces of a line never move
                <Piece key={at} text={text} look={look} />
              ))}
              {"\n"}
            </span>
          ))}
        </pre>
      </section>
    </>
  );
}

function Piece({ text, look }: { readonly text: string; readonly look: Look }) {
  const { colour, background, bold, dim, italic, underline } = look;
  const names = [
    typeof colour === "number" ? `ansi-${colour}` : "",
    typeof background === "number" ? `ansi-on-${background}` : "",
    bold ? "bold" : "",
    dim ? "dim" : "",
    italic ? "italic" : "",
    underline ? "underline" : "",
  ].filter((name) => name !== "");
  const own = {
    ...(typeof colour === "string" ? { color: colour } : {}),
    ...(typeof background === "string" ? { background } : {}),
  };
  if (names.length === 0 && Object.keys(own).length === 0) return text;
  return (
    <span className={names.join(" ")} style={own}>
      {text}
    </span>
  );
}
