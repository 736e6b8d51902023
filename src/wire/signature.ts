import type { Digest, HttpRequest, Secret } from '../core/index.ts'
import { parseQuery, parseTarget, type QueryPair } from './request-target.ts'
import type { ServiceErrorCode } from './service-errors.ts'
import { httpDate, parseHttpDate, signatureMethods, signatureV1, stringToSignV1 } from './signature-v1.ts'
import {
  authorizationV4,
  canonicalRequestV4,
  dateV4,
  emptySha256,
  parseAuthorizationV4,
  parseDateV4,
  sha256Hex,
  signatureV4,
} from './signature-v4.ts'

/** What a client signs with. */
export interface Credentials {
  readonly accessKeyId: string
  readonly accessKeySecret: Secret
  /** For temporary credentials (STS); sent with the request, and signed. */
  readonly securityToken?: Secret | undefined
}

export interface Signing {
  readonly version: 'v1' | 'v4'
  /** For v4, chosen by the user; the endpoint does not tell it. */
  readonly region?: string | undefined
  readonly credentials: Credentials
  /** As it will be sent, with `host`, `content-type` and the `x-log-*` headers of the call. */
  readonly request: HttpRequest
  readonly wallMs: number
  readonly digest: Digest
}

/** The headers to add to a request so that the service knows the caller (SLS protocol paper, sections 2.2 and 2.3). */
export const signRequest = (signing: Signing): Record<string, string> => {
  const { credentials, request, digest } = signing
  const token = credentials.securityToken
  const added: Record<string, string> = token === undefined ? {} : { 'x-acs-security-token': token.reveal() }
  const query = parseQuery(parseTarget(request.target).query) ?? []
  const secret = credentials.accessKeySecret.reveal()
  if (signing.version === 'v4') {
    const scope = { date: dateV4(signing.wallMs), region: signing.region ?? '' }
    const bodyHash = sha256Hex(digest, request.body)
    Object.assign(added, { 'x-log-date': scope.date, 'x-log-content-sha256': bodyHash })
    const signed = { ...request, headers: { ...request.headers, ...added } }
    const signature = signatureV4(digest, secret, scope, canonicalRequestV4(signed, query, bodyHash))
    return { ...added, authorization: authorizationV4(credentials.accessKeyId, scope, signature) }
  }
  const date = httpDate(signing.wallMs)
  Object.assign(added, { date, 'x-log-signaturemethod': 'hmac-sha1' })
  if (request.body.length > 0) added['content-md5'] = digest.md5Hex(request.body).toUpperCase()
  const signed = { ...request, headers: { ...request.headers, ...added } }
  const signature = signatureV1(digest, 'sha1', secret, stringToSignV1(signed, query, date))
  return { ...added, authorization: `LOG ${credentials.accessKeyId}:${signature}` }
}

export interface Verification {
  /** The secret of an access key, undefined when there is no such key. */
  findSecret(accessKeyId: string): Secret | undefined
  readonly wallMs: number
  readonly digest: Digest
  /** How far the caller's clock may be off, either way. The real service allows 15 minutes. */
  readonly skewMsMax: number
}

export type Verdict =
  | { readonly ok: true; readonly accessKeyId: string }
  | { readonly ok: false; readonly code: ServiceErrorCode; readonly message: string }

/**
 * Whether a request was signed by a known key, by the one set of rules that takes every official SDK
 * (SLS protocol paper, section 2.5). The message of a refusal holds no secret.
 */
export const verifyRequest = (request: HttpRequest, verification: Verification): Verdict => {
  const header = request.headers['authorization'] ?? ''
  if (header === '') return refuse('Unauthorized', 'the request is not signed')
  const query = parseQuery(parseTarget(request.target).query)
  if (query === undefined) return refuse('ParameterInvalid', 'the query has a malformed percent escape')
  if (header.startsWith('SLS4-HMAC-SHA256 ')) return verifyV4(request, query, header, verification)
  return verifyV1(request, query, header, verification)
}

