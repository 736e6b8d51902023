import { DataLossError, isMillraceError } from '../../../core/index.ts'
import { encodeCursor } from '../../../wire/index.ts'
import { cursorOf } from './fetched-groups.ts'
import type { LogstoreCalls, Missing } from './log-service.ts'
import type { ShardSplit } from './shard-split.ts'

/** Why data of a shard that was not read cannot be read any more. */
export type Loss =
  /** The shard is there; its first group now is `begin`, and `end` the next one to be written. */
  | { readonly kind: 'expired'; readonly begin: bigint; readonly end: bigint }
  /** The position lies behind the end of the shard: the service has lost, or was given back, older data. */
  | { readonly kind: 'ahead'; readonly end: bigint }
  /** Groups in the middle of an answer are not there. `next` is the first one after them. */
  | { readonly kind: 'hole'; readonly groups: bigint; readonly next: bigint }
  | { readonly kind: 'shard-gone' }
  | { readonly kind: 'recreated' }
  | { readonly kind: 'logstore-gone' }

/**
 * Finds out what became of a shard, after the service said that the shard or the cursor is not there. Undefined: it is
 * there after all.
 */
export const findLoss = async (
  calls: LogstoreCalls,
  split: ShardSplit,
  missing: Missing,
  missingOf: (error: unknown) => Missing | undefined,
  signal: AbortSignal,
): Promise<Loss | undefined> => {
  if (missing === 'logstore' || missing === 'project') return { kind: 'logstore-gone' }
  try {
    const listed = (await calls.listShards(signal)).find(({ id }) => id === split.shard)
    if (listed === undefined) return { kind: 'shard-gone' }
    if (listed.createTime !== split.createTime) return { kind: 'recreated' }
    // Nothing was read of it yet: there is no gap.
    if (split.cursor === 'begin') return undefined
    const begin = await calls.cursor(split.shard, 'begin', signal)
    const end = await calls.cursor(split.shard, 'end', signal)
    const { cursor } = split
    if (cursor < begin) return { kind: 'expired', begin, end }
    return cursor > end ? { kind: 'ahead', end } : undefined
  } catch (thrown) {
    const deeper = missingOf(thrown)
    if (deeper === undefined) throw thrown
    return deeper === 'shard' ? { kind: 'shard-gone' } : deeper === 'cursor' ? undefined : { kind: 'logstore-gone' }
  }
}

/**
 * Where reading goes on at the earliest when the position has expired: under a query behind the pull that was given out in
 * part, because what is left of it may have been given out.
 */
const earliestOf = ({ begin }: Loss & { kind: 'expired' }, { pullEnd }: ShardSplit): bigint =>
  pullEnd !== undefined && pullEnd > begin ? pullEnd : begin

/** LogGroups lost, as far as they can be counted; of those of a pull that was given out in part, all. */
export const lostGroups = (loss: Loss, split: ShardSplit): bigint => {
  if (loss.kind === 'hole') return loss.groups
  return loss.kind === 'expired' ? earliestOf(loss, split) - cursorOf(split) : 0n
}

/** The split after the loss was accepted. What is left of a shard that is there is read on. */
export const afterLoss = (split: ShardSplit, loss: Loss, policy: 'earliest' | 'latest'): ShardSplit => {
  const counted = {
    ...split,
    skip: 0,
    pullEnd: undefined,
    losses: split.losses + 1,
    lostGroups: split.lostGroups + Number(lostGroups(loss, split)),
  }
  switch (loss.kind) {
    case 'expired':
      return { ...counted, cursor: policy === 'earliest' ? earliestOf(loss, split) : loss.end }
    case 'ahead':
      return { ...counted, cursor: loss.end }
    case 'hole':
      return { ...counted, cursor: loss.next }
    default:
      return { ...counted, state: 'finished' }
  }
}

/** What happened, as a sentence for a person. */
export const lossText = (loss: Loss, split: ShardSplit): string => {
  const { logstore, shard } = split
  const name = `shard ${shard} of ${logstore}`
  switch (loss.kind) {
    case 'expired': {
      const until = earliestOf(loss, split)
      const gap = `from ${positionText(cursorOf(split))} up to ${positionText(until)}`
      const rest =
        until === loss.begin
          ? ''
          : '; those that are there still may have been given out, which under a query nobody can tell'
      return `${name}: ${lostGroups(loss, split)} LogGroups, ${gap}, expired before they were read${rest}`
    }
    case 'ahead':
      return `${name}: the position lies behind the end of the shard, ${positionText(loss.end)}; the service lost what was there`
    case 'hole':
      return `${name}: ${loss.groups} LogGroups up to ${positionText(loss.next)} are not given any more`
    case 'shard-gone':
      return `${name} is gone, deleted or expired as a whole, before it was read to its end`
    case 'recreated':
      return `${name} was made anew: the logstore was deleted and created again before the old shard was read to its end`
    case 'logstore-gone':
      return `the logstore ${logstore} is gone before its shard ${shard} was read to its end`
  }
}

export const dataLost = (loss: Loss, split: ShardSplit, cause: unknown): DataLossError =>
  new DataLossError('DATA_LOSS', {
    message: lossText(loss, split),
    place: {
      split: split.splitId,
      position: split.cursor === 'begin' ? 'begin' : encodeCursor(split.cursor),
      option: 'onDataLoss',
    },
    fix: "accept the gap with onDataLoss: 'earliest', which goes on with what is left, or 'latest', which goes on at the end",
    ...(isMillraceError(cause) ? { cause } : {}),
  })

const positionText = (position: bigint): string => `${encodeCursor(position)} (${position})`
