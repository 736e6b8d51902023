import { describe, expect, test } from 'vitest'
import type { OutgoingLog } from '../../../../src/connectors/sls/producer/outgoing-log.ts'
import { buckets, hashKey } from '../../../../src/connectors/sls/producer/route.ts'
import { batchOf } from '../../../../src/core/index.ts'
import type { SendResult } from '../../../../src/sink/index.ts'
import { FakePuts } from './fake-puts.ts'
import { rejection, sinkBench } from './sink-bench.ts'

const plain = { logstore: 'access', log: (text: string) => ({ contents: { text } }) }
const asIs = { logstore: 'access', log: (log: OutgoingLog) => log }
const refused: SendResult = { kind: 'refused', cause: new Error('PostBodyInvalid: no such field') }

describe('an SLS sink', () => {
  test('stores the logs of its records when it flushes, without waiting for the linger', async () => {
    const bench = await sinkBench(plain)
    await bench.write('a', 'b')
    expect(bench.puts.puts).toEqual([])
    await bench.flush()
    expect(bench.puts.logs('access')).toEqual([{ text: 'a' }, { text: 'b' }])
    expect(bench.clock.monoMs()).toBe(0)
    expect(bench.sink.counts()).toMatchObject({ logs: 2, packages: 1, retries: 0 })
    expect(bench.memory.used).toBe(0)
  })

  test('sends topic, source and tags, those of the log before its own', async () => {
    const bench = await sinkBench({ ...asIs, topic: 'plain', source: 'here', tags: [['host', 'one']], packTag: false })
    await bench.write(
      { contents: { n: '1' } },
      { contents: { n: '2' }, topic: 'other', tags: [['host', 'two']] },
      { contents: { n: '3' } },
      { contents: { n: '4' }, logstore: 'errors', project: 'project-2', source: 'there' },
    )
    await bench.flush()
    const seen = bench.puts.puts.map(({ place, group }) => [
      `${place.project}/${place.logstore}`,
      group.topic,
      group.source,
      group.tags,
      [...group.logs()].map((log) => log.get('n')),
    ])
    expect(seen).toEqual([
      ['project-1/access', 'plain', 'here', [['host', 'one']], ['1', '3']],
      ['project-1/access', 'other', 'here', [['host', 'two']], ['2']],
      ['project-2/errors', 'plain', 'there', [['host', 'one']], ['4']],
    ])
  })

  test('gives a log without a time the event time of its record, or the time of the clock', async () => {
    const bench = await sinkBench(plain)
    await bench.writer.write({ ...batchOf(['a', 'b']), timestamps: [1_600_000_000_999, 1_600_000_001_000] })
    await bench.write('c')
    await bench.flush()
    const times = bench.puts.puts.flatMap(({ group }) => [...group.logs()].map(({ time }) => time))
    expect(times).toEqual([1_600_000_000, 1_600_000_001, 1_700_000_000])
  })

  test('leaves out the records whose function gives null', async () => {
    const bench = await sinkBench({
      logstore: 'access',
      log: (n: number) => (n % 2 ? { contents: { n: `${n}` } } : null),
    })
    await bench.write(1, 2, 3)
    await bench.flush()
    expect(bench.puts.logs('access')).toEqual([{ n: '1' }, { n: '3' }])
  })

  test('routes by the hash key of the log before the route of the sink, in lower case', async () => {
    const route = buckets<OutgoingLog>(64, ({ topic }) => topic)
    const bench = await sinkBench({ ...asIs, route })
    const key = 'ABCDEF00000000000000000000000001'
    await bench.write({ contents: {}, topic: '127.0.0.1' }, { contents: {}, hashKey: key }, { contents: {} })
    await bench.flush()
    expect(bench.puts.puts.map(({ place }) => place.hashKey)).toEqual([
      'f4000000000000000000000000000000',
      key.toLowerCase(),
      undefined,
    ])
  })

  test('gives every package a pack tag of its own, and a package that is sent again the same', async () => {
    const bench = await sinkBench({ ...plain, package: { records: 1 } })
    const tags: string[] = []
    let calls = 0
    bench.puts.answer = ({ group }) => {
      tags.push(group.tags.map((tag) => tag.join('=')).join())
      return ++calls <= 2 ? { kind: 'again', why: 'ambiguous', cause: new Error('lost') } : { kind: 'accepted' }
    }
    await bench.write('a', 'b')
    await bench.flush()
    expect(tags.length).toBe(4)
    expect(new Set(tags).size).toBe(2)
    for (const tag of tags) expect(tag).toMatch(/^__pack_id__=[0-9A-F]{16}-[12]$/)
    expect(bench.sink.counts()).toMatchObject({ logs: 2, retries: 2, ambiguousLogs: 2 })
    const other = await sinkBench(plain, { subtask: 1 })
    await other.write('a')
    await other.flush()
    const [prefix] = other.puts.puts[0]?.group.tags[0]?.[1].split('-') ?? []
    expect(tags[0]).not.toContain(prefix)
  })

  test('fails this and every later call after the service refused something', async () => {
    const bench = await sinkBench(plain)
    bench.puts.answer = () => refused
    await bench.write('a')
    expect(await rejection(bench.flush())).toContain('SINK_REFUSED')
    bench.puts.answer = () => ({ kind: 'accepted' })
    expect(await rejection(bench.write('b'))).toContain('no such field')
    expect(await rejection(bench.flush())).toContain('no such field')
    expect(bench.memory.used).toBe(0)
  })

  test('fails when the function that makes logs throws or gives no log', async () => {
    const wrong = [
      () => {
        throw new RangeError('oh')
      },
      () => undefined,
      () => 'text',
      () => ({}),
    ] as unknown as (() => OutgoingLog)[]
    const seen: string[] = []
    for (const log of wrong) {
      const bench = await sinkBench({ logstore: 'access', log })
      seen.push(await rejection(bench.write('a')))
      await expect(bench.flush()).rejects.toMatchObject({ place: { job: 'job', step: 'out', subtaskIndex: 0 } })
    }
    expect(seen).toEqual([
      expect.stringContaining(
        'STEP_FAILED (job job, step out, subtaskIndex 0): the function that makes logs threw RangeError: oh',
      ),
      expect.stringContaining('STEP_MISUSED'),
      expect.stringContaining('STEP_MISUSED'),
      expect.stringContaining('STEP_MISUSED'),
    ])
  })

  test('tells what it waits for, and stops waiting when the job ends', async () => {
    const bench = await sinkBench(plain, { memory: 1024 })
    bench.puts.answer = () => ({ kind: 'again', why: 'unavailable', cause: new Error('down') })
    await bench.write('x'.repeat(800))
    const blocked = rejection(bench.write('y'.repeat(800)))
    await bench.clock.advance(10)
    expect(bench.waits).toEqual(['room in the memory for packages'])
    bench.job.abort(new Error('the job ended'))
    expect(await blocked).toBe('the job ended')
    await bench.writer.close()
    expect([bench.memory.used, bench.clock.pendingTimers]).toEqual([0, 0])
  })
})