const verifyV1 = (
  request: HttpRequest,
  query: readonly QueryPair[],
  header: string,
  verification: Verification,
): Verdict => {
  const { headers } = request
  const { digest } = verification
  const [, accessKeyId, given] = /^(?:LOG|SLS) ([^:\s]{1,256}):([A-Za-z0-9+/]{27,43}=)$/.exec(header) ?? []
  if (accessKeyId === undefined || given === undefined)
    return refuse('MissAccessKeyId', 'the authorization header is not "LOG <access key>:<signature>"')
  const method = headers['x-log-signaturemethod']
  if (method === undefined) return refuse('MissingSignatureMethod', 'x-log-signaturemethod is missing')
  const hmac = Object.hasOwn(signatureMethods, method) ? signatureMethods[method] : undefined
  if (hmac === undefined)
    return refuse('InvalidSignatureMethod', 'x-log-signaturemethod is neither hmac-sha1 nor hmac-sha256')
  const date = headers['date'] ?? headers['x-log-date']
  if (date === undefined) return refuse('MissingDate', 'the date header is missing')
  const late = timeProblem(parseHttpDate(date), verification)
  if (late !== undefined) return late
  const secret = verification.findSecret(accessKeyId)
  if (secret === undefined) return refuse('Unauthorized', `AccessKeyId not found: ${accessKeyId}`)
  const hash = headers['content-md5'] ?? ''
  if (hash !== '' && hash !== digest.md5Hex(request.body).toUpperCase())
    return refuse('SignatureNotMatch', 'content-md5 is not matched with the body')
  const expected = signatureV1(digest, hmac, secret.reveal(), stringToSignV1(request, query, date))
  return sameText(given, expected) ? { ok: true, accessKeyId } : notMatched(accessKeyId)
}

const verifyV4 = (
  request: HttpRequest,
  query: readonly QueryPair[],
  header: string,
  verification: Verification,
): Verdict => {
  const { headers } = request
  const { digest } = verification
  const given = parseAuthorizationV4(header)
  if (given === undefined)
    return refuse('MissAccessKeyId', 'the authorization header is not of the form of signature version 4')
  const date = headers['x-log-date']
  if (date === undefined) return refuse('MissingDate', 'x-log-date is missing')
  const late = timeProblem(parseDateV4(date), verification)
  if (late !== undefined) return late
  if (!date.startsWith(given.day)) return refuse('SignatureNotMatch', 'the scope is not matched with x-log-date')
  const secret = verification.findSecret(given.accessKeyId)
  if (secret === undefined) return refuse('Unauthorized', `AccessKeyId not found: ${given.accessKeyId}`)
  const bodyHash = headers['x-log-content-sha256'] ?? ''
  if (bodyHash !== sha256Hex(digest, request.body) && !(isObjectPut(request) && bodyHash === emptySha256))
    return refuse('SignatureNotMatch', 'x-log-content-sha256 is not matched with the body')
  const canonical = canonicalRequestV4(request, query, bodyHash)
  const expected = signatureV4(digest, secret.reveal(), { date, region: given.region }, canonical)
  return sameText(given.signature, expected)
    ? { ok: true, accessKeyId: given.accessKeyId }
    : notMatched(given.accessKeyId)
}

/** The object API signs the hash of an empty body (SLS protocol paper, section 2.3). */
const isObjectPut = (request: HttpRequest): boolean =>
  request.method === 'PUT' && /^\/logstores\/[^/]+\/objects\//.test(parseTarget(request.target).path)

const timeProblem = (requestMs: number | undefined, verification: Verification): Verdict | undefined => {
  if (requestMs === undefined) return refuse('InvalidRequestTime', 'the date of the request cannot be read')
  if (Math.abs(requestMs - verification.wallMs) <= verification.skewMsMax) return undefined
  return refuse('RequestTimeExpired', 'the date of the request is too far from the time of the server')
}

const notMatched = (accessKeyId: string): Verdict =>
  refuse('SignatureNotMatch', `the signature of AccessKeyId ${accessKeyId} is not matched with the request`)

const refuse = (code: ServiceErrorCode, message: string): Verdict => ({ ok: false, code, message })

/** Takes as long wherever the first difference is, so that time tells nothing about the right signature. */
const sameText = (a: string, b: string): boolean => {
  if (a.length !== b.length) return false
  let difference = 0
  for (let index = 0; index < a.length; index++) difference |= a.charCodeAt(index) ^ b.charCodeAt(index)
  return difference === 0
}
