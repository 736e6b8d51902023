import { encodeLogGroup, type LogGroupInit, type LogInit, logGroupList } from '../../src/wire/index.ts'

/** Logs of a web server: 16 fields, about 560 bytes each; the same on every run. */

const agents = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148',
  'Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0',
  'curl/8.11.0',
  'kube-probe/1.31',
  'Go-http-client/2.0',
]
const paths = [
  '/api/orders',
  '/api/users/profile',
  '/api/cart/items',
  '/assets/app.js',
  '/healthz',
  '/search',
  '/login',
]
const methods = ['GET', 'GET', 'GET', 'POST', 'PUT']
const statuses = ['200', '200', '200', '200', '304', '302', '404', '499', '502']

/** Uniform in [0, 1), from a seed. */
const randomFrom = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}

const startSeconds = 1_760_000_000

const nginxLog = (random: () => number, index: number): LogInit => {
  const below = (limit: number): number => Math.floor(random() * limit)
  const of = (list: readonly string[]): string => list[below(list.length)] as string
  const hex = (digits: number): string => Array.from({ length: digits }, () => below(16).toString(16)).join('')
  const seconds = Math.floor(index / 50)
  const clock = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map((part) =>
    `${Math.floor(part)}`.padStart(2, '0'),
  )
  const taken = random() ** 2 * 2
  return {
    time: startSeconds + seconds,
    timeNs: below(1e9),
    contents: {
      remote_addr: `${below(223) + 1}.${below(256)}.${below(256)}.${below(256)}`,
      remote_user: '-',
      time_local: `09/Oct/2025:${clock.join(':')} +0800`,
      request_method: of(methods),
      request_uri: `${of(paths)}/${below(1e7)}?session=${hex(16)}`,
      server_protocol: 'HTTP/1.1',
      status: of(statuses),
      body_bytes_sent: `${below(50_000)}`,
      http_referer: random() < 0.5 ? '-' : `https://www.example.com${of(paths)}`,
      http_user_agent: of(agents),
      request_time: taken.toFixed(3),
      upstream_response_time: (taken * 0.9).toFixed(3),
      upstream_addr: `10.${below(4)}.${below(16)}.${below(64)}:8080`,
      request_length: `${200 + below(1500)}`,
      host: 'shop.example.com',
      trace_id: hex(32),
    },
  }
}

export interface NginxGroups {
  readonly groups: readonly LogGroupInit[]
  /** Each group encoded. */
  readonly encoded: readonly Uint8Array[]
  /** The groups as the body of a pull. */
  readonly list: Uint8Array
  readonly records: number
}

/** About `bytes` of logs in groups of about 256 KiB. */
export const nginxGroups = (bytes: number): NginxGroups => {
  const random = randomFrom(7)
  const groups: LogGroupInit[] = []
  const encoded: Uint8Array[] = []
  let [records, total] = [0, 0]
  while (total < bytes) {
    const logs = Array.from({ length: 460 }, () => nginxLog(random, records++))
    const group: LogGroupInit = {
      logs,
      topic: `topic-${groups.length % 4}`,
      source: `10.0.0.${groups.length % 16}`,
      tags: [
        ['__hostname__', `node-${groups.length % 16}`],
        ['__path__', '/var/log/nginx/access.log'],
      ],
    }
    const bytesOfGroup = encodeLogGroup(group)
    groups.push(group)
    encoded.push(bytesOfGroup)
    total += bytesOfGroup.length
  }
  return { groups, encoded, list: logGroupList(encoded), records }
}
