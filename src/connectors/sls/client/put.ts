import { type BlockCodecName, type Compression, OptionsError } from '../../../core/index.ts'
import {
  encodeLogGroup,
  encodeLogPackageList,
  LogGroupEncoder,
  type LogGroupInit,
  padHashKey,
} from '../../../wire/index.ts'
import type { Call, CallOptions } from './call.ts'
import { emptyAnswer, jsonBody } from './json-answer.ts'
import { logstorePath } from './names.ts'
import type { RequestSender } from './request-sender.ts'
import { SlsError } from './sls-error.ts'

export interface PutOptions extends CallOptions {
  /** Goes to the shard that has this key, 1 to 32 hex digits, used as it is given. Default: the service chooses. */
  readonly hashKey?: string | undefined
  /** Default `lz4`. */
  readonly compression?: BlockCodecName | 'none' | undefined
  /** An ingest processor of the service. */
  readonly processor?: string | undefined
  /**
   * Tries again also when it is not known whether the group was stored: it may be stored twice then. Default false: such an
   * outcome rejects with `ambiguous: true`.
   */
  readonly repeatAmbiguous?: boolean | undefined
}

/** A put that the service confirmed: what was sent is durable. */
export interface PutResult {
  readonly requestId: string | undefined
  /** Tries, the first one included. */
  readonly attempts: number
  /** Tries that a quota refused. */
  readonly throttled: number
  /** Bytes before and after compression. */
  readonly rawBytes: number
  readonly bodyBytes: number
}

/** A log in the JSON form of a put. */
export interface JsonLog {
  /** Seconds since 1970. */
  readonly time: number
  readonly timeNs?: number | undefined
  readonly contents: Readonly<Record<string, string>>
}

export interface JsonLogGroup {
  readonly topic?: string | undefined
  readonly source?: string | undefined
  readonly tags?: Readonly<Record<string, string>> | undefined
  readonly logs: readonly JsonLog[]
}

export interface PutParts {
  readonly sender: RequestSender
  readonly compression: Compression
  readonly bytesMax: number
}

const protobuf = 'application/x-protobuf'

const routeOf = (logstore: string, options: PutOptions): Pick<Call, 'path' | 'query'> => {
  const { hashKey: key, processor } = options
  const base = `${logstorePath(logstore)}/shards`
  if (key === undefined) return { path: `${base}/lb`, query: { processor } }
  if (padHashKey(key) !== undefined) return { path: `${base}/route`, query: { key, processor } }
  throw new OptionsError('OPTIONS_INVALID', { message: 'the hash key of a put is 1 to 32 hex digits' })
}

const checkSize = (name: string, bytes: number, bytesMax: number): void => {
  if (bytes <= bytesMax) return
  const message = `the LogGroup has ${bytes} bytes; the limit is ${bytesMax}`
  throw new SlsError({ class: 'too-large', call: name, message, notSent: true })
}

const encoded = (group: Uint8Array | LogGroupInit): Uint8Array =>
  group instanceof Uint8Array ? group : encodeLogGroup(group)

const encoder = new LogGroupEncoder()

/** A group as it is before compression; of one to be encoded good only until the next one. */
const rawOf = (group: Uint8Array | LogGroupInit): Uint8Array =>
  group instanceof Uint8Array ? group : encoder.encodeInPlace(group)

interface Body {
  readonly body: Uint8Array
  readonly rawBytes: number
}

/** Between encoding and compression nothing else runs: what is encoded needs no memory of its own (benchmark dispatch). */
const compressed = async (
  { compression, bytesMax }: PutParts,
  name: string,
  group: Uint8Array | LogGroupInit,
  codec: BlockCodecName | 'none',
): Promise<Body> => {
  const blocks = codec === 'none' ? undefined : await compression.blockCodec(codec)
  const raw = rawOf(group)
  checkSize(name, raw.length, bytesMax)
  if (blocks !== undefined) return { body: blocks.compress(raw), rawBytes: raw.length }
  return { body: raw === group ? raw : raw.slice(), rawBytes: raw.length }
}

const send = async (
  { sender }: PutParts,
  call: Pick<Call, 'name' | 'path' | 'query'>,
  { body, rawBytes }: Body,
  codec: BlockCodecName | 'none',
  headers: Readonly<Record<string, string>>,
  options: PutOptions,
): Promise<PutResult> => {
  const { requestId, attempts, throttled } = await sender.call(
    {
      ...call,
      method: 'POST',
      headers: {
        ...headers,
        'x-log-bodyrawsize': String(rawBytes),
        ...(codec === 'none' ? {} : { 'x-log-compresstype': codec }),
      },
      body,
      repeat: options.repeatAmbiguous ? 'safe' : 'once',
    },
    emptyAnswer,
    options,
  )
  return { requestId, attempts, throttled, rawBytes, bodyBytes: body.length }
}

/** Stores one LogGroup (SLS protocol paper, section 4). */
export const put = async (
  parts: PutParts,
  logstore: string,
  group: Uint8Array | LogGroupInit,
  options: PutOptions = {},
): Promise<PutResult> => {
  const name = `put to logstore ${logstore}`
  const route = routeOf(logstore, options)
  const codec = options.compression ?? 'lz4'
  const body = await compressed(parts, name, group, codec)
  return send(parts, { name, ...route }, body, codec, { 'content-type': protobuf }, options)
}

/** Stores one LogGroup in its JSON form (section 4.7). */
export const putJson = async (
  parts: PutParts,
  logstore: string,
  group: JsonLogGroup,
  options: PutOptions = {},
): Promise<PutResult> => {
  const name = `put of JSON to logstore ${logstore}`
  const route = routeOf(logstore, options)
  const { body: raw, headers } = jsonBody({
    __topic__: group.topic ?? '',
    __source__: group.source ?? '',
    __tags__: group.tags,
    __logs__: group.logs.map(({ time, timeNs, contents }) => ({
      ...contents,
      __time__: time,
      __time_ns_part__: timeNs,
    })),
  })
  const codec = options.compression ?? 'lz4'
  return send(parts, { name, ...route }, await compressed(parts, name, raw, codec), codec, headers, options)
}

/** Stores several LogGroups with one request, each a group of its own (section 4.6). */
export const putBatch = async (
  parts: PutParts,
  logstore: string,
  groups: readonly (Uint8Array | LogGroupInit)[],
  options: PutOptions & { readonly compression?: 'lz4' | 'zstd' | undefined } = {},
): Promise<PutResult> => {
  const name = `put of ${groups.length} LogGroups to logstore ${logstore}`
  const route = routeOf(logstore, options)
  const compression = options.compression ?? 'lz4'
  const codec = await parts.compression.blockCodec(compression)
  let rawBytes = 0
  const packages = groups.map((group) => {
    const raw = encoded(group)
    rawBytes += raw.length
    checkSize(name, rawBytes, parts.bytesMax)
    return { data: codec.compress(raw), rawSize: raw.length, compression }
  })
  // The outer body is not compressed, and the header names the codec of the packages nevertheless.
  const headers = { 'content-type': protobuf, 'x-log-mode': 'batch_group', 'x-log-compresstype': compression }
  const body = encodeLogPackageList(packages)
  const sent = await send(parts, { name, ...route }, { body, rawBytes: body.length }, 'none', headers, options)
  return { ...sent, rawBytes }
}
