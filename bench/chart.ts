/** A bar chart as SVG that can be read on light and on dark pages. */

export interface Group {
  readonly title: string;
  /** One for each series. */
  readonly values: readonly number[];
}

const COLOURS = ['#2f81f7', '#8b949e', '#b07d2b', '#a371f7', '#3fb950'];
const BAR = 11;
const GAP = 16;
const LEFT = 130;
const WIDTH = 760;

/** Horizontal bars in groups, with a line at 1. */
export function bars(title: string, series: readonly string[], groups: readonly Group[]): string {
  const most = Math.max(1.1, ...groups.flatMap(({ values }) => values.filter(Number.isFinite)));
  const x = (value: number) => LEFT + (value / most) * (WIDTH - LEFT - 50);
  const parts: string[] = [];
  let y = 54;
  const legend = series.map((name, index) => {
    const at = LEFT + index * 150;
    return `<rect x="${at}" y="30" width="11" height="11" fill="${COLOURS[index]}"/><text x="${at + 16}" y="40">${escaped(name)}</text>`;
  });
  for (const { title, values } of groups) {
    parts.push(
      `<text x="${LEFT - 10}" y="${y + (BAR * values.length) / 2 + 4}" text-anchor="end">${escaped(title)}</text>`,
    );
    for (const [index, value] of values.entries()) {
      if (Number.isFinite(value)) {
        parts.push(
          `<rect x="${LEFT}" y="${y + 1}" width="${(x(value) - LEFT).toFixed(1)}" height="${BAR - 2}" fill="${COLOURS[index]}"/>`,
          `<text class="value" x="${(x(value) + 4).toFixed(1)}" y="${y + BAR - 2}">${value.toFixed(2)}</text>`,
        );
      }
      y += BAR;
    }
    y += GAP;
  }
  const line = `<line x1="${x(1)}" x2="${x(1)}" y1="50" y2="${y - GAP + 4}"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" role="img" aria-label="${escaped(title)}">
<style>
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 14px }
.value { font-size: 10px }
line { stroke: #24292f; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } line { stroke: #e6edf3 } }
</style>
<text class="title" x="${LEFT}" y="18">${escaped(title)}</text>
${[...legend, line, ...parts].join('\n')}
</svg>
`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
