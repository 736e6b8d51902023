import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { batchOf, checkpointId, endOfInput, type StreamElement } from '../../src/core/index.ts'
import { BoundedChannel } from '../../src/runtime/bounded-channel.ts'
import { type InputEvent, InputGate } from '../../src/runtime/input-gate.ts'

const batch = (name: string): StreamElement => batchOf([name])
const barrier = (id: number): StreamElement => ({ kind: 'barrier', id: checkpointId(id) })
const cancelled = (id: number): StreamElement => ({ kind: 'checkpoint-cancelled', id: checkpointId(id) })

const open = (count: number) => {
  const channels = Array.from(
    { length: count },
    () => new BoundedChannel({ batchesMax: 1_000, bytesMax: Number.POSITIVE_INFINITY }),
  )
  const gate = new InputGate(
    channels,
    channels.map((_, index) => `in/${index}`),
  )
  const send = (channel: number, ...elements: readonly StreamElement[]): void => {
    for (const element of elements) void channels[channel]?.send(element)
  }
  return { gate, send, channels }
}

const shown = (event: InputEvent): string => {
  if (event.kind === 'batch') return String(event.batch.records[0])
  return event.kind === 'end' ? 'end' : `${event.kind} ${event.id}`
}

const drain = (gate: InputGate): string[] => {
  const events: string[] = []
  for (let event = gate.poll(); event !== undefined; event = gate.poll()) events.push(shown(event))
  return events
}

describe('an input gate', () => {
  test('takes turns between its channels', () => {
    const { gate, send } = open(3)
    for (const channel of [0, 1, 2]) send(channel, ...[1, 2, 3].map((n) => batch(`${channel}.${n}`)))
    expect(drain(gate)).toEqual(['0.1', '1.1', '2.1', '0.2', '1.2', '2.2', '0.3', '1.3', '2.3'])
  })

  test('serves every channel once in as many turns as there are channels with records', () => {
    const { gate, send } = open(4)
    for (let n = 0; n < 40; n++) for (const channel of [0, 2, 3]) send(channel, batch(String(channel)))
    const events = drain(gate)
    for (let from = 0; from + 3 <= events.length; from += 3) {
      expect(new Set(events.slice(from, from + 3))).toEqual(new Set(['0', '2', '3']))
    }
  })

  test('holds back what comes behind a barrier until the barriers of the others are in', () => {
    const { gate, send } = open(2)
    send(0, batch('a'), barrier(1), batch('late'))
    send(1, batch('b'))
    expect(drain(gate)).toEqual(['a', 'b'])
    send(1, batch('c'), barrier(1), batch('d'))
    expect(drain(gate)).toEqual(['c', 'aligned 1', 'd', 'late'])
  })

  test('does not hold back a single channel', () => {
    const { gate, send } = open(1)
    send(0, batch('a'), barrier(1), batch('b'), barrier(2), endOfInput, barrier(3))
    expect(drain(gate)).toEqual(['a', 'aligned 1', 'b', 'aligned 2', 'end', 'aligned 3'])
  })

  test('ends once, when every channel has ended', () => {
    const { gate, send } = open(3)
    send(0, endOfInput)
    send(1, batch('a'), endOfInput)
    expect(drain(gate)).toEqual(['a'])
    send(0, endOfInput)
    send(2, endOfInput)
    expect(drain(gate)).toEqual(['end'])
    send(1, endOfInput)
    expect(drain(gate)).toEqual([])
  })

  test('lets barriers through behind the end of the input', () => {
    const { gate, send } = open(2)
    send(0, endOfInput, barrier(1))
    send(1, batch('a'), barrier(1), batch('b'), endOfInput, barrier(2))
    expect(drain(gate)).toEqual(['a', 'aligned 1', 'b', 'end'])
    send(0, barrier(2))
    expect(drain(gate)).toEqual(['aligned 2'])
  })

  test('gives up a checkpoint that is cancelled, tells it once, and reads on', () => {
    const { gate, send } = open(2)
    send(0, barrier(1), batch('a'), cancelled(1))
    expect(drain(gate)).toEqual([])
    send(1, cancelled(1), batch('b'), barrier(1))
    expect(drain(gate)).toEqual(['aborted 1', 'b', 'a'])
  })

  test('gives up a checkpoint when the barrier of the next one overtakes it', () => {
    const { gate, send } = open(2)
    send(0, barrier(1), batch('a'))
    send(1, barrier(2), batch('b'))
    expect(drain(gate)).toEqual(['aborted 1', 'a'])
    send(0, barrier(2))
    expect(drain(gate)).toEqual(['aligned 2', 'b'])
  })

  test('rings when any of its channels gets something', () => {
    const { gate, send } = open(2)
    let rings = 0
    gate.onAvailable(() => rings++)
    send(0, batch('a'))
    send(1, barrier(1))
    expect(rings).toBe(2)
  })

  test('says what it waits for: records, barriers by name, or the end of the job', () => {
    const { gate, send } = open(3)
    expect(gate.waitingFor()).toBe('records from in/0, in/1, in/2')
    send(0, barrier(4))
    drain(gate)
    expect(gate.waitingFor()).toBe('the barrier of checkpoint 4 from in/1, in/2')
    send(1, barrier(4))
    send(2, barrier(4), endOfInput)
    drain(gate)
    expect(gate.waitingFor()).toBe('records from in/0, in/1')
    send(0, endOfInput)
    send(1, endOfInput)
    drain(gate)
    expect(gate.waitingFor()).toBe('the end of the job')
  })

  test('still waits for the barrier of a channel that has ended, and names it', () => {
    const { gate, send } = open(2)
    send(0, endOfInput)
    send(1, barrier(1))
    drain(gate)
    expect(gate.waitingFor()).toBe('the barrier of checkpoint 1 from in/0')
  })
})

