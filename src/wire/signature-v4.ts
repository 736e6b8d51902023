import type { Digest, HttpRequest } from '../core/index.ts'
import { parseTarget, percentEncode, type QueryPair } from './request-target.ts'

const algorithm = 'SLS4-HMAC-SHA256'
const terminator = 'aliyun_v4_request'
const encoder = new TextEncoder()

/** SHA-256 of nothing: what a request without a body carries. */
export const emptySha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

export const sha256Hex = (digest: Digest, data: Uint8Array): string => {
  if (data.length === 0) return emptySha256
  const hasher = digest.sha256()
  hasher.update(data)
  return hasher.hex()
}

const isSigned = (name: string): boolean =>
  name === 'host' ||
  name === 'content-type' ||
  name.startsWith('x-acs-') ||
  (name.startsWith('x-log-') && !name.startsWith('x-log-meta-'))

/** Names as they are, values encoded, an empty value without `=`; of a repeated name the last one (section 2.3). */
const canonicalQuery = (query: readonly QueryPair[]): string => {
  const last = new Map(query)
  return [...last.keys()]
    .sort()
    .map((name) => {
      const value = last.get(name) ?? ''
      return value === '' ? name : `${name}=${percentEncode(value)}`
    })
    .join('&')
}

/** The text whose hash version 4 signs. There is no list of signed headers on the wire: the rule names them. */
export const canonicalRequestV4 = (request: HttpRequest, query: readonly QueryPair[], bodyHash: string): string => {
  const { headers } = request
  const signed = Object.keys(headers).filter(isSigned).sort()
  return [
    request.method,
    parseTarget(request.target).path,
    canonicalQuery(query),
    ...signed.map((name) => `${name}:${(headers[name] ?? '').trim()}`),
    '',
    signed.join(';'),
    bodyHash,
  ].join('\n')
}

export interface ScopeV4 {
  /** `YYYYMMDDTHHMMSSZ`, UTC. */
  readonly date: string
  readonly region: string
}

export const scopeTextV4 = (scope: ScopeV4): string => `${scope.date.slice(0, 8)}/${scope.region}/sls/${terminator}`

export const signatureV4 = (digest: Digest, secret: string, scope: ScopeV4, canonicalRequest: string): string => {
  const hash = sha256Hex(digest, encoder.encode(canonicalRequest))
  const text = [algorithm, scope.date, scopeTextV4(scope), hash].join('\n')
  let key = digest.hmac('sha256', `aliyun_v4${secret}`, scope.date.slice(0, 8))
  for (const part of [scope.region, 'sls', terminator]) key = digest.hmac('sha256', key, part)
  return hexOf(digest.hmac('sha256', key, text))
}

/** Two lower-case digits a byte. */
export const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

export const authorizationV4 = (accessKeyId: string, scope: ScopeV4, signature: string): string =>
  `${algorithm} Credential=${accessKeyId}/${scopeTextV4(scope)},Signature=${signature}`

const authorizationShape =
  /^SLS4-HMAC-SHA256 Credential=([^/,\s]{1,256})\/(\d{8})\/([^/,\s]{1,64})\/sls\/aliyun_v4_request, ?Signature=([0-9a-f]{64})$/

export interface AuthorizationV4 {
  readonly accessKeyId: string
  readonly day: string
  readonly region: string
  readonly signature: string
}

/** The parts of the `authorization` header, or undefined when it is malformed. */
export const parseAuthorizationV4 = (header: string): AuthorizationV4 | undefined => {
  const [, accessKeyId, day, region, signature] = authorizationShape.exec(header) ?? []
  if (accessKeyId === undefined || day === undefined || region === undefined || signature === undefined)
    return undefined
  return { accessKeyId, day, region, signature }
}

/** `YYYYMMDDTHHMMSSZ`, the form of `x-log-date`. */
export const dateV4 = (wallMs: number): string => `${new Date(wallMs).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`

/** Milliseconds since 1970 of an `x-log-date` of version 4, or undefined. */
export const parseDateV4 = (text: string): number | undefined => {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? []
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(ms) ? undefined : ms
}
