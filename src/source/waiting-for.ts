import type { Split } from './source.ts'
import type { SplitProgress } from './split-progress.ts'

interface ReaderCondition {
  readonly closed: boolean
  readonly failure: Error | undefined
  readonly atEnd: boolean
  readonly noMoreSplits: boolean
  /** Splits with records to give out. */
  readonly readable: number
  readonly splits: ReadonlyMap<string, SplitProgress<unknown, Split>>
  readonly nowMs: number
}

/** How many splits are named one by one. */
const namedMax = 3

/** What a reader waits for, in words; troubles first. */
export const waitingForText = (condition: ReaderCondition): string => {
  if (condition.closed) return 'nothing: the reader is closed'
  if (condition.failure !== undefined) return `nothing: the reader failed: ${firstLine(condition.failure.message)}`
  if (condition.atEnd) return 'nothing: all splits are read'
  const degraded = degradedText(condition)
  const suffix = degraded === '' ? '' : `; ${degraded}`
  if (condition.readable > 0) return `poll: ${counted(condition.readable, 'split')} with records${suffix}`
  if (condition.splits.size === 0) return condition.noMoreSplits ? 'nothing: all splits are read' : 'splits to read'
  const parts = [degraded, ...plainParts(condition.splits)]
  return parts.filter((part) => part !== '').join('; ')
}

const plainParts = (splits: ReaderCondition['splits']): string[] => {
  const groups = new Map<string, string[]>()
  for (const split of splits.values()) {
    if (split.degraded !== undefined) continue
    const what = conditionOf(split)
    const ids = groups.get(what)
    if (ids === undefined) groups.set(what, [split.splitId])
    else ids.push(split.splitId)
  }
  return Array.from(groups, ([what, ids]) => `${what} (${named(ids)})`)
}

const conditionOf = (split: SplitProgress<unknown, Split>): string => {
  if (split.paused) return 'resume of paused splits'
  if (split.waitsForBudget) return 'free bytes in the budget'
  if (split.request !== undefined) return 'answers to fetches'
  if (split.cancelTimer !== undefined) return 'the next look for new data'
  return 'their turn'
}

const degradedText = ({ splits, nowMs }: ReaderCondition): string => {
  const lines: string[] = []
  for (const { splitId, degraded, notBeforeMs, request } of splits.values()) {
    if (degraded === undefined) continue
    const next =
      request === undefined ? `next try in ${Math.max(0, Math.round(notBeforeMs - nowMs))} ms` : 'trying again'
    lines.push(
      `split ${splitId} is degraded after ${counted(degraded.failures, 'failure')} (${degraded.error.code}), ${next}`,
    )
  }
  const hidden = lines.length - namedMax
  return [...lines.slice(0, namedMax), ...(hidden > 0 ? [`${counted(hidden, 'more degraded split')}`] : [])].join('; ')
}

const named = (ids: readonly string[]): string =>
  ids.length <= namedMax ? ids.join(', ') : `${ids.slice(0, namedMax).join(', ')} and ${ids.length - namedMax} more`

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? ''
