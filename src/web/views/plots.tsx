import type { JSX } from 'preact';
import { plot, type Sample } from '../model/plot.js';

const WIDTH = 340;
const HEIGHT = 44;

interface Line { readonly label: string; readonly samples: readonly Sample[]; readonly css: string }

/** One or two lines in one small picture, of which a sentence says the same. */
export function Plot({
  title,
  lines,
  spanMs,
  format,
}: {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly spanMs: number;
  format(value: number): string;
}): JSX.Element {
  const top = Math.max(...lines.map(({ samples }) => plot(samples, WIDTH, HEIGHT, spanMs).top));
  const now = (samples: readonly Sample[]): string => {
    const last = samples.at(-1);
    return last === undefined ? '–' : format(last.value);
  };
  return (
    <figure class="plot">
      <figcaption>
        {title}
        <span class="grow" />
        {lines.map(({ label, samples, css }) => (
          <span key={label} class={css}>
            {label !== '' && <i aria-hidden="true" />}
            {label} <b>{now(samples)}</b>
          </span>
        ))}
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${title}: ${lines.map(({ label, samples }) => `${label} ${now(samples)}`).join(', ')}`}
      >
        <line x1="0" x2={WIDTH} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} class="ground" />
        {lines.map(({ label, samples, css }) => {
          const own = plot(samples, WIDTH, HEIGHT, spanMs);
          // all lines of one picture have one scale
          const scale = own.top / top;
          return (
            <g key={label} class={css} transform={`translate(0 ${HEIGHT * (1 - scale)}) scale(1 ${scale})`}>
              <polygon points={own.area} />
              <polyline points={own.line} vector-effect="non-scaling-stroke" />
            </g>
          );
        })}
      </svg>
    </figure>
  );
}
