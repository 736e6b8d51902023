import { describe, test } from 'vitest'
import type { HttpHandler } from '../../src/core/index.ts'
import { type HttpServer, serveHttp, undiciTransport } from '../../src/platform/index.ts'
import { directTransport, type TransportFixture, transportContract, VirtualClock } from '../../src/testing/index.ts'

const overSockets = (): TransportFixture => {
  const clock = new VirtualClock()
  const transport = undiciTransport({ clock, connections: 8 })
  const servers: HttpServer[] = []
  return {
    transport,
    clock,
    deadOrigin: 'http://127.0.0.1:1',
    async serve(handler) {
      const server = await serveHttp(handler)
      servers.push(server)
      return server.origin
    },
    async dispose() {
      await transport.close()
      await Promise.all(servers.map((server) => server.close()))
    },
  }
}

const withoutSockets = (): TransportFixture => {
  const clock = new VirtualClock()
  let answer: HttpHandler | undefined
  const deadOrigin = 'http://dead.test'
  const transport = directTransport(
    async (request, peer) => {
      if (answer === undefined) throw new Error('no handler')
      return answer(request, peer)
    },
    { clock, faultOf: (_, origin) => (origin === deadOrigin ? { kind: 'refused' } : undefined) },
  )
  return {
    transport,
    clock,
    deadOrigin,
    async serve(handler) {
      answer = handler
      return 'http://direct.test'
    },
    dispose: () => transport.close(),
  }
}

describe('the undici transport', () => {
  for (const check of transportContract(overSockets)) test(check.name, () => check.run())
})

describe('the direct transport', () => {
  for (const check of transportContract(withoutSockets)) test(check.name, () => check.run())
})