describe('a log that can never be sent', () => {
  const key = '0'.repeat(64)
  const cases: [string, OutgoingLog, string][] = [
    ['with a time in milliseconds', { contents: {}, time: 1_700_000_000_000 }, 'its time is 1700000000000'],
    ['with a time that is no whole number', { contents: {}, time: 1.5 }, 'a time is 1.5'],
    ['with a value that is no text', { contents: { n: 1 } as never }, "the value of the field 'n' is no text"],
    ['with a hash key of another length', { contents: {}, hashKey: key }, 'is no hash key'],
    ['with a logstore that cannot be', { contents: {}, logstore: 'No' }, '"No" cannot name a logstore'],
    ['with a project that cannot be', { contents: {}, project: '-' }, '"-" cannot name a project'],
    ['with a topic that is no text', { contents: {}, topic: 1 as never }, 'its topic is no text'],
    ['with tags that are no pairs', { contents: {}, tags: [['a']] as never }, 'its tags are no list'],
    ['larger than the limit', { contents: { text: 'x'.repeat(5000) } }, 'more than the 4096 bytes that are the limit'],
    ['larger than all memory for packages', { contents: { text: 'x'.repeat(3000) } }, 'more than the 2048 bytes'],
  ]

  test.each(cases)('%s stops the job with a typed error', async (_, log, message) => {
    const memory = message.includes('2048') ? 2048 : 1 << 20
    const bench = await sinkBench({ ...asIs, recordBytesMax: 4096 }, { memory })
    await bench.write({ contents: { fine: 'yes' } })
    const seen = await rejection(bench.write(log))
    expect(seen).toContain('RECORD_UNSENDABLE (job job, step out, subtaskIndex 0)')
    expect(seen).toContain(message)
    await bench.writer.close()
    expect(bench.memory.used).toBe(0)
  })

  test.each(cases)(
    '%s is skipped and counted when that is wanted, and the others are stored',
    async (_, log, message) => {
      const memory = message.includes('2048') ? 2048 : 1 << 20
      const bench = await sinkBench({ ...asIs, recordBytesMax: 4096, onRejected: 'skip' }, { memory })
      await bench.write({ contents: { n: '1' } }, log, { contents: { n: '2' } })
      await bench.flush()
      expect(bench.puts.logs('access')).toEqual([{ n: '1' }, { n: '2' }])
      expect(bench.sink.counts()).toMatchObject({ logs: 2, skipped: 1 })
    },
  )

  test('goes to another logstore with the reason, before the checkpoint', async () => {
    const onRejected = { deadLetter: { logstore: 'dead' } }
    const bench = await sinkBench({ ...asIs, onRejected })
    await bench.write({ contents: { n: '1' } }, { contents: { n: '2' }, hashKey: 'zz' })
    await bench.flush()
    expect(bench.puts.logs('access')).toEqual([{ n: '1' }])
    expect(bench.puts.logs('dead')).toEqual([
      {
        step: 'out',
        reason: expect.stringContaining('"zz" is no hash key'),
        raw: '{"contents":{"n":"2"},"hashKey":"zz"}',
        encoding: 'json',
      },
    ])
    expect(bench.sink.counts()).toMatchObject({ logs: 2, deadLetters: 1 })
  })

  test('is found among others when only the service knows it, and nothing else is left out', async () => {
    const puts = new FakePuts()
    puts.answer = ({ place, group }) =>
      place.logstore === 'access' && [...group.logs()].some((log) => log.get('n') === '5')
        ? refused
        : { kind: 'accepted' }
    const bench = await sinkBench({ ...asIs, onRejected: { deadLetter: { logstore: 'dead' } } }, { puts })
    await bench.write(...Array.from({ length: 9 }, (_, n) => ({ contents: { n: `${n}` } })))
    await bench.flush()
    expect(bench.puts.logs('access').map(({ n }) => n)).toEqual(['0', '1', '2', '3', '4', '6', '7', '8'])
    expect(bench.puts.logs('dead')).toMatchObject([
      { raw: '{"n":"5"}', reason: expect.stringContaining('no such field') },
    ])
  })

  test('fails the job when it would be a dead letter and that is refused too', async () => {
    const bench = await sinkBench({ ...asIs, onRejected: { deadLetter: { logstore: 'dead' } } })
    bench.puts.answer = () => refused
    await bench.write({ contents: { n: '1' } })
    expect(await rejection(bench.flush())).toContain('SINK_REFUSED')
  })

  test('fails the job after too many in a row: that is no odd log any more', async () => {
    const bench = await sinkBench({ ...asIs, onRejected: 'skip', rejectedInRowMax: 3 })
    const bad = { contents: {}, hashKey: 'zz' }
    const good = { contents: { n: '1' } }
    await bench.write(bad, bad, bad, good, bad, bad, bad)
    expect(await rejection(bench.write(bad))).toContain('RECORD_UNSENDABLE')
    await bench.writer.close()
  })
})

describe('options of an SLS sink', () => {
  test('are refused with every problem at once', async () => {
    const options = {
      logstore: 'A',
      lgo: 1,
      package: { bytes: '9MiB', records: 0 },
      onRejected: { deadLetter: { logstore: 'B' } },
      route: () => 'x',
    } as never
    const seen = await rejection(sinkBench(options))
    for (const part of [
      "unknown option 'lgo'",
      "'log' is missing",
      "'logstore'",
      "'package.bytes'",
      "'package.records'",
    ]) {
      expect(seen).toContain(part)
    }
    expect(seen).toContain("'onRejected.deadLetter.logstore'")
    expect(seen).toContain("'route' must be hashKey")
  })

  test('do not take a hash key for a route', () => {
    expect(hashKey(() => '0'.repeat(32)).kind).toBe('hash-key')
  })
})
