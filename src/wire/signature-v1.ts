import { type Digest, type HttpRequest, toBase64 } from '../core/index.ts'
import { parseTarget, type QueryPair } from './request-target.ts'

export type HmacName = 'sha1' | 'sha256'

/** What `x-log-signaturemethod` may say (SLS protocol paper, section 2.2). */
export const signatureMethods: Readonly<Record<string, HmacName>> = { 'hmac-sha1': 'sha1', 'hmac-sha256': 'sha256' }

export const byName = (a: QueryPair, b: QueryPair): number => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0)

/** `x-log-date` stays out: one SDK adds it after signing (SLS protocol paper, section 2.5). */
const isSigned = (name: string): boolean =>
  (name.startsWith('x-log-') || name.startsWith('x-acs-')) && name !== 'x-log-date'

/** The text that version 1 signs. The query comes decoded. */
export const stringToSignV1 = (request: HttpRequest, query: readonly QueryPair[], date: string): string => {
  const { headers } = request
  const signed = Object.keys(headers).filter(isSigned).sort()
  const pairs = [...query].sort(byName).map(([name, value]) => `${name}=${value}`)
  const { path } = parseTarget(request.target)
  return [
    request.method,
    headers['content-md5'] ?? '',
    headers['content-type'] ?? '',
    date,
    ...signed.map((name) => `${name}:${(headers[name] ?? '').trim()}`),
    pairs.length === 0 ? path : `${path}?${pairs.join('&')}`,
  ].join('\n')
}

export const signatureV1 = (digest: Digest, hmac: HmacName, secret: string, text: string): string =>
  toBase64(digest.hmac(hmac, secret, text))

/** RFC 1123 in GMT, the form of the `date` header. */
export const httpDate = (wallMs: number): string => new Date(wallMs).toUTCString()

const dateShape = /^[A-Za-z]{3}, \d{1,2} [A-Za-z]{3} \d{4} \d{2}:\d{2}:\d{2} (?:GMT|UTC|\+0000)$/

/** Milliseconds since 1970 of a `date` header, or undefined. */
export const parseHttpDate = (text: string): number | undefined => {
  const ms = dateShape.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(ms) ? undefined : ms
}
