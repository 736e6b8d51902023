import { setImmediate as turn } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { BlockCodec } from '../../../src/core/index.ts'
import { isMillraceError } from '../../../src/core/index.ts'
import { syncCompression } from '../../../src/testing/sync-compression.ts'
import {
  checkLogGroup,
  decompress,
  encodeLogGroup,
  findTail,
  LogDecoder,
  type LogGroupView,
  logGroupList,
  type PlainFields,
  viewLogGroup,
  viewLogGroupList,
} from '../../../src/wire/index.ts'
import { countedReads } from './counted-reads.ts'
import { Mutator } from './mutate.ts'
import { plainOfView } from './plain-group.ts'
import { type PlainLog, plainOfReference, referenceGroup } from './reference.ts'

export interface FuzzResult {
  readonly bodies: number
  /** Groups both read, alike. */
  readonly accepted: number
  /** Bodies and groups that were refused with a typed error. */
  readonly refused: number
  /** Groups only protobufjs takes: see `mayBeRefused`. */
  readonly onlyReference: number
  /** Most bytes looked at for each byte received. */
  readonly readsPerByte: number
  /** How much the resident set grew at most after the first tenth, in bytes. */
  readonly growthBytes: number
}

/** The most a body may decode to. */
export const capBytes = 16 * 1024 * 1024

const readsPerByteMax = 4
const decoder = new LogDecoder()

/**
 * Sends changed bodies through all that reads them, and compares with protobufjs what is accepted. The same seed gives the
 * same bodies.
 * @throws Error that names the seed and the bytes when something untyped is thrown, when the two disagree, or when the work
 * is out of proportion to the bytes.
 */
export const fuzz = async (count: number, seed: number): Promise<FuzzResult> => {
  const codecs = new Map<string, BlockCodec | undefined>([['identity', undefined]])
  for (const name of ['lz4', 'zstd', 'deflate'] as const) codecs.set(name, await syncCompression.blockCodec(name))
  const mutator = new Mutator(seed)
  const tally = { accepted: 0, refused: 0, onlyReference: 0, readsPerByte: 0 }
  let [restBytes, growthBytes] = [0, 0]
  for (let body = 0; body < count; body++) {
    const name = mutator.of([...codecs.keys()])
    const { bytes, rawSize } = changedBody(mutator, codecs.get(name))
    try {
      readBody(codecs.get(name), name, bytes, rawSize, tally)
    } catch (cause) {
      const hex = Buffer.from(bytes.subarray(0, 2000)).toString('hex')
      throw new Error(`seed ${seed}, body ${body}, ${name}, announced as ${rawSize}: ${hex}`, { cause })
    }
    // Native memory is given back between two turns of the event loop, not within one.
    if (body % 128 === 0) await turn()
    const resident = process.memoryUsage.rss()
    if (body < count / 10) restBytes = Math.max(restBytes, resident)
    else growthBytes = Math.max(growthBytes, resident - restBytes)
  }
  return { bodies: count, ...tally, growthBytes }
}

type Tally = { -readonly [Name in 'accepted' | 'refused' | 'onlyReference' | 'readsPerByte']: number }

/** A body as it may arrive: changed before it was compressed, or after, or announced with another size. */
const changedBody = (
  mutator: Mutator,
  codec: BlockCodec | undefined,
): { readonly bytes: Uint8Array; readonly rawSize: number } => {
  const whole = mutator.of(samples)
  const raw = mutator.below(3) === 0 ? whole : mutator.mutate(whole)
  const body = codec === undefined ? raw : codec.compress(raw)
  const bytes = raw === whole || mutator.below(4) === 0 ? mutator.mutate(body) : body
  const rawSize = codec === undefined && mutator.below(8) > 0 ? bytes.length : raw.length
  const announced = [rawSize - 1, rawSize + 1, 0, capBytes, capBytes + 1, 2 ** 31, 2 ** 40]
  return { bytes, rawSize: mutator.below(12) === 0 ? mutator.of(announced) : rawSize }
}

const readBody = (
  codec: BlockCodec | undefined,
  name: string,
  bytes: Uint8Array,
  rawSize: number,
  tally: Tally,
): void => {
  if (name === 'lz4') {
    const counted = countedReads(bytes)
    refusedOrElse(() => findTail(counted.bytes), tally)
    inProportion(counted.reads(), bytes.length, tally)
  }
  const raw = refusedOrElse(() => decompress(codec, bytes, rawSize, capBytes), tally)
  if (raw === undefined) return
  // Read as a put, one group, and as the answer to a pull, a list.
  readGroup(raw, tally)
  const list = refusedOrElse(() => viewLogGroupList(raw), tally)
  for (const group of list ?? []) readGroup(group.bytes, tally)
}

