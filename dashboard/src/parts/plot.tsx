import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";

export type PlotProps = {
  readonly label: string;
  /** Oldest first; null where nothing is known: the line has a gap there. */
  readonly points: readonly (number | null)[];
  readonly stepMs: number;
  readonly at: number;
  readonly now: string;
  readonly format: (value: number) => string;
  /** What the line is drawn in: a colour of the style sheet. */
  readonly tone: "busy" | "bad" | "warn" | "good";
};

const heightPx = 40;

/** A small chart: the newest value in figures, the window as a line, and what it was where somebody points. */
export function Plot({ label, points, stepMs, at, now, format, tone }: PlotProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [pointed, setPointed] = useState<string | null>(null);
  const shown = useRef(format);
  shown.current = format;

  useEffect(() => {
    const box = place.current;
    if (box === null) return;
    const colour = (): string => getComputedStyle(box).color;
    const made = new uPlot(
      {
        width: Math.max(40, box.clientWidth),
        height: heightPx,
        legend: { show: false },
        axes: [{ show: false }, { show: false }],
        padding: [4, 0, 2, 0],
        cursor: { y: false, points: { size: 6 }, drag: { setScale: false } },
        scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(high ?? 0, 1e-9) * 1.15] } },
        series: [
          {},
          {
            stroke: colour,
            width: 1.5,
            fill: () => `color-mix(in srgb, ${colour()} 14%, transparent)`,
            points: { show: false },
            spanGaps: false,
          },
        ],
        hooks: {
          setCursor: [
            (self) => {
              const index = self.cursor.idx;
              const value = index == null ? null : self.data[1]?.[index];
              const time = index == null ? null : self.data[0][index];
              setPointed(
                value == null || time == null
                  ? null
                  : `${shown.current(value)} at ${new Date(time * 1_000).toLocaleTimeString()}`,
              );
            },
          ],
        },
      },
      [[], []],
      box,
    );
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: Math.max(40, box.clientWidth), height: heightPx }));
    resized.observe(box);
    const scheme = new MutationObserver(() => made.redraw());
    scheme.observe(document.documentElement, { attributes: true });
    return () => {
      resized.disconnect();
      scheme.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, []);

  useEffect(() => {
    const times = points.map((_, index) => (at - (points.length - 1 - index) * stepMs) / 1_000);
    plot.current?.setData([times, [...points]]);
  }, [points, stepMs, at]);

  return (
    <figure className="plot">
      <figcaption>
        <span>{label}</span>
        <strong>{pointed ?? now}</strong>
      </figcaption>
      <div ref={place} className={`ink ${tone}`} role="img" aria-label={`${label}: ${now}`} />
    </figure>
  );
}
