import type { HttpResponse } from '../../../core/index.ts'
import type { Repeat } from './retry-policy.ts'

/** What every call takes beside its own arguments. */
export interface CallOptions {
  /** Gives the call up: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** For the whole call with its repetitions. Default: of the client. */
  readonly deadlineMs?: number | undefined
  /** Tries, the first one included; 1 leaves repetition to the caller. Default: of the client. */
  readonly attempts?: number | undefined
}

/** One request, before it is signed. */
export interface Call {
  /** For messages, such as `pull of shard 3 of logstore access`. */
  readonly name: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  /** In the order of the wire; what is undefined is left out. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>> | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: Uint8Array | undefined
  /** To the endpoint itself: list projects is no matter of one project. */
  readonly withoutProject?: boolean | undefined
  readonly repeat: Repeat
}

/** Reads an answer of status 200. @throws an Error that says what is wrong with it. */
export type AnswerReader<T> = (answer: HttpResponse) => T | Promise<T>

/** An answer read, and how it was come by. */
export interface Called<T> {
  readonly value: T
  readonly requestId: string | undefined
  /** Tries, the first one included. */
  readonly attempts: number
  /** Tries that a quota refused. */
  readonly throttled: number
}
