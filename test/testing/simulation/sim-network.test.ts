import { describe, expect, test } from 'vitest'
import { type HttpHandler, type HttpResponse, TransportError } from '../../../src/core/index.ts'
import { type FaultKind, SimNetwork, type SimProcess, World } from '../../../src/testing/index.ts'

const origin = 'http://service'
const request = { method: 'GET', target: '/', headers: { host: 'service' }, body: new Uint8Array(0) }
const limits = { deadlineMs: 1_000, responseBytesMax: 1_000 }
const answer = (text: string): HttpResponse => ({
  status: 200,
  headers: { 'content-length': String(text.length) },
  body: new TextEncoder().encode(text),
})

/** A server and a client on machines of their own; with a fault it strikes every request. */
const open = (handler: HttpHandler, fault?: FaultKind) => {
  const world = new World(7, { faults: { rates: fault === undefined ? {} : { [fault]: 1 } } })
  const network = new SimNetwork(world)
  const served: string[] = []
  const server = world.host('server').spawn(
    'server',
    async (_, process) => {
      network.listen(origin, process, async (received, peer) => {
        served.push(received.target)
        return await handler(received, peer)
      })
      await new Promise(() => {})
    },
    { onEnd: (end, process) => network.ended(process, end) },
  )
  const heard: string[] = []
  let client: SimProcess | undefined
  const ask = (targets: readonly string[]): void => {
    client = world.host('client').spawn(`client-${heard.length}`, async ({ clock }, process) => {
      await clock.sleep(5)
      const transport = network.transport(process)
      for (const target of targets) {
        try {
          const { body } = await transport.send(origin, { ...request, target }, limits)
          heard.push(new TextDecoder().decode(body))
        } catch (error) {
          heard.push(error instanceof TransportError ? error.kind : String(error))
        }
      }
    })
  }
  const run = (ms: number) => world.run(() => world.nowMs >= ms, { virtualMsMax: ms + 1 })
  return { world, network, server, served, heard, ask, run, client: () => client }
}

const later = (process: SimProcess, ms: number): Promise<void> =>
  new Promise((resolve) => {
    process.after(ms, resolve)
  })

describe('the simulated network', () => {
  test('carries requests and answers, which take time', async () => {
    const { ask, run, heard, world } = open(async ({ target }) => answer(`to ${target}`))
    ask(['/a', '/b'])
    await run(500)
    expect(heard).toEqual(['to /a', 'to /b'])
    expect(world.nowMs).toBeGreaterThan(5)
  })

  test('refuses where nobody lives', async () => {
    const { ask, run, heard, server, served, network } = open(async () => answer('x'))
    server.kill()
    ask(['/a'])
    await run(500)
    expect(heard).toEqual(['not-sent'])
    expect(served).toEqual([])
    expect(network.underWay).toBe(0)
  })

  test('tells callers of a killed server at once, and those of one without power only by their deadline', async () => {
    for (const power of [false, true]) {
      const { ask, run, heard, server, world, network } = open(async () => {
        await later(server, 10_000)
        return answer('late')
      })
      ask(['/a'])
      world.at(100, () => (power ? server.host.powerLoss() : server.kill()))
      await run(500)
      expect(heard).toEqual(power ? [] : ['unanswered'])
      await run(3_000)
      expect(heard).toEqual([power ? 'deadline' : 'unanswered'])
      expect(network.underWay).toBe(0)
    }
  })

  test('delivers what left a process that died since', async () => {
    const { ask, run, heard, served, client } = open(async () => {
      client()?.kill()
      return answer('x')
    })
    ask(['/a'])
    await run(500)
    expect(served).toEqual(['/a'])
    expect(heard).toEqual([])
  })

  test.each([
    ['refused', 'not-sent', 0],
    ['requestLost', 'unanswered', 0],
    ['answerLost', 'unanswered', 1],
    ['slow', 'deadline', 1],
  ] as const)('knows the fault %s', async (fault, outcome, reached) => {
    const { ask, run, heard, served } = open(async () => answer('x'), fault)
    ask(['/a', '/b', '/c', '/d', '/e', '/f'])
    await run(30_000)
    expect(heard).toContain(outcome)
    expect(served.length > 0).toBe(reached > 0)
  })

  test('cuts answers without a sign', async () => {
    const { ask, run, heard } = open(async () => answer('abcdef'), 'answerCut')
    ask(['/a', '/b', '/c'])
    await run(1_000)
    expect(heard.length).toBe(3)
    expect(heard.every((text) => 'abcdef'.startsWith(text))).toBe(true)
    expect(heard.some((text) => text.length < 6)).toBe(true)
  })
})
