import { type Compared, median, type Spread, spreadOf } from './statistics.ts'

/** One measured number. */
export interface Figure {
  readonly bench: string
  readonly figure: string
  readonly value: number
  readonly unit: string
  /** What must be kept: by the ratio where there is a baseline, else by the value. Null when nothing must. */
  readonly floor: number | null
  /** The same of what it is compared with, from the same run and in the same unit. */
  readonly baseline: number | null
  readonly ratio: number | null
  /** A floor of `more` is the least that will do; of `less`, the most. */
  readonly better: 'more' | 'less'
  /** Least and most of the repetitions: of the ratio where there is one, else of the value. */
  readonly spread: Spread
}

type Named = Pick<Figure, 'bench' | 'figure' | 'unit' | 'better'> & { readonly floor?: number | null }

/** A figure beside its baseline. */
export const comparedFigure = ({ floor = null, ...named }: Named, of: Compared): Figure => {
  const { value, baseline, ratio, ratios } = of
  return { ...named, floor, value, baseline, ratio, spread: ratios }
}

/** A figure that stands alone: the median of its repetitions, or what `pick` takes. */
export const plainFigure = (
  { floor = null, ...named }: Named,
  values: readonly number[],
  pick: (values: readonly number[]) => number = median,
): Figure => ({ ...named, floor, value: pick(values), baseline: null, ratio: null, spread: spreadOf(values) })

/** Whether the figure keeps its floor. */
export const keepsFloor = ({ floor, value, ratio, better }: Figure): boolean => {
  if (floor === null) return true
  const measured = ratio ?? value
  return better === 'more' ? measured >= floor : measured <= floor
}

/** Four significant digits: the rest is noise. */
const rounded = (value: number | null): number | null => (value === null ? null : Number(value.toPrecision(4)))

/** The figure as one line for programs. */
export const jsonLine = ({ bench, figure, value, unit, floor, baseline, ratio }: Figure): string =>
  JSON.stringify({
    bench,
    figure,
    value: rounded(value),
    unit,
    floor,
    baseline: rounded(baseline),
    ratio: rounded(ratio),
  })

/** A number for people: 1,234,567 or 12.3 or 0.0123. */
export const shown = (value: number): string => {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 4
  return value.toLocaleString('en-US', { maximumFractionDigits: digits })
}

const floorText = (figure: Figure): string => {
  if (figure.floor === null) return ''
  const bound = `${figure.better === 'more' ? '≥' : '≤'} ${shown(figure.floor)}`
  return keepsFloor(figure) ? `${bound} kept` : `${bound} MISSED`
}

/** The figures of one benchmark as lines for people. */
export const table = (figures: readonly Figure[]): string[] => {
  const rows = figures.map((figure) => [
    figure.figure,
    `${shown(figure.value)} ${figure.unit}`,
    figure.baseline === null ? '' : `${shown(figure.baseline)} ${figure.unit}`,
    figure.ratio === null ? '' : `${shown(figure.ratio)} ×`,
    `${shown(figure.spread.least)} – ${shown(figure.spread.most)}`,
    floorText(figure),
  ])
  const head = ['', 'measured', 'baseline', 'ratio', 'spread', 'floor']
  const widths = head.map((title, column) => Math.max(...[head, ...rows].map((row) => (row[column] ?? title).length)))
  return [head, ...rows].map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}
