/**
 * A proxy in front of the log service that notes what comes in, byte for byte, and passes it on unchanged. Chosen requests
 * become golden files: with them the unit tests show real SDKs' requests to the service without any SDK.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Driver } from './driver.ts'

/** A request as an SDK sent it. */
export interface RecordedRequest {
  /** When it came, in milliseconds since 1970: its signature is valid around that time only. */
  readonly atMs: number
  readonly method: string
  /** The request target as it was on the wire: origin form or absolute form. */
  readonly target: string
  /** `name: value`, in the order and spelling of the wire. */
  readonly headers: readonly string[]
  /** Base64. */
  readonly body: string
}

export interface Recorder {
  readonly port: number
  close(): Promise<void>
}

const headerLines = (raw: readonly string[]): string[] =>
  raw.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${raw[i + 1] ?? ''}`] : []))

const collect = async (stream: AsyncIterable<Uint8Array>): Promise<Buffer> => {
  const parts: Uint8Array[] = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts)
}

export const startRecorder = async (
  servicePort: number,
  onRequest: (request: RecordedRequest, status: number) => void,
): Promise<Recorder> => {
  const agent = new http.Agent({ keepAlive: true })
  const pass = async (incoming: http.IncomingMessage, outgoing: http.ServerResponse): Promise<void> => {
    const body = await collect(incoming)
    const { method = 'GET', url: target = '/', rawHeaders } = incoming
    const recorded: RecordedRequest = {
      atMs: Date.now(),
      method,
      target,
      headers: headerLines(rawHeaders),
      body: body.toString('base64'),
    }
    const answer = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const onward = http.request(
        { host: '127.0.0.1', port: servicePort, method, path: target, headers: rawHeaders, setHost: false, agent },
        resolve,
      )
      onward.once('error', reject)
      onward.end(body)
    })
    const status = answer.statusCode ?? 502
    onRequest(recorded, status)
    outgoing.writeHead(status, answer.rawHeaders)
    outgoing.end(await collect(answer))
  }
  const server = http.createServer((incoming, outgoing) => {
    pass(incoming, outgoing).catch(() => outgoing.destroy())
  })
  server.keepAliveTimeout = 80_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      agent.destroy()
      server.closeAllConnections()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}

/** The headers by their names in lower case. */
export const headersOf = ({ headers }: RecordedRequest): Readonly<Record<string, string>> =>
  Object.fromEntries(
    headers.map((line) => {
      const colon = line.indexOf(': ')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 2)]
    }),
  )

const header = (request: RecordedRequest, name: string): string => headersOf(request)[name] ?? ''

const isPut = ({ method, target }: RecordedRequest): boolean =>
  method === 'POST' && /\/logstores\/[^/?]+(\/shards\/(lb|route))?(\?|$)/.test(target) && !target.endsWith('/logstores')

const putName = (request: RecordedRequest): string => {
  const route = request.target.includes('/shards/route')
    ? 'route'
    : request.target.includes('/shards/lb')
      ? 'lb'
      : 'direct'
  const batch = header(request, 'x-log-mode') === 'batch_group' ? '-batch' : ''
  const format = header(request, 'content-type').startsWith('application/json') ? '-json' : ''
  return `put-${route}${batch}${format}-${header(request, 'x-log-compresstype') || 'identity'}`
}

const posts = (pattern: RegExp) => (request: RecordedRequest) =>
  request.method === 'POST' && pattern.test(request.target)
const gets = (pattern: RegExp) => (request: RecordedRequest) => request.method === 'GET' && pattern.test(request.target)

/** What is kept of a driver: the first accepted request of each name. */
const kinds: readonly (readonly [name: string, matches: (request: RecordedRequest) => boolean])[] = [
  ['create-project', posts(/^(http:\/\/[^/]+)?\/\??$/)],
  ['create-logstore', posts(/\/logstores\??$/)],
  ['list-logstores', gets(/\/logstores(\?|$)/)],
  ['list-shards', gets(/\/shards(\?|$)/)],
  ['split', posts(/action=split/)],
  ['merge', posts(/action=merge/)],
  ['cursor', gets(/[?&]type=cursor(&|$)/)],
  ['cursor-time', gets(/type=cursor_time/)],
  ['group-create', posts(/\/consumergroups$/)],
  ['group-list', gets(/\/consumergroups$/)],
  ['heartbeat', posts(/type=heartbeat/)],
  ['checkpoint-set', posts(/type=checkpoint/)],
  ['checkpoint-get', gets(/\/consumergroups\/[^/]+$/)],
]

const nameOf = (request: RecordedRequest): string | undefined => {
  const signed = header(request, 'authorization')
  const version = signed.startsWith('SLS4-') ? '-v4' : header(request, 'x-acs-security-token') !== '' ? '-sts' : ''
  if (signed === '') return undefined
  if (isPut(request)) return `${putName(request)}${version}`
  if (gets(/[?&]type=logs?(&|$)/)(request)) {
    const wanted = header(request, 'accept-encoding') || 'identity'
    return `pull-${wanted.replaceAll(/[^a-z0-9]+/g, '-')}${version}`
  }
  const kind = kinds.find(([, matches]) => matches(request))?.[0]
  return kind === undefined ? undefined : `${kind}${version}`
}

/**
 * Writes the first accepted request of each kind to `directory/<driver>-<kind>.json`.
 *
 * @param userAgent of the SDK, when others send requests, too
 */
export const goldenOf = (
  directory: string,
  { name: driver, userAgent = '' }: Pick<Driver, 'name' | 'userAgent'>,
): ((request: RecordedRequest, status: number) => void) => {
  mkdirSync(directory, { recursive: true })
  const done = new Set<string>()
  return (request, status) => {
    const kept = status === 200 && header(request, 'user-agent').startsWith(userAgent)
    const name = kept ? nameOf(request) : undefined
    if (name === undefined || done.has(name)) return
    done.add(name)
    writeFileSync(join(directory, `${driver}-${name}.json`), `${JSON.stringify(request, undefined, 2)}\n`)
  }
}
