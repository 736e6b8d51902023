import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Duration, job, run } from '../../src/entry/index.ts'
import { discardSink, generatorSource } from '../../src/entry/memory.ts'
import { inChild } from '../harness/child.ts'
import { comparedFigure, plainFigure } from '../harness/figure.ts'
import { cpuMs, mainThreadWait, waitForQuiet } from '../harness/machine.ts'
import { compare } from '../harness/statistics.ts'
import type { Benchmark } from '../harness/suite.ts'
import { keyTexts, scattered } from './keys.ts'
import { type LoopReport, watchLoop } from './loop-probe.ts'

interface Input {
  readonly keys: number
  readonly every: Duration
  readonly seconds: number
}

/** How far the job had come at a moment. */
interface Sample {
  readonly records: number
  readonly atMs: number
  /** What the main thread had stood in line for a core by then. */
  readonly waitMs: number
}

interface Report extends LoopReport {
  /** Records in a second of the main thread's own time. */
  readonly rate: number
  /** The same for the time in which no checkpoint was being written. */
  readonly rateBetween: number
  readonly recordsPerCpuSecond: number
  readonly checkpoints: readonly { readonly durationMs: number; readonly bytes: number }[]
}

const samplingMs = 10

/** A count per key for some seconds, once every key has its entry. */
export const measure = async ({ keys, every, seconds }: Input): Promise<Report> => {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-bench-'))
  const texts = keyTexts(keys)
  // First every key once, so that the state is whole; then any key at any time.
  const keyOf = (index: number): string => texts[index < keys ? index : scattered(index, keys)] as string
  const counting = job('checkpoint', { checkpoint: { dir: join(dir, 'checkpoints'), every } }, (flow) =>
    flow
      .from('keys', generatorSource({ generate: keyOf }))
      .keyBy((key) => key)
      .reduce('count', 0, (count) => count + 1)
      .to('out', discardSink()),
  )
  const handle = run(counting)
  const checkpoints: { startMs: number; endMs: number; bytes: number }[] = []
  handle.events$.subscribe({
    next: (event) => {
      if (event.kind !== 'checkpoint-completed') return
      const endMs = performance.now()
      checkpoints.push({ startMs: endMs - event.durationMs, endMs, bytes: event.bytes })
    },
    error: () => {},
  })
  const wait = mainThreadWait()
  const sample = (): Sample => ({
    records: handle.metrics().sum('millrace_records_in_total', 'count') ?? 0,
    atMs: performance.now(),
    waitMs: wait(),
  })
  while (sample().records < keys * 3) await sleep(100)
  // Also the job without checkpoints has written one by now: its code is compiled, its entries are marked.
  await handle.savepoint(join(dir, 'savepoint'))
  await sleep(1000)

  const samples = [sample()]
  const loop = watchLoop()
  const startCpuMs = cpuMs()
  const sampling = setInterval(() => samples.push(sample()), samplingMs)
  await sleep(seconds * 1000)
  clearInterval(sampling)
  samples.push(sample())
  const [first, last] = [samples[0], samples.at(-1)]
  if (first === undefined || last === undefined) throw new Error('there are two samples')
  const written = checkpoints.filter(({ endMs }) => endMs > first.atMs)
  const report: Report = {
    ...loop(),
    rate: rateOver([[first, last]]),
    rateBetween: rateOver(pairsBetween(samples, written)),
    recordsPerCpuSecond: ((last.records - first.records) * 1000) / (cpuMs() - startCpuMs),
    checkpoints: written.map(({ startMs, endMs, bytes }) => ({ durationMs: endMs - startMs, bytes })),
  }
  await handle.cancel()
  await rm(dir, { recursive: true })
  return report
}

const rateOver = (stretches: readonly (readonly [Sample, Sample])[]): number => {
  const records = stretches.reduce((sum, [from, to]) => sum + to.records - from.records, 0)
  const ms = stretches.reduce((sum, [from, to]) => sum + to.atMs - from.atMs - (to.waitMs - from.waitMs), 0)
  return (records * 1000) / ms
}

