import { SlsClient, type SlsClientOptions, SlsError } from '../../../../src/connectors/sls/index.ts'
import type { HttpHandler, HttpRequest, HttpResponse } from '../../../../src/core/index.ts'
import { cryptoDigest } from '../../../../src/testing/crypto-digest.ts'
import {
  type DirectFault,
  type DirectTransportOptions,
  directTransport,
  SeededRandom,
  VirtualClock,
} from '../../../../src/testing/index.ts'
import { syncCompression } from '../../../../src/testing/sync-compression.ts'

export const requestId = '5B0A6B60BB6EE39764D458B5'
export const secretText = 'canary-secret-of-the-test'
export const tokenText = 'canary-token-of-the-test'

const encoder = new TextEncoder()

export const bytesOf = (text: string): Uint8Array => encoder.encode(text)

export const emptyOk: HttpResponse = { status: 200, headers: { 'x-log-requestid': requestId }, body: bytesOf('') }

export const jsonOk = (value: unknown): HttpResponse => ({
  status: 200,
  headers: { 'content-type': 'application/json', 'x-log-requestid': requestId },
  body: bytesOf(JSON.stringify(value)),
})

export const refusal = (
  status: number,
  errorCode: string,
  errorMessage = 'some reason',
  headers: Readonly<Record<string, string>> = {},
): HttpResponse => ({
  status,
  headers: { 'content-type': 'application/json', 'x-log-requestid': requestId, ...headers },
  body: bytesOf(JSON.stringify({ errorCode, errorMessage })),
})

export interface Sent extends HttpRequest {
  readonly origin: string
}

export interface Bench {
  readonly client: SlsClient
  readonly clock: VirtualClock
  /** Everything that was sent, also what a fault kept from the handler. */
  readonly sent: readonly Sent[]
  /** Lets virtual time pass until the call has ended. */
  run<T>(call: Promise<T>): Promise<T>
  /** As `run`, for a call that must fail. */
  failure(call: Promise<unknown>): Promise<SlsError>
}

export type Reply = HttpResponse | DirectFault

const isFault = (reply: Reply): reply is DirectFault => 'kind' in reply

/** A client whose requests are answered one after another by `replies`; the last one answers for ever. */
export const benchOf = (replies: readonly Reply[] | HttpHandler, options: Partial<SlsClientOptions> = {}): Bench => {
  const clock = new VirtualClock(Date.UTC(2026, 2, 3, 4, 5, 6))
  const sent: Sent[] = []
  const replyAt = (index: number): Reply | undefined =>
    typeof replies === 'function' ? undefined : (replies[index] ?? replies.at(-1))
  let answered = 0
  const handler: HttpHandler = async (request, peer) => {
    if (typeof replies === 'function') return replies(request, peer)
    const reply = replyAt(answered - 1)
    return reply === undefined || isFault(reply) ? emptyOk : reply
  }
  const faultOf: DirectTransportOptions['faultOf'] = (request, origin) => {
    sent.push({ ...request, origin })
    const reply = replyAt(answered)
    answered += 1
    return reply !== undefined && isFault(reply) ? reply : undefined
  }
  const client = new SlsClient(
    {
      endpoint: 'cn-hangzhou.log.aliyuncs.com',
      project: 'demo-project',
      credentials: { accessKeyId: 'testAccessKeyId', accessKeySecret: secretText },
      ...options,
    },
    {
      transport: directTransport(handler, { clock, faultOf }),
      clock,
      random: new SeededRandom(1),
      digest: cryptoDigest,
      compression: syncCompression,
    },
  )
  const run = <T>(call: Promise<T>): Promise<T> => clock.advanceUntil(call)
  return {
    client,
    clock,
    sent,
    run,
    async failure(call) {
      const error: unknown = await run(call).then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      if (error instanceof SlsError) return error
      throw new Error('the call did not fail with an SlsError', { cause: error })
    },
  }
}
