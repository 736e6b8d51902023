import {
  type AgainReason,
  Batcher,
  type BatcherParts,
  type Destination,
  defaultRetryPolicy,
  IoPool,
  MemoryBudget,
  type Package,
  type PackageLimits,
  type PackageOutcome,
  type RetryPolicy,
  type SendResult,
} from '../../../src/sink/index.ts'
import { SeededRandom, VirtualClock } from '../../../src/testing/index.ts'
import { fromAscii, toAscii } from './ascii.ts'

export const to = (key: string, lane = 'target', overheadBytes = 0): Destination => ({ key, lane, overheadBytes })

export interface Sent {
  readonly key: string
  readonly sequence: number
  readonly records: readonly string[]
  readonly atMs: number
}

export type Answer = SendResult | 'hang' | undefined

const accepted: SendResult = { kind: 'accepted' }

/** A target that answers as it is told, after a while. */
export class FakeTarget {
  readonly clock = new VirtualClock()
  readonly memory: MemoryBudget
  readonly io: IoPool
  readonly sent: Sent[] = []
  readonly stored: string[] = []
  readonly outcomes: { records: readonly string[]; tickets: readonly number[]; outcome: PackageOutcome }[] = []
  answerMs = 10
  running = 0
  runningMost = 0
  usedMost = 0
  /** Default: accepts. */
  answer: (sent: Sent, pack: Package<Destination, number>) => Answer = () => undefined

  constructor({ memory = 1_000_000, io = 8 } = {}) {
    this.memory = new MemoryBudget(memory)
    this.io = new IoPool(io)
  }

  async send(pack: Package<Destination, number>, signal: AbortSignal): Promise<SendResult> {
    const records = recordsOf(pack)
    const sent: Sent = {
      key: pack.destination.key,
      sequence: pack.sequence,
      records,
      atMs: this.clock.monoMs(),
    }
    this.sent.push(sent)
    this.running++
    this.runningMost = Math.max(this.runningMost, this.running)
    this.usedMost = Math.max(this.usedMost, this.memory.used)
    try {
      const answer = this.answer(sent, pack) ?? accepted
      await this.clock.sleep(answer === 'hang' ? 1e9 : this.answerMs, signal)
      const result = answer === 'hang' ? accepted : answer
      const stores = result.kind === 'accepted' || (result.kind === 'again' && result.why === 'ambiguous')
      if (stores) this.stored.push(...records)
      return result
    } finally {
      this.running--
    }
  }

  parts(limits: Partial<PackageLimits> = {}, retry: Partial<RetryPolicy> = {}) {
    return {
      clock: this.clock,
      random: new SeededRandom(1),
      resources: { memory: this.memory, io: this.io },
      limits: { records: 100, bytes: 1000, lingerMs: 3000, openMax: 100, ...limits },
      retry: { ...defaultRetryPolicy, ...retry },
      ordered: false,
      isolateRefused: false,
      send: (pack, signal) => this.send(pack, signal),
    } satisfies Omit<BatcherParts<Destination, number>, 'settled'>
  }

  batcher(
    options: {
      readonly limits?: Partial<PackageLimits>
      readonly retry?: Partial<RetryPolicy>
      readonly ordered?: boolean
      readonly isolateRefused?: boolean
      readonly laneShare?: number
    } = {},
  ): Batcher<Destination, number> {
    const { limits, retry, ...rest } = options
    return new Batcher<Destination, number>({
      ...this.parts(limits, retry),
      ...rest,
      settled: (pack, outcome) => {
        this.outcomes.push({ records: recordsOf(pack), tickets: pack.tickets, outcome })
      },
    })
  }
}

export const recordsOf = (pack: Package): string[] =>
  Array.from({ length: pack.records }, (_, index) => toAscii(pack.record(index)))

export const record = fromAscii

export const again = (why: AgainReason, afterMs?: number): SendResult => ({
  kind: 'again',
  why,
  afterMs,
  cause: new Error(why),
})

export const refused: SendResult = { kind: 'refused', cause: new Error('refused') }
export const tooLarge: SendResult = { kind: 'too-large', cause: new Error('too large') }
export const failed: SendResult = { kind: 'failed', cause: new Error('no such place') }

/** Gives a record to a batcher that has room. */
export const give = (
  batcher: Batcher<Destination, number>,
  destination: Destination,
  bytes: Uint8Array,
  ticket?: number,
) => {
  if (batcher.add(destination, bytes, ticket) !== undefined) throw new Error('it has no room')
}
