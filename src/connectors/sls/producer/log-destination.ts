import type { Destination } from '../../../sink/index.ts'
import { encodeLogGroup } from '../../../wire/index.ts'
import { packTagBytesMax, packTagName } from './pack-tag.ts'

export type Tags = readonly (readonly [string, string])[]

/** Everything a package has in common. */
export interface LogPlace {
  readonly project: string
  readonly logstore: string
  readonly topic: string | undefined
  readonly source: string | undefined
  readonly tags: Tags
  /** 32 lower-case hex digits; undefined lets the service choose the shard. */
  readonly hashKey: string | undefined
}

/** Where logs go that may travel in one LogGroup. */
export interface LogDestination extends Destination {
  readonly place: LogPlace
}

/** The fields of a LogGroup behind its logs. */
export const groupTrailer = ({ topic, source, tags }: LogPlace, packId: string | undefined): Uint8Array =>
  encodeLogGroup({ logs: [], topic, source, tags: packId === undefined ? tags : [...tags, [packTagName, packId]] })

/** Destinations that are remembered. */
const knownMax = 8192
const noTags: Tags = []

/** Finds the destination of each log; the same object for the same place. */
export class LogDestinations {
  readonly #known = new Map<string, LogDestination>()
  readonly #lanePrefix: string
  readonly #packTags: boolean
  #last: LogDestination | undefined

  /** @param lanePrefix tells the services of a process apart: their endpoint */
  constructor(lanePrefix: string, packTags: boolean) {
    this.#lanePrefix = lanePrefix
    this.#packTags = packTags
  }

  of(place: LogPlace): LogDestination {
    const last = this.#last
    if (last !== undefined && isSame(last.place, place)) return last
    const { project, logstore, topic, source, tags, hashKey } = place
    const key = JSON.stringify([project, logstore, topic ?? null, source ?? null, hashKey ?? null, ...tags])
    const found = this.#known.get(key) ?? this.#add(key, place)
    this.#last = found
    return found
  }

  #add(key: string, place: LogPlace): LogDestination {
    // A tag list of the user's may change under our hands.
    const tags = place.tags.length === 0 ? noTags : place.tags.map(([name, value]) => [name, value] as const)
    const kept: LogPlace = { ...place, tags }
    const overheadBytes = groupTrailer(kept, this.#packTags ? '0'.repeat(packTagBytesMax) : undefined).length
    const destination: LogDestination = {
      key,
      lane: `${this.#lanePrefix} ${place.project}`,
      overheadBytes,
      place: kept,
    }
    if (this.#known.size >= knownMax) this.#known.clear()
    this.#known.set(key, destination)
    return destination
  }
}

const isSame = (a: LogPlace, b: LogPlace): boolean =>
  a.logstore === b.logstore &&
  a.topic === b.topic &&
  a.hashKey === b.hashKey &&
  a.source === b.source &&
  a.project === b.project &&
  isSameTags(a.tags, b.tags)

const isSameTags = (a: Tags, b: Tags): boolean =>
  a.length === b.length && a.every(([name, value], index) => name === b[index]?.[0] && value === b[index]?.[1])
