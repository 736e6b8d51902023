import type { Entry, LogStorage, StreamId } from '../../../src/logservice/storage/index.ts'
import { bytesOf, fact, readAll, textOf } from './desk.ts'

/** A commit as the outside knows it: made in this order, and then confirmed, refused, or never heard of again. */
export interface Call {
  readonly id: number
  readonly groups: readonly { readonly stream: StreamId; readonly text: string; readonly receivedMs: number }[]
  status: 'pending' | 'confirmed' | 'refused'
}

/** One stream of the plain model. */
interface ModelStream {
  readonly texts: string[]
  readonly times: number[]
  /** Trims up to here were confirmed, or asked for. */
  trimmedTo: number
  trimAskedTo: number
  dropAsked: boolean
  dropped: boolean
}

/**
 * What the storage must hold, kept outside of the machine, where nothing is forgotten. Each call carries a fact with its
 * id, so the facts tell which calls are durable, in which order.
 */
export class StorageLedger {
  readonly streams = new Map<StreamId, ModelStream>()
  /** Ids of calls that are known to be durable, in order. */
  readonly #durable: number[] = []
  /** Calls since the last restart, in the order they were made. */
  #calls: Call[] = []
  /** The owner's state of the process that lives: what its snapshot would say. */
  #applied: number[] = []
  #lastId = 0
  readonly #violate: (what: string) => void

  constructor(violate: (what: string) => void) {
    this.#violate = violate
  }

  get confirmedCount(): number {
    return this.#durable.length
  }

  snapshot(): Uint8Array {
    return bytesOf(JSON.stringify(this.#applied))
  }

  stream(id: StreamId): ModelStream {
    const known = this.streams.get(id)
    if (known !== undefined) return known
    const stream: ModelStream = {
      texts: [],
      times: [],
      trimmedTo: 0,
      trimAskedTo: 0,
      dropAsked: false,
      dropped: false,
    }
    this.streams.set(id, stream)
    return stream
  }

  call(groups: readonly { readonly stream: StreamId; readonly size: number; readonly receivedMs: number }[]): Call {
    const id = ++this.#lastId
    const texts = groups.map(({ stream, size, receivedMs }, at) => ({
      stream,
      receivedMs,
      text: `${id}.${at}`.padEnd(size, '~'),
    }))
    const call: Call = { id, groups: texts, status: 'pending' }
    this.#calls.push(call)
    return call
  }

  /** The call was confirmed: its fact is applied in the same turn, and everything before it has been settled. */
  confirmed(call: Call): void {
    call.status = 'confirmed'
    this.#applied.push(call.id)
    const before = this.#calls.slice(0, this.#calls.indexOf(call))
    if (before.some(({ status }) => status === 'pending')) {
      this.#violate(`call ${call.id} was confirmed before one that was made earlier`)
    }
    this.#makeDurable(call)
    // What was refused before it can never come back.
    this.#calls = this.#calls.slice(before.length + 1)
  }

  /** What a restart finds decides about the calls that nobody heard of. */
  recovered(storage: LogStorage, snapshot: Uint8Array | undefined, facts: readonly Uint8Array[]): void {
    const known = snapshot === undefined ? [] : (JSON.parse(textOf(snapshot)) as number[])
    const found = [...known, ...facts.map((bytes) => Number(textOf(bytes)))]
    const confirmed = found.slice(0, this.#durable.length)
    if (confirmed.join() !== this.#durable.join()) {
      this.#violate(`confirmed calls are ${this.#durable.join()}; a restart found ${found.join()}`)
      return
    }
    let candidates = this.#calls
    for (const id of found.slice(this.#durable.length)) {
      const at = candidates.findIndex((call) => call.id === id)
      const skipped = candidates.slice(0, Math.max(0, at))
      const call = candidates[at]
      if (call === undefined || skipped.some(({ status }) => status === 'pending')) {
        this.#violate(`a restart found call ${id}, which comes after one that is missing, or never was`)
        return
      }
      this.#makeDurable(call)
      candidates = candidates.slice(at + 1)
    }
    this.#calls = []
    this.#applied = [...found]
    this.checkShape(storage, 'after a restart')
    for (const [id, stream] of this.streams) {
      if (stream.dropped) continue
      if (stream.dropAsked && storage.end(id) === 0) stream.dropped = true
      stream.trimmedTo = storage.begin(id)
      stream.trimAskedTo = stream.trimmedTo
      stream.dropAsked = stream.dropped
    }
  }

  /** Begin, end, bytes and times of every stream. */
  checkShape(storage: LogStorage, when: string): void {
    for (const [id, { texts, times, trimmedTo, trimAskedTo, dropAsked, dropped }] of this.streams) {
      const [begin, end] = [storage.begin(id), storage.end(id)]
      if (dropped || (dropAsked && end === 0)) {
        if (end !== 0 && !dropAsked) this.#violate(`${when}, dropped stream ${id} has an end of ${end}`)
        continue
      }
      if (end !== texts.length) this.#violate(`${when}, stream ${id} ends at ${end}, not at ${texts.length}`)
      if (begin < trimmedTo || begin > trimAskedTo) {
        this.#violate(`${when}, stream ${id} begins at ${begin}, not within ${trimmedTo} to ${trimAskedTo}`)
      }
      const bytes = texts.slice(begin).reduce((sum, text) => sum + text.length * 2, 0)
      if (storage.bytes(id) !== bytes)
        this.#violate(`${when}, stream ${id} has ${storage.bytes(id)} bytes, not ${bytes}`)
      const ms = times[Math.floor((begin + end) / 2)] ?? 0
      const expected = times.findIndex((time, index) => index >= begin && time >= ms)
      const first = storage.firstReceivedFrom(id, ms)
      if (first !== (expected < 0 ? end : expected)) this.#violate(`${when}, stream ${id} finds time ${ms} at ${first}`)
    }
  }

  /** Reads a whole stream and compares. */
  async checkGroups(storage: LogStorage, id: StreamId, from: number): Promise<void> {
    const stream = this.stream(id)
    const groups = await readAll(storage, id, from)
    let next = groups[0]?.index ?? from
    for (const { index, block, receivedMs } of groups) {
      const text = stream.texts[index]
      // A group of a call that was made durable just now, and not yet heard of.
      if (text !== undefined && (textOf(block) !== text || receivedMs !== stream.times[index])) {
        this.#violate(`stream ${id} gives ${textOf(block)} at ${index}, not ${text}`)
      }
      // A trim in between may take groups away, and nothing else may.
      if (index !== next && !(index > next && index <= stream.trimAskedTo)) {
        this.#violate(`stream ${id} gives ${index}, not ${next}`)
      }
      next = index + 1
    }
    const wanted = Math.max(from, stream.trimAskedTo)
    const missing = wanted < stream.texts.length && (groups[0]?.index ?? stream.texts.length) > wanted
    if (missing && !stream.dropAsked) this.#violate(`stream ${id} does not give ${wanted}`)
  }

  #makeDurable(call: Call): void {
    this.#durable.push(call.id)
    for (const { stream, text, receivedMs } of call.groups) {
      this.stream(stream).texts.push(text)
      this.stream(stream).times.push(receivedMs)
    }
  }
}

export const entriesOfCall = ({ id, groups }: Call): Entry[] => [
  ...groups.map(({ stream, text, receivedMs }): Entry => {
    return { kind: 'group', stream, receivedMs, rawBytes: text.length * 2, block: bytesOf(text) }
  }),
  fact(String(id)),
]
