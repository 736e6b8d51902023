import { createHash, createHmac } from 'node:crypto'
import { compressSync, uncompressSync } from 'lz4-napi'
import { fetch } from 'undici'
import { groupType, listType } from '../codec/protobufjs-groups.ts'

/**
 * The client one would write in an afternoon: fetch, the classes protobufjs makes of the messages, and plain objects. It
 * copies where copying is convenient and takes care of nothing beyond the happy path.
 */

export interface PlainRecord {
  readonly topic: string
  readonly time: number
  readonly timeNs: number | undefined
  readonly fields: Record<string, string>
}

interface Message {
  readonly LogGroups: readonly {
    readonly Topic: string
    readonly Logs: readonly {
      readonly Time: number
      readonly TimeNs?: number
      readonly Contents: readonly { readonly Key: string; readonly Value: string }[]
    }[]
  }[]
}

const accessKey = 'bench-key'
const secret = 'bench-secret'

const signed = (method: string, path: string, headers: Record<string, string>): Record<string, string> => {
  const date = new Date().toUTCString()
  const all: Record<string, string> = {
    'x-log-apiversion': '0.6.0',
    'x-log-signaturemethod': 'hmac-sha1',
    date,
    ...headers,
  }
  const lines = Object.keys(all)
    .filter((name) => name.startsWith('x-log-'))
    .sort()
    .map((name) => `${name}:${all[name]}`)
  const [resource = '', query] = path.split('?')
  const canonical = query === undefined ? resource : `${resource}?${query.split('&').sort().join('&')}`
  const text = [method, all['content-md5'] ?? '', all['content-type'] ?? '', date, ...lines, canonical].join('\n')
  const signature = createHmac('sha1', secret).update(text).digest('base64')
  return { ...all, authorization: `LOG ${accessKey}:${signature}` }
}

/** Pulls once and gives every log as an object. */
export const pullRecords = async (origin: string): Promise<PlainRecord[]> => {
  const path = '/logstores/source/shards/0?type=logs&cursor=MTAwMDAwMA==&count=1000'
  const response = await fetch(`${origin}${path}`, {
    headers: signed('GET', path, { 'x-log-bodyrawsize': '0', 'accept-encoding': 'lz4' }),
  })
  const compressed = Buffer.from(await response.arrayBuffer())
  const size = Buffer.alloc(4)
  size.writeUInt32LE(Number(response.headers.get('x-log-bodyrawsize')))
  const raw = uncompressSync(Buffer.concat([size, compressed]))
  const { LogGroups } = listType.decode(raw) as unknown as Message
  return LogGroups.flatMap(({ Topic, Logs }) =>
    Logs.map(({ Time, TimeNs, Contents }) => ({
      topic: Topic,
      time: Time,
      timeNs: TimeNs,
      fields: Object.fromEntries(Contents.map(({ Key, Value }) => [Key, Value])),
    })),
  )
}

/** Puts records as one LogGroup. */
export const putRecords = async (
  origin: string,
  logstore: string,
  topic: string,
  records: readonly PlainRecord[],
): Promise<void> => {
  const raw = groupType
    .encode({
      Topic: topic,
      Source: '127.0.0.1',
      LogTags: [],
      Logs: records.map(({ time, timeNs, fields }) => ({
        Time: time,
        TimeNs: timeNs,
        Contents: Object.entries(fields).map(([Key, Value]) => ({ Key, Value })),
      })),
    })
    .finish()
  const body = compressSync(Buffer.from(raw.buffer, raw.byteOffset, raw.length)).subarray(4)
  const path = `/logstores/${logstore}/shards/lb`
  const response = await fetch(`${origin}${path}`, {
    method: 'POST',
    headers: signed('POST', path, {
      'content-type': 'application/x-protobuf',
      'content-md5': createHash('md5').update(body).digest('hex').toUpperCase(),
      'x-log-bodyrawsize': String(raw.length),
      'x-log-compresstype': 'lz4',
    }),
    body,
  })
  if (response.status !== 200) throw new Error(`a put was answered with ${response.status}: ${await response.text()}`)
  await response.arrayBuffer()
}

/** One pull, and its records by topic to as many logstores. */
export const dispatchRecords = async (
  origin: string,
  change: (record: PlainRecord) => PlainRecord = (record) => record,
): Promise<void> => {
  const byTopic = new Map<string, PlainRecord[]>()
  for (const record of (await pullRecords(origin)).map(change)) {
    const known = byTopic.get(record.topic)
    if (known === undefined) byTopic.set(record.topic, [record])
    else known.push(record)
  }
  await Promise.all([...byTopic].map(([topic, records]) => putRecords(origin, topic, topic, records)))
}

/** A field read, two appended. */
export const withTwoFields = (record: PlainRecord): PlainRecord => ({
  ...record,
  fields: Object.assign({}, record.fields, {
    env: 'prod',
    slow: record.fields['status'] === '502' ? '1' : '0',
  }),
})
