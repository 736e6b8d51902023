import { asError, type DeadLetter, RecordError, toBase64 } from '../../../core/index.ts'
import { encodeCursor } from '../../../wire/index.ts'
import type { ShardSplit } from './shard-split.ts'

/** A LogGroup that cannot be read, and why. */
export interface InvalidGroup {
  readonly split: ShardSplit
  /** Its own position; under a server-side query that of the pull. */
  readonly cursor: bigint
  /** What happened, for a person. */
  readonly what: string
  readonly cause: unknown
  /** As it came. */
  readonly bytes: Uint8Array
  /** The bytes are those of the whole answer, compressed as they may be. */
  readonly inAnswer?: boolean | undefined
}

/** Most bytes of a LogGroup that a dead letter holds: what follows is cut off. */
const letterBytesMax = 1024 * 1024

/** The first line of what was thrown: the fix of an error is for whoever makes the call. */
const reasonOf = (thrown: unknown): string => asError(thrown).message.split('\n')[0] ?? ''

const placeOf = ({ split, cursor }: InvalidGroup) => ({ split: split.splitId, position: encodeCursor(cursor) })

export const letterOf = (group: InvalidGroup, step: string): DeadLetter => {
  const { bytes, what, cause, inAnswer } = group
  const reason = `${what}: ${reasonOf(cause)}${inAnswer ? '; kept is the body of the answer as it came' : ''}`
  const cut = `; of its ${bytes.length} bytes the first ${letterBytesMax} are kept`
  return {
    step,
    reason: bytes.length > letterBytesMax ? reason + cut : reason,
    ...placeOf(group),
    raw: toBase64(bytes.subarray(0, letterBytesMax)),
    encoding: 'base64',
  }
}

/** The policy is to fail. */
export const groupRefused = (group: InvalidGroup): RecordError => {
  const { logstore, shard } = group.split
  return new RecordError('RECORD_INVALID', {
    message: `shard ${shard} of ${logstore}: ${group.what}: ${reasonOf(group.cause)}`,
    place: placeOf(group),
    fix: "pass over such LogGroups with onInvalid: 'skip', or keep them with onInvalid: 'dead-letter'",
    cause: group.cause,
  })
}

/** Whatever the policy: so many are no accident. */
export const tooManyInvalid = (group: InvalidGroup, inRow: number): RecordError => {
  const { logstore, shard } = group.split
  return new RecordError('RECORD_INVALID', {
    message: `shard ${shard} of ${logstore}: ${inRow} LogGroups in a row cannot be decoded, so that something else is wrong; of the last one: ${group.what}: ${reasonOf(group.cause)}`,
    place: { ...placeOf(group), option: 'invalidInRowMax' },
    fix: 'find out what writes them, and whether the endpoint is that of the log service; or raise invalidInRowMax',
    cause: group.cause,
  })
}

/** Under a query nobody knows which LogGroups an answer covers. */
export const pullRefused = (group: InvalidGroup): RecordError => {
  const { logstore, shard } = group.split
  return new RecordError('RECORD_INVALID', {
    message: `shard ${shard} of ${logstore}: ${group.what}, and under a query no single LogGroup can be passed over: ${reasonOf(group.cause)}`,
    place: { ...placeOf(group), option: 'query' },
    fix: 'look for a proxy that changes answers; or read that part of the shard without a query',
    cause: group.cause,
  })
}