const readGroup = (bytes: Uint8Array, tally: Tally): void => {
  const counted = countedReads(bytes)
  const checked = refusedOrElse(() => checkLogGroup(counted.bytes), tally)
  inProportion(counted.reads(), bytes.length, tally)
  const view = refusedOrElse(() => viewLogGroup(bytes), tally)
  const plain = refusedOrElse(() => (view === undefined ? undefined : plainOfView(view)), tally)
  const decoded = view === undefined ? undefined : refusedOrElse(() => decodedLogs(view), tally)
  const reference = acceptedByReference(bytes)
  if (checked === undefined) {
    if (plain !== undefined) throw new Error('what the check refused was read')
    if (reference !== undefined) tally.onlyReference++
    if (reference !== undefined && !mayBeRefused(bytes)) throw new Error('protobufjs reads what we refuse')
    return
  }
  if (plain === undefined || decoded === undefined || reference === undefined) {
    throw new Error('what the check accepted was refused')
  }
  const expected = plainOfReference(reference)
  if (!isDeepStrictEqual(plain, expected)) throw new Error('protobufjs reads something else')
  if (checked.logCount !== expected.logs.length) throw new Error('the check counts something else')
  for (const [index, log] of expected.logs.entries()) {
    if (!sameFields(decoded[index], log)) throw new Error('the decoder reads something else')
  }
  tally.accepted++
}

const acceptedByReference = (bytes: Uint8Array) => {
  try {
    return referenceGroup.decode(bytes)
  } catch {
    return undefined
  }
}

/** What protobufjs may take and we do not: a field of the wire type 3, and an unknown varint of more than ten bytes. */
const mayBeRefused = (bytes: Uint8Array): boolean => {
  let unended = 0
  return bytes.some((byte) => {
    unended = byte > 127 ? unended + 1 : 0
    return unended >= 10 || (byte & 7) === 3
  })
}

interface Decoded {
  readonly fields: PlainFields
  readonly time: number
  readonly timeNs: number | undefined
}

const decodedLogs = (view: LogGroupView): Decoded[] => {
  const logs: Decoded[] = []
  decoder.decode(view, (fields, time, timeNs) => {
    logs.push({ fields, time, timeNs })
  })
  return logs
}

const sameFields = (decoded: Decoded | undefined, { time, timeNs, entries }: PlainLog): boolean => {
  if (decoded === undefined || decoded.time !== time || decoded.timeNs !== timeNs) return false
  const expected = new Map(entries)
  const names = Object.keys(decoded.fields)
  return names.length === expected.size && names.every((name) => decoded.fields[name] === expected.get(name))
}

/** What the call gives; undefined when it refuses with an error of the wire. Any other error is a finding. */
const refusedOrElse = <Result>(call: () => Result, tally: Tally): Result | undefined => {
  try {
    return call()
  } catch (error) {
    if (!isMillraceError(error) || !error.code.startsWith('WIRE_')) throw error
    tally.refused++
    return undefined
  }
}

const inProportion = (reads: number, bytes: number, tally: Tally): void => {
  const perByte = reads / (bytes + 8)
  tally.readsPerByte = Math.max(tally.readsPerByte, perByte)
  if (perByte > readsPerByteMax) throw new Error(`${reads} reads for ${bytes} bytes`)
}

const group = (count: number): Uint8Array =>
  encodeLogGroup({
    topic: 'topic',
    source: '10.0.0.1',
    machineUuid: '4C4C4544',
    tags: [
      ['host', 'h1'],
      ['路径', '/var/log'],
    ],
    logs: Array.from({ length: count }, (_, index) => ({
      time: 1_760_000_000 + index,
      ...(index % 2 === 0 ? { timeNs: index * 1000 } : {}),
      contents: [
        ['level', index % 3 === 0 ? 'warn' : 'info'],
        ['msg', index % 4 === 0 ? '订单创建成功' : `request ${index} served in ${index * 7} ms`],
        ['long', 'x'.repeat(index * 40)],
        ['__proto__', ''],
      ],
    })),
  })

const samples: readonly Uint8Array[] = [
  new Uint8Array(0),
  group(0),
  group(1),
  group(4),
  logGroupList([group(1)]),
  logGroupList([group(2), group(0), group(5)]),
]
