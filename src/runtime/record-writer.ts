import {
  type Barrier,
  type CheckpointCancelled,
  type EndOfInput,
  hashKey,
  type Key,
  keyGroupOf,
  pickOrigins,
  type RecordBatch,
  subtaskOfKeyGroup,
} from '../core/index.ts'
import type { BoundedChannel } from './bounded-channel.ts'
import type { Output } from './operator.ts'

/** Puts the records of one subtask into the channels of one edge. */
export interface RecordWriter extends Output {
  /** Control elements go to every channel and never wait. */
  broadcast(element: Barrier | CheckpointCancelled | EndOfInput): void
}

const broadcastTo =
  (channels: readonly BoundedChannel[]) =>
  (element: Barrier | CheckpointCancelled | EndOfInput): void => {
    for (const channel of channels) void channel.send(element)
  }

/** Waits for all of several sends, when any of them has to wait. */
const all = (sends: readonly (void | Promise<void>)[]): void | Promise<void> => {
  const waits = sends.filter((send) => send !== undefined)
  if (waits.length === 0) return undefined
  return Promise.all(waits).then(() => {})
}

/** All records to one channel: the same subtask downstream. */
export const forwardWriter = (channel: BoundedChannel): RecordWriter => ({
  emit: (batch) => channel.send(batch),
  broadcast: broadcastTo([channel]),
})

/** Whole batches, one channel after the other. */
export const rebalanceWriter = (channels: readonly BoundedChannel[], first: number): RecordWriter => {
  let next = first % channels.length
  return {
    emit(batch) {
      const channel = channels[next]
      next = (next + 1) % channels.length
      return channel?.send(batch)
    },
    broadcast: broadcastTo(channels),
  }
}

interface Route {
  readonly records: unknown[]
  readonly keys: Key[]
  readonly keyHashes: number[]
  readonly picked: number[]
}

const emptyRoute = (): Route => ({ records: [], keys: [], keyHashes: [], picked: [] })

/** Turns what a user's `keyBy` threw into an error with a place. */
type KeyFailure = (thrown: unknown, batch: RecordBatch, index: number) => Error

/** Every record to the subtask that owns the key group of its key. */
export const keyWriter = (
  channels: readonly BoundedChannel[],
  maxParallelism: number,
  keyOf: (record: unknown) => Key,
  failed: KeyFailure,
): RecordWriter => {
  const [only, ...others] = channels
  return only !== undefined && others.length === 0
    ? keyWriterToOne(only, keyOf, failed)
    : keyWriterToSeveral(channels, maxParallelism, keyOf, failed)
}

/** One receiver gets the records as they are, with the keys beside them (bench: runtime, key-exchange). */
const keyWriterToOne = (
  channel: BoundedChannel,
  keyOf: (record: unknown) => Key,
  failed: KeyFailure,
): RecordWriter => ({
  emit(batch) {
    const { records, bytes, timestamps, origins } = batch
    if (records.length === 0) return undefined
    const keys = new Array<Key>(records.length)
    const keyHashes = new Array<number>(records.length)
    let index = 0
    try {
      for (; index < records.length; index++) {
        const key = keyOf(records[index])
        keys[index] = key
        keyHashes[index] = hashKey(key)
      }
    } catch (thrown) {
      throw failed(thrown, batch, index)
    }
    return channel.send({ kind: 'batch', records, keys, keyHashes, bytes, timestamps, origins })
  },
  broadcast: broadcastTo([channel]),
})

const keyWriterToSeveral = (
  channels: readonly BoundedChannel[],
  maxParallelism: number,
  keyOf: (record: unknown) => Key,
  failed: KeyFailure,
): RecordWriter => ({
  emit(batch) {
    const routes = new Array<Route | undefined>(channels.length)
    const { records } = batch
    let index = 0
    try {
      for (; index < records.length; index++) {
        const record = records[index]
        const key = keyOf(record)
        const hash = hashKey(key)
        const target = subtaskOfKeyGroup(keyGroupOf(hash, maxParallelism), maxParallelism, channels.length)
        let route = routes[target]
        if (route === undefined) {
          route = emptyRoute()
          routes[target] = route
        }
        route.records.push(record)
        route.keys.push(key)
        route.keyHashes.push(hash)
        route.picked.push(index)
      }
    } catch (thrown) {
      throw failed(thrown, batch, index)
    }
    return all(channels.map((channel, target) => sendRoute(channel, routes[target], batch)))
  },
  broadcast: broadcastTo(channels),
})

const sendRoute = (channel: BoundedChannel, route: Route | undefined, batch: RecordBatch): void | Promise<void> => {
  if (route === undefined) return undefined
  const { records, keys, keyHashes, picked } = route
  const { timestamps, origins } = batch
  return channel.send({
    kind: 'batch',
    records,
    keys,
    keyHashes,
    bytes: Math.ceil((batch.bytes * records.length) / batch.records.length),
    timestamps: timestamps === undefined ? undefined : picked.map((from) => timestamps[from] ?? 0),
    origins: origins === undefined ? undefined : pickOrigins(origins, picked),
  })
}
