import { type BlockCodecName, type Compression, type HttpResponse, OptionsError } from '../../../core/index.ts'
import {
  compressionName,
  decodeCursor,
  decompress,
  encodeCursor,
  type LogGroupView,
  viewLogGroupList,
} from '../../../wire/index.ts'
import type { Call, CallOptions } from './call.ts'
import { shardPath } from './names.ts'
import type { RequestSender } from './request-sender.ts'

/** What to pull of a shard. */
export interface PullRequest {
  readonly logstore: string
  readonly shard: number
  readonly position: bigint
  /** Most LogGroups, 1 to 1000. Default 1000. */
  readonly count?: number | undefined
  /** Only groups before this position; the next position never passes it. */
  readonly endPosition?: bigint | undefined
  /** A filter of the service. Positions of single groups are not known then. */
  readonly query?: string | undefined
  /** How the answer may be compressed. Default `lz4`. */
  readonly compression?: 'lz4' | 'zstd' | 'none' | undefined
  /** Sees the body of an answer that cannot be read, as it came, before the call is repeated or rejects. */
  readonly onUnreadable?: ((body: Uint8Array) => void) | undefined
}

/** A pull that was verified: whole, of the size and with the groups it was announced with. */
export interface PullResult {
  /**
   * Indexes over one buffer, which they keep alive; `bytes` of a group is what the producer sent. The list is the
   * caller's alone, who may empty it to let go of the answer.
   */
  readonly groups: LogGroupView[]
  readonly nextPosition: bigint
  /** Bytes of that buffer. */
  readonly rawBytes: number
  /** Bytes as they came over the network. */
  readonly bodyBytes: number
  /** Position of the last group. Undefined when there is none, or the service does not say. */
  readonly lastPosition: bigint | undefined
  /** When the last group was received, in seconds since 1970. Undefined when there is none, or the service does not say. */
  readonly receivedSeconds: number | undefined
  /** The service says that nothing more is there at the moment. */
  readonly atEnd: boolean
  /** Under a query: bytes and groups looked at before it. */
  readonly scannedBytes: number | undefined
  readonly scannedGroups: number | undefined
  /** Tries that a quota refused before this one. */
  readonly throttled: number
  readonly requestId: string | undefined
}

const integerHeader = ({ headers }: HttpResponse, name: string): number => {
  const text = headers[name]
  if (text === undefined || !/^\d{1,15}$/.test(text)) {
    throw new Error(`${name} is ${text === undefined ? 'missing' : 'no number'}`)
  }
  return Number(text)
}

const optionalInteger = (answer: HttpResponse, name: string): number | undefined =>
  answer.headers[name] === undefined ? undefined : integerHeader(answer, name)

/** Official clients keep their cursor when an answer without groups has an empty one (section 5.4); so does this. */
const nextPositionOf = ({ headers }: HttpResponse, before: bigint): bigint => {
  const text = headers['x-log-cursor']
  if (text === '' && headers['x-log-count'] === '0') return before
  const position = decodeCursor(text ?? '')
  if (position === undefined) throw new Error('x-log-cursor is missing or no cursor')
  return position
}

/** Plain decimal text, not base64 (SLS protocol paper, section 5.4). */
const lastPositionOf = ({ headers }: HttpResponse): bigint | undefined => {
  const text = headers['x-log-read-last-cursor']
  if (text === undefined || text === '') return undefined
  if (!/^-?\d{1,19}$/.test(text)) throw new Error('x-log-read-last-cursor is no number')
  return BigInt(text)
}

const groupsOf = async (
  answer: HttpResponse,
  compression: Compression,
  rawBytesMax: number,
): Promise<{ groups: LogGroupView[]; rawBytes: number }> => {
  const count = integerHeader(answer, 'x-log-count')
  const rawBytes = integerHeader(answer, 'x-log-bodyrawsize')
  const codec: BlockCodecName | undefined = compressionName(answer.headers['x-log-compresstype'])
  // Of an empty list some codecs still make a byte or two.
  const list =
    rawBytes === 0 && codec !== undefined
      ? new Uint8Array(0)
      : decompress(codec && (await compression.blockCodec(codec)), answer.body, rawBytes, rawBytesMax)
  const groups = viewLogGroupList(list)
  if (groups.length !== count)
    throw new Error(`x-log-count announces ${count} LogGroups, the body holds ${groups.length}`)
  return { groups, rawBytes }
}

/** Groups of one shard, from a position on (SLS protocol paper, section 5.4). */
export const pull = async (
  sender: RequestSender,
  compression: Compression,
  rawBytesMax: number,
  request: PullRequest,
  options: CallOptions | undefined,
): Promise<PullResult> => {
  const { logstore, shard, position, count = 1_000, endPosition, query } = request
  if (!Number.isInteger(count) || count < 1 || count > 1_000)
    throw new OptionsError('OPTIONS_INVALID', { message: `a pull takes 1 to 1000 LogGroups, not ${count}` })
  const accepted = request.compression ?? 'lz4'
  const call: Call = {
    name: `pull of shard ${shard} of logstore ${logstore}`,
    method: 'GET',
    path: shardPath(logstore, shard),
    query: {
      type: 'logs',
      cursor: encodeCursor(position),
      count,
      end_cursor: endPosition === undefined ? undefined : encodeCursor(endPosition),
      query,
      pullMode: query === undefined ? undefined : 'scan_on_stream',
    },
    headers: { accept: 'application/x-protobuf', 'accept-encoding': accepted === 'none' ? '' : accepted },
    repeat: 'safe',
  }
  const read = async (answer: HttpResponse) => {
    const nextPosition = nextPositionOf(answer, position)
    const { groups, rawBytes } = await groupsOf(answer, compression, rawBytesMax)
    const least = query === undefined ? position + BigInt(groups.length) : position
    if (nextPosition < least) throw new Error('x-log-cursor does not go on after the groups of the answer')
    return {
      groups,
      nextPosition,
      rawBytes,
      bodyBytes: answer.body.length,
      lastPosition: lastPositionOf(answer),
      receivedSeconds: optionalInteger(answer, 'x-log-cursor-time') || undefined,
      atEnd: answer.headers['x-log-end-of-cursor'] === '1',
      scannedBytes: optionalInteger(answer, 'x-log-rawdatasize'),
      scannedGroups: optionalInteger(answer, 'x-log-rawdatacount'),
    }
  }
  const watched = async (answer: HttpResponse) => {
    try {
      return await read(answer)
    } catch (thrown) {
      request.onUnreadable?.(answer.body)
      throw thrown
    }
  }
  const { value, throttled, requestId } = await sender.call(call, watched, options)
  return { ...value, throttled, requestId }
}