/** Neighbouring samples that no checkpoint touches. */
const pairsBetween = (
  samples: readonly Sample[],
  checkpoints: readonly { readonly startMs: number; readonly endMs: number }[],
): [Sample, Sample][] =>
  samples.flatMap((from, index): [Sample, Sample][] => {
    const to = samples[index + 1]
    if (to === undefined) return []
    const free = checkpoints.every(({ startMs, endMs }) => to.atMs < startMs || from.atMs > endMs)
    return free ? [[from, to]] : []
  })

export const checkpoint: Benchmark = {
  name: 'checkpoint',
  title: 'a count per key with a checkpoint every 5 s, beside the same job without; and how long the event loop stands',
  async run({ quick, say }) {
    const keys = quick ? 100_000 : 1_000_000
    const every = quick ? '1s' : '5s'
    const inputOf = (interval: Duration): Input => ({ keys, every: interval, seconds: quick ? 3 : 15 })
    const runs: { readonly value: Report; readonly baseline: Report }[] = []
    const measured = async (interval: Duration): Promise<Report> => {
      await waitForQuiet(quick ? 0 : 30_000)
      return inChild<Input, Report>(import.meta.url, inputOf(interval))
    }
    for (let repetition = 0; repetition < (quick ? 1 : 7); repetition++) {
      // In turns first: whoever comes first meets a colder machine.
      const early = repetition % 2 === 0 ? await measured('1h') : undefined
      const value = await measured(every)
      const baseline = early ?? (await measured('1h'))
      runs.push({ value, baseline })
      const ratio = (value.rate / baseline.rate).toFixed(3)
      say(`pair ${repetition + 1}: ratio ${ratio}, longest gap ${value.ownGapMs.toFixed(1)} ms`)
    }
    const named = { bench: 'checkpoint', unit: 'ms', better: 'less' } as const
    const rates = { ...named, unit: 'records/s', better: 'more' } as const
    const reports = runs.map(({ value }) => value)
    const written = reports.flatMap(({ checkpoints }) => checkpoints)
    const longest = (values: readonly number[]): number => Math.max(...values)
    const gaps = (figure: string, of: (report: Report) => number, floor: number | null = null) =>
      plainFigure({ ...named, figure, floor }, reports.map(of), longest)
    const pairsOf = (of: (report: Report) => number) =>
      compare(runs.map(({ value, baseline }) => ({ value: of(value), baseline: of(baseline) })))
    return [
      comparedFigure(
        { ...rates, figure: `rate, ${keys} keys`, floor: 0.9 },
        pairsOf(({ rate }) => rate),
      ),
      comparedFigure(
        { ...rates, figure: 'the same, beside the time between the checkpoints of the same run' },
        compare(reports.map(({ rate, rateBetween }) => ({ value: rate, baseline: rateBetween }))),
      ),
      comparedFigure(
        { ...rates, figure: 'records per second of CPU time, all threads' },
        pairsOf(({ recordsPerCpuSecond }) => recordsPerCpuSecond),
      ),
      gaps('longest gap, without waiting for a core', (report) => report.ownGapMs, 50),
      gaps('longest gap', (report) => report.gapMs),
      gaps('longest delay of monitorEventLoopDelay', (report) => report.delayMs),
      gaps('longest pause of a minor collection', (report) => report.minorPauseMs),
      gaps('longest pause of a major collection', (report) => report.majorPauseMs),
      plainFigure(
        { ...named, figure: 'duration of a checkpoint' },
        written.map(({ durationMs }) => durationMs),
      ),
      plainFigure(
        { ...named, figure: 'size of a checkpoint', unit: 'bytes/key' },
        written.map(({ bytes }) => bytes / keys),
      ),
    ]
  },
}
