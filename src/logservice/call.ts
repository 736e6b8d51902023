import type { HttpRequest } from '../core/index.ts'
import { parseQuery, parseTarget } from '../wire/index.ts'
import { decodeJson, type JsonObject } from './facts.ts'
import { parameterInvalid, Refusal } from './refusal.ts'

/** A request, taken apart. */
export interface Call {
  readonly request: HttpRequest
  readonly requestId: string
  readonly peerAddress: string
  /** From the host; undefined on a bare endpoint. */
  readonly project: string | undefined
  /** Without query, decoded, as error messages show it. */
  readonly path: string
  readonly segments: readonly string[]
  /** The first value of each parameter; those without a value are not here (SLS protocol paper, §1.5). */
  readonly query: ReadonlyMap<string, string>
}

const ipv4 = /^\d{1,3}(?:\.\d{1,3}){3}$/

/** The project a host names, by the rule of the SLS protocol paper, §1.4. */
export const projectOfHost = (host: string, endpoints: readonly string[]): string | undefined => {
  const lower = host.trim().toLowerCase()
  if (lower.startsWith('[')) return undefined
  const name = lower.replace(/:\d*$/, '')
  if (name === '' || name === 'localhost' || name.includes(':') || ipv4.test(name) || endpoints.includes(name))
    return undefined
  const endpoint = endpoints.find((one) => name.endsWith(`.${one}`))
  return endpoint === undefined ? name.split('.')[0] : name.slice(0, -endpoint.length - 1)
}

const decodeSegment = (segment: string): string => {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw parameterInvalid('the path has a malformed percent escape')
  }
}

/** @throws Refusal when target or query cannot be read. */
export const parseCall = (
  request: HttpRequest,
  requestId: string,
  peerAddress: string,
  endpoints: readonly string[],
): Call => {
  const { authority, path, query } = parseTarget(request.target)
  const pairs = parseQuery(query)
  if (pairs === undefined) throw parameterInvalid('the query has a malformed percent escape')
  const first = new Map<string, string>()
  for (const [name, value] of pairs) if (value !== '' && !first.has(name)) first.set(name, value)
  const segments = path.split('/').slice(1).map(decodeSegment)
  return {
    request,
    requestId,
    peerAddress,
    project: projectOfHost(request.headers['host'] ?? authority ?? '', endpoints),
    path: `/${segments.join('/')}`,
    segments: segments.length === 1 && segments[0] === '' ? [] : segments,
    query: first,
  }
}

/** A whole number of the query, or `absent` when it is not given. @throws Refusal when it is something else. */
export const integerParameter = <Absent>(call: Call, name: string, absent: Absent): number | Absent => {
  const text = call.query.get(name)
  if (text === undefined) return absent
  if (!/^\d{1,15}$/.test(text)) throw parameterInvalid(`the parameter ${name} must be a non-negative integer`)
  return Number(text)
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The JSON of a body. @throws Refusal with the given code when it is none. */
export const jsonBody = (call: Call, errorCode: string): unknown => {
  try {
    return decodeJson(call.request.body)
  } catch {
    throw new Refusal(400, errorCode, 'the body is not JSON in UTF-8')
  }
}

/** The JSON object of a body. @throws Refusal with the given code when it is none. */
export const objectBody = (call: Call, errorCode: string): JsonObject => {
  const value = jsonBody(call, errorCode)
  if (!isObject(value)) throw new Refusal(400, errorCode, 'the body is not a JSON object')
  return value
}
