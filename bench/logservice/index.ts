import { nodeCompression } from '../../src/platform/index.ts'
import { nginxGroups } from '../codec/nginx-groups.ts'
import { comparedFigure, plainFigure } from '../harness/figure.ts'
import { waitForQuiet } from '../harness/machine.ts'
import { compare } from '../harness/statistics.ts'
import type { Benchmark } from '../harness/suite.ts'
import { type Call, Connections, groupBytes, inFlight, type ServerKind, ServerProcess, signedCall } from './traffic.ts'

const logstore = '/logstores/bench'

const puts = async (): Promise<{ readonly calls: readonly Call[]; readonly rawBytes: number }> => {
  const lz4 = await nodeCompression.blockCodec('lz4')
  const { encoded } = nginxGroups(8 * groupBytes)
  const calls = encoded.map((group) =>
    signedCall({
      method: 'POST',
      target: `${logstore}/shards/lb`,
      headers: {
        'content-type': 'application/x-protobuf',
        'x-log-bodyrawsize': String(group.length),
        'x-log-compresstype': 'lz4',
      },
      body: lz4.compress(group),
    }),
  )
  return { calls, rawBytes: encoded.reduce((sum, { length }) => sum + length, 0) / encoded.length }
}

const nothing = new Uint8Array(0)
const get = (target: string): Call =>
  signedCall({ method: 'GET', target, headers: { 'x-log-bodyrawsize': '0', 'accept-encoding': 'lz4' }, body: nothing })

interface Rates {
  /** Raw megabytes per CPU second of the server, and per second. */
  readonly put: number
  readonly putWall: number
  readonly pull: number
  readonly pullWall: number
}

const megabytes = 1e6

const measure = async (kind: ServerKind, putCount: number, pullCount: number): Promise<Rates> => {
  const server = await ServerProcess.start(kind)
  const connections = new Connections(server.port)
  try {
    if (kind === 'service') {
      const body = new TextEncoder().encode(JSON.stringify({ logstoreName: 'bench', ttl: 1, shardCount: 4 }))
      const headers = { 'content-type': 'application/json', 'x-log-bodyrawsize': String(body.length) }
      await connections.send(signedCall({ method: 'POST', target: '/logstores', headers, body }))
    }
    const { calls, rawBytes } = await puts()
    const put = (index: number): Promise<unknown> => connections.send(calls[index % calls.length] as Call)
    await inFlight(100, put)
    let [cpu, wall] = [await server.cpuMs(), performance.now()]
    await inFlight(putCount, put)
    const putMs = { cpu: (await server.cpuMs()) - cpu, wall: performance.now() - wall }

    const cursors = await Promise.all(
      [0, 1, 2, 3].map(async (shard) => {
        if (kind === 'plain') return ''
        const { body } = await connections.send(get(`${logstore}/shards/${shard}?type=cursor&from=begin`))
        return (JSON.parse(String(body)) as { readonly cursor: string }).cursor
      }),
    )
    // Eight groups a pull, about two megabytes: what a reader with prefetch asks for.
    const pulls = cursors.map((cursor, shard) =>
      get(`${logstore}/shards/${shard}?type=log&cursor=${encodeURIComponent(cursor)}&count=8`),
    )
    let rawPulled = 0
    const pull = async (index: number): Promise<void> => {
      const { headers } = await connections.send(pulls[index % pulls.length] as Call)
      rawPulled += Number(headers['x-log-bodyrawsize'])
    }
    await inFlight(50, pull)
    rawPulled = 0
    ;[cpu, wall] = [await server.cpuMs(), performance.now()]
    await inFlight(pullCount, pull)
    const pullMs = { cpu: (await server.cpuMs()) - cpu, wall: performance.now() - wall }
    const rawPut = putCount * rawBytes
    return {
      put: (rawPut / megabytes / putMs.cpu) * 1000,
      putWall: (rawPut / megabytes / putMs.wall) * 1000,
      pull: (rawPulled / megabytes / pullMs.cpu) * 1000,
      pullWall: (rawPulled / megabytes / pullMs.wall) * 1000,
    }
  } finally {
    connections.close()
    await server.stop()
  }
}

/** Server processes in turn with a bare one that checks, appends and syncs each body, and answers pulls from memory. */
const traffic: Benchmark = {
  name: 'traffic',
  title: 'signed puts with fsync and pulls, LZ4 both ways, logs of a web server; CPU of the server process alone',
  async run({ quick, say }) {
    const pairs: { readonly value: Rates; readonly baseline: Rates }[] = []
    const [putCount, pullCount] = quick ? [400, 200] : [3_000, 1_500]
    for (let repetition = 0; repetition < (quick ? 1 : 5); repetition++) {
      await waitForQuiet(quick ? 0 : 10_000)
      const value = await measure('service', putCount, pullCount)
      pairs.push({ value, baseline: await measure('plain', putCount, pullCount) })
      say(`repetition ${repetition + 1} done`)
    }
    const named = { bench: 'traffic', unit: 'MB/CPU s', better: 'more' } as const
    const of = (pick: (rates: Rates) => number) =>
      compare(pairs.map(({ value, baseline }) => ({ value: pick(value), baseline: pick(baseline) })))
    const values = (pick: (rates: Rates) => number): number[] => pairs.map(({ value }) => pick(value))
    return [
      plainFigure(
        { ...named, figure: 'raw logs taken', floor: 100 },
        values(({ put }) => put),
      ),
      comparedFigure(
        { ...named, figure: 'the same, beside the bare server' },
        of(({ put }) => put),
      ),
      plainFigure(
        { ...named, figure: 'raw logs served', floor: 500 },
        values(({ pull }) => pull),
      ),
      comparedFigure(
        { ...named, figure: 'the same, beside the bare server' },
        of(({ pull }) => pull),
      ),
      plainFigure(
        { ...named, figure: 'taken, of the time that passes', unit: 'MB/s' },
        values(({ putWall }) => putWall),
      ),
      plainFigure(
        { ...named, figure: 'served, of the time that passes', unit: 'MB/s' },
        values(({ pullWall }) => pullWall),
      ),
    ]
  },
}

export const logServiceSuite: readonly Benchmark[] = [traffic]