/** What one channel carries: records between the barriers 1, 2, …, some of them cancelled or left out. */
const someTraffic = fc
  .record({ channels: fc.integer({ min: 1, max: 4 }), checkpoints: fc.integer({ min: 0, max: 5 }) })
  .chain(({ channels, checkpoints }) =>
    fc.tuple(
      fc.array(
        fc.record({
          counts: fc.array(fc.nat(4), { minLength: checkpoints + 1, maxLength: checkpoints + 1 }),
          fates: fc.array(fc.constantFrom('barrier', 'barrier', 'barrier', 'cancelled', 'both', 'nothing'), {
            minLength: checkpoints,
            maxLength: checkpoints,
          }),
        }),
        { minLength: channels, maxLength: channels },
      ),
      fc.boolean(),
    ),
  )

interface Script {
  readonly counts: readonly number[]
  readonly fates: readonly string[]
}

const elementsOf = ({ counts, fates }: Script, channel: number, healthy: boolean): StreamElement[] => {
  const elements: StreamElement[] = []
  for (const [round, count] of counts.entries()) {
    for (let n = 0; n < count; n++) elements.push(batch(`${channel}:${round}:${n}`))
    const fate = round < fates.length ? (healthy ? 'barrier' : fates[round]) : 'nothing'
    if (fate === 'barrier' || fate === 'both') elements.push(barrier(round + 1))
    if (fate === 'cancelled' || fate === 'both') elements.push(cancelled(round + 1))
  }
  return [...elements, endOfInput]
}

describe('an input gate under any traffic', () => {
  /** Feeds the channels in a drawn order, polling in between, and gives all events. */
  const run = (traffic: readonly StreamElement[][], order: () => number, polls: () => number): string[] => {
    const { gate, send } = open(traffic.length)
    const left = traffic.map((elements) => [...elements])
    const events: string[] = []
    for (let live = left.filter((queue) => queue.length > 0); live.length > 0; ) {
      const queue = live[order() % live.length]
      const element = queue?.shift()
      if (queue !== undefined && element !== undefined) send(left.indexOf(queue), element)
      for (let poll = polls() % 4; poll > 0; poll--) {
        const event = gate.poll()
        if (event !== undefined) events.push(shown(event))
      }
      live = left.filter((remaining) => remaining.length > 0)
    }
    return [...events, ...drain(gate)]
  }
  const recordsIn = (events: readonly string[], channel: number): string[] =>
    events.filter((event) => event.startsWith(`${channel}:`))

  test('cuts every channel at its barrier, loses nothing before it and keeps the order', () => {
    fc.assert(
      fc.property(someTraffic, fc.infiniteStream(fc.nat(100)), ([scripts, healthy], stream) => {
        const traffic = scripts.map((script, channel) => elementsOf(script, channel, healthy))
        const draw = (): number => stream.next().value as number
        const events = run(traffic, draw, draw)
        for (const [channel, elements] of traffic.entries()) {
          const sent = elements.flatMap((element) => (element.kind === 'batch' ? [String(element.records[0])] : []))
          const got = recordsIn(events, channel)
          expect(got).toEqual(sent.slice(0, got.length))
          for (const [at, event] of events.entries()) {
            if (!event.startsWith('aligned ')) continue
            const id = Number(event.split(' ')[1])
            const before = sent.filter((name) => Number(name.split(':')[1]) < id)
            expect(recordsIn(events.slice(0, at), channel)).toEqual(before)
          }
        }
        expect(events.filter((event) => event.startsWith('aligned')).length).toBe(
          new Set(events.filter((event) => event.startsWith('aligned'))).size,
        )
      }),
      { numRuns: 400 },
    )
  })

  test('aligns every checkpoint, in order, and ends once, when every barrier comes', () => {
    fc.assert(
      fc.property(someTraffic, fc.infiniteStream(fc.nat(100)), ([scripts], stream) => {
        const traffic = scripts.map((script, channel) => elementsOf(script, channel, true))
        const draw = (): number => stream.next().value as number
        const events = run(traffic, draw, draw)
        const checkpoints = scripts[0]?.fates.length ?? 0
        expect(events.filter((event) => event.startsWith('a'))).toEqual(
          Array.from({ length: checkpoints }, (_, index) => `aligned ${index + 1}`),
        )
        expect(events.filter((event) => event === 'end')).toHaveLength(1)
        const records = traffic.flat().filter((element) => element.kind === 'batch')
        expect(events).toHaveLength(records.length + checkpoints + 1)
      }),
      { numRuns: 200 },
    )
  })

  test('never aligns a checkpoint that was cancelled before its last barrier', () => {
    fc.assert(
      fc.property(someTraffic, fc.infiniteStream(fc.nat(100)), ([scripts], stream) => {
        const traffic = scripts.map((script, channel) => elementsOf(script, channel, false))
        const draw = (): number => stream.next().value as number
        const events = run(traffic, draw, draw)
        const over = new Set<string>()
        for (const event of events) {
          const [kind, id = ''] = event.split(' ')
          if (kind === 'aborted') over.add(id)
          if (kind === 'aligned') expect(over).not.toContain(id)
        }
        for (const [index] of (scripts[0]?.fates ?? []).entries()) {
          const lacking = scripts.some(({ fates }) => fates[index] === 'nothing' || fates[index] === 'cancelled')
          if (lacking) expect(events).not.toContain(`aligned ${index + 1}`)
        }
      }),
      { numRuns: 200 },
    )
  })
})
