import type { Static, TSchema } from 'typebox'
import { Value } from 'typebox/value'
import type { HttpResponse } from '../../../core/index.ts'
import type { AnswerReader } from './call.ts'

const decoder = new TextDecoder('utf-8', { fatal: true })
const encoder = new TextEncoder()

/** An object as JSON goes: what this client passes on without a look. */
export type JsonObject = Readonly<Record<string, unknown>>

const parse = (body: Uint8Array): unknown => {
  if (body.length === 0) throw new Error('the answer is empty where JSON was expected')
  try {
    return JSON.parse(decoder.decode(body))
  } catch {
    throw new Error('the answer is not JSON')
  }
}

/** Reads JSON of a shape. Members the shape does not name are let pass. */
export const jsonAnswer = <const Schema extends TSchema, T>(
  schema: Schema,
  read: (value: Static<Schema>) => T,
): AnswerReader<T> => {
  return ({ body }) => {
    const value = parse(body)
    if (Value.Check(schema, value)) return read(value)
    const [first] = Value.Errors(schema, value)
    throw new Error(
      `the answer is not of the documented form: ${first?.instancePath || 'the whole'} ${first?.message ?? ''}`,
    )
  }
}

/**
 * For calls whose answer is empty. It must be the service's own, known by the request id it puts on every answer: a page
 * of something between with status 200 would otherwise pass for a success.
 */
export const emptyAnswer: AnswerReader<void> = ({ headers }: HttpResponse) => {
  if (headers['x-log-requestid'] === undefined) throw new Error('the answer has no x-log-requestid')
}

/** A body and its type. */
export const jsonBody = (value: unknown): { readonly body: Uint8Array; readonly headers: Record<string, string> } => ({
  body: encoder.encode(JSON.stringify(value)),
  headers: { 'content-type': 'application/json' },
})
