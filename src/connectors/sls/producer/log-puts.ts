import type { SendPackage, SendResult } from '../../../sink/index.ts'
import { groupTrailer, type LogDestination, type LogPlace } from './log-destination.ts'
import { packTag } from './pack-tag.ts'

/** The one call a producer makes. */
export interface LogPuts {
  /** Stores one serialised LogGroup. Tells what became of it and does not try again; rejects only when `signal` aborts. */
  put(place: LogPlace, group: Uint8Array, signal: AbortSignal): Promise<SendResult>
}

/** Where a LogGroup goes that is passed on as it is. */
export type GroupPlace = Pick<LogPlace, 'project' | 'logstore' | 'hashKey'>

/** The calls that pass LogGroups on. Each is as `LogPuts.put`. */
export interface GroupPuts {
  put(place: GroupPlace, group: Uint8Array, signal: AbortSignal): Promise<SendResult>
  /** Several LogGroups with one request. */
  putBatch(place: GroupPlace, groups: readonly Uint8Array[], signal: AbortSignal): Promise<SendResult>
}

/** Sends packages of logs as LogGroups, each with the pack tag of its number when there is a prefix. */
export const sendLogs =
  <T>(puts: LogPuts, packPrefix: string | undefined): SendPackage<LogDestination, T> =>
  (pack, signal) => {
    const { place } = pack.destination
    const packId = packPrefix === undefined ? undefined : packTag(packPrefix, pack.sequence)
    return puts.put(place, pack.followedBy(groupTrailer(place, packId)), signal)
  }
