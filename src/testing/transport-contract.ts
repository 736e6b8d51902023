import assert from 'node:assert/strict'
import {
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  type Transport,
  TransportError,
  type TransportFailure,
} from '../core/index.ts'
import { type ContractCheck, checksWith } from './contract.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** A transport, and a server that it reaches. */
export interface TransportFixture {
  readonly transport: Transport
  /** Deadlines run on it. */
  readonly clock: VirtualClock
  /** Lets `handler` answer at the origin that is given back. */
  serve(handler: HttpHandler): Promise<string>
  /** An origin where nobody listens. */
  readonly deadOrigin: string
  dispose(): Promise<void>
}

const empty = new Uint8Array(0)
const request: HttpRequest = { method: 'GET', target: '/', headers: { host: 'p.sls.test' }, body: empty }
const limits = { deadlineMs: 30_000, responseBytesMax: 4 << 20 }

const answer = (body: Uint8Array, headers: Readonly<Record<string, string>> = {}, status = 200): HttpResponse => ({
  status,
  headers,
  body,
})

const sample = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => (index * 7) % 251)

const same = (actual: Uint8Array, expected: Uint8Array): void =>
  assert.ok(
    Buffer.from(actual).equals(Buffer.from(expected)),
    `${actual.length} bytes, not the ${expected.length} sent`,
  )

const rejectsAs = (promise: Promise<unknown>, kind: TransportFailure): Promise<void> =>
  assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof TransportError)
    assert.equal(error.kind, kind)
    return true
  })

/** A promise and the way to settle it from outside. */
const gate = (): { readonly opened: Promise<void>; open(): void } => {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}

const checks: Record<string, (fixture: TransportFixture) => Promise<void>> = {
  'a request arrives as it was sent': async ({ transport, serve }) => {
    const seen: HttpRequest[] = []
    const origin = await serve(async (received) => {
      seen.push(received)
      return answer(empty)
    })
    for (const body of [empty, sample(1), sample(300_000)]) {
      const headers = { host: 'project.sls.test', 'x-log-bodyrawsize': String(body.length), 'x-empty': '' }
      await transport.send(origin, { method: 'POST', target: '/logstores/a?x=1%3D&y=', headers, body }, limits)
      const received = seen.at(-1)
      assert.ok(received !== undefined)
      assert.equal(received.method, 'POST')
      assert.equal(received.target, '/logstores/a?x=1%3D&y=')
      for (const [name, value] of Object.entries(headers)) assert.equal(received.headers[name], value, name)
      same(received.body, body)
    }
  },
  'an answer arrives as it was given': async ({ transport, serve }) => {
    for (const length of [0, 1, 65_536, 400_000]) {
      const origin = await serve(async () => answer(sample(length), { 'x-log-requestid': 'A1', 'x-log-count': '0' }))
      const response = await transport.send(origin, request, limits)
      assert.equal(response.status, 200)
      assert.equal(response.headers['x-log-requestid'], 'A1')
      assert.equal(response.headers['x-log-count'], '0')
      same(response.body, sample(length))
    }
  },
  'refusals, failures and redirects are answers like any other': async ({ transport, serve }) => {
    for (const status of [201, 301, 307, 400, 404, 500, 503]) {
      const origin = await serve(async () => answer(sample(3), { location: 'http://127.0.0.1:1/' }, status))
      const response = await transport.send(origin, request, limits)
      assert.equal(response.status, status)
      same(response.body, sample(3))
    }
  },
  'an answer may have the length allowed, and not one byte more': async ({ transport, serve }) => {
    const origin = await serve(async () => answer(sample(1_000)))
    const response = await transport.send(origin, request, { ...limits, responseBytesMax: 1_000 })
    same(response.body, sample(1_000))
    await rejectsAs(transport.send(origin, request, { ...limits, responseBytesMax: 999 }), 'too-large')
  },
  'nothing is sent when the caller gave up before': async ({ transport, serve }) => {
    let requests = 0
    const origin = await serve(async () => {
      requests += 1
      return answer(empty)
    })
    await rejectsAs(transport.send(origin, request, { ...limits, signal: AbortSignal.abort() }), 'aborted')
    await transport.send(origin, request, limits)
    assert.equal(requests, 1)
  },
  'the caller may give up while the server works, and the next request goes through': async ({ transport, serve }) => {
    const arrived = gate()
    const done = gate()
    let requests = 0
    const origin = await serve(async () => {
      requests += 1
      if (requests > 1) return answer(sample(2))
      arrived.open()
      await done.opened
      return answer(empty)
    })
    const controller = new AbortController()
    const sent = transport.send(origin, request, { ...limits, signal: controller.signal })
    await arrived.opened
    controller.abort()
    await rejectsAs(sent, 'aborted')
    same((await transport.send(origin, request, limits)).body, sample(2))
    done.open()
  },
  'a server that does not answer is given up at the deadline': async ({ transport, clock, serve }) => {
    const arrived = gate()
    const done = gate()
    const origin = await serve(async () => {
      arrived.open()
      await done.opened
      return answer(empty)
    })
    let early = true
    const sent = transport.send(origin, request, { ...limits, deadlineMs: 5_000 })
    const rejected = rejectsAs(sent, 'deadline').then(() => assert.equal(early, false))
    await arrived.opened
    await clock.advance(4_999)
    early = false
    await clock.advance(1)
    await rejected
    done.open()
  },
  'where nobody listens, nothing was sent': async ({ transport, deadOrigin }) => {
    await rejectsAs(transport.send(deadOrigin, request, limits), 'not-sent')
  },
  'many requests at a time get each its own answer': async ({ transport, serve }) => {
    const origin = await serve(async ({ target }) => answer(new TextEncoder().encode(target)))
    const targets = Array.from({ length: 200 }, (_, index) => `/shards/${index}`)
    const bodies = await Promise.all(
      targets.map(async (target) => (await transport.send(origin, { ...request, target }, limits)).body),
    )
    assert.deepEqual(
      bodies.map((body) => new TextDecoder().decode(body)),
      targets,
    )
  },
  'the body of an answer belongs to the caller': async ({ transport, serve }) => {
    const given = sample(10)
    const origin = await serve(async () => answer(given))
    const { body } = await transport.send(origin, request, limits)
    body.fill(0)
    same((await transport.send(origin, request, limits)).body, sample(10))
  },
  'no timer is left when a request has ended': async ({ transport, clock, serve, deadOrigin }) => {
    const origin = await serve(async () => answer(empty))
    await transport.send(origin, request, limits)
    await rejectsAs(transport.send(deadOrigin, request, limits), 'not-sent')
    assert.equal(clock.pendingTimers, 0)
  },
  'a closed transport sends nothing': async ({ transport, serve }) => {
    const origin = await serve(async () => answer(empty))
    await transport.send(origin, request, limits)
    await transport.close()
    await rejectsAs(transport.send(origin, request, limits), 'not-sent')
  },
}

/** What every `Transport` keeps. */
export const transportContract = (setup: () => Promise<TransportFixture> | TransportFixture): ContractCheck[] =>
  checksWith(setup, (fixture) => fixture.dispose(), checks)
