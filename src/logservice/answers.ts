import type { HttpResponse } from '../core/index.ts'
import { encodeJson } from './facts.ts'
import type { Refusal } from './refusal.ts'

const empty = new Uint8Array(0)

/** Success without a body: never called JSON, because Node's SDK would parse it (SLS protocol paper, §9.1). */
export const emptyAnswer = (): HttpResponse => ({ status: 200, headers: { 'content-length': '0' }, body: empty })

export const jsonAnswer = (value: unknown, headers: Readonly<Record<string, string>> = {}): HttpResponse =>
  jsonOf(200, value, headers)

const jsonOf = (status: number, value: unknown, headers: Readonly<Record<string, string>>): HttpResponse => {
  const body = encodeJson(value)
  return {
    status,
    headers: { ...headers, 'content-type': 'application/json', 'content-length': String(body.length) },
    body,
  }
}

export const refusalAnswer = ({ status, errorCode, message }: Refusal): HttpResponse =>
  jsonOf(status, { errorCode, errorMessage: message === '' ? errorCode : message }, {})
