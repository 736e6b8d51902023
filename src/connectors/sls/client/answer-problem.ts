import type { HttpResponse } from '../../../core/index.ts'
import { serviceErrorOf } from '../../../wire/index.ts'
import type { Call } from './call.ts'
import { SlsError } from './sls-error.ts'

const decoder = new TextDecoder()
const bodyBytesShown = 4_096
const textMax = 500

/** What a server wrote, fit for one line of a log: no control characters, not too long. */
export const shownText = (text: string): string => {
  const clean = text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').trim()
  return clean.length > textMax ? `${clean.slice(0, textMax)}…` : clean
}

/** Digits and letters only; a request id that is something else is not shown. */
export const requestIdOf = (answer: HttpResponse): string | undefined => {
  const id = answer.headers['x-log-requestid']
  return id !== undefined && /^[0-9A-Za-z-]{1,64}$/.test(id) ? id : undefined
}

interface ErrorBody {
  readonly code: string
  readonly message: string
}

const errorBody = (body: Uint8Array): ErrorBody | undefined => {
  if (body.length > bodyBytesShown * 16) return undefined
  try {
    const parsed: unknown = JSON.parse(decoder.decode(body))
    if (typeof parsed !== 'object' || parsed === null) return undefined
    const { errorCode, errorMessage } = parsed as Record<string, unknown>
    if (typeof errorCode !== 'string' || !/^[A-Za-z0-9_.-]{1,100}$/.test(errorCode)) return undefined
    return { code: errorCode, message: typeof errorMessage === 'string' ? errorMessage : '' }
  } catch {
    return undefined
  }
}

/** A body that ends with its connection may be cut, and nothing shows it but that it is no JSON any more. */
const isCutShort = (answer: HttpResponse): boolean => {
  if (requestIdOf(answer) === undefined || !/^application\/json\b/.test(answer.headers['content-type'] ?? ''))
    return false
  try {
    JSON.parse(decoder.decode(answer.body))
    return false
  } catch {
    return true
  }
}

const retryAfterMs = (answer: HttpResponse): number | undefined => {
  const header = answer.headers['retry-after']
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) * 1_000 : undefined
}

/** The error in an answer whose status is not 200. @param redact takes secrets out of what the server wrote */
export const answerError = (call: Call, answer: HttpResponse, redact: (text: string) => string): SlsError => {
  const { status } = answer
  const body = errorBody(answer.body)
  const common = { call: call.name, status, requestId: requestIdOf(answer), retryAfterMs: retryAfterMs(answer) }
  if (status >= 300 && status < 400) {
    return new SlsError({
      ...common,
      class: 'refused',
      message: 'the answer is a redirect, which is not followed',
      fix: 'give the endpoint of the service itself, and look for a proxy between',
    })
  }
  if (status < 300) {
    const message = 'the status is neither 200 nor that of an error'
    return new SlsError({ ...common, class: 'answer-invalid', message, ambiguous: call.repeat === 'once' })
  }
  if (body === undefined && isCutShort(answer)) {
    const message = 'the answer is an error of the service that ends early, so that nobody knows which'
    return new SlsError({ ...common, class: 'answer-invalid', message, ambiguous: call.repeat === 'once' })
  }
  const errorClass = serviceErrorOf(status, body?.code)
  const message =
    body === undefined ? 'the answer is an error that is not of the service' : shownText(redact(body.message))
  return new SlsError({
    ...common,
    class: errorClass,
    errorCode: body?.code,
    message: message === '' ? 'the service gives no reason' : message,
    ambiguous: errorClass === 'unavailable' && call.repeat === 'once',
  })
}
