import { setTimeout as sleep } from 'node:timers/promises'
import { job, run } from '../../src/entry/index.ts'
import { slsSource } from '../../src/entry/sls.ts'
import { inChild } from '../harness/child.ts'
import { cpuMs } from '../harness/machine.ts'
import { BenchServer } from './bench-server.ts'
import { dispatchTo } from './jobs.ts'
import { connectionTo } from './loops.ts'

interface Input {
  readonly seconds: number
}

const bytesPerSecond = 5_000_000
const warmUpMs = 5_000

/** Percent of a core that a job takes which passes 5 MB/s of LogGroups on. */
export const measure = async ({ seconds }: Input): Promise<number> => {
  const server = await BenchServer.start()
  const { port } = server.facts
  await server.plan({ list: 'small', bytesPerSecond })
  const source = slsSource({ ...connectionTo(port), logstore: 'source', records: 'groups' })
  const handle = run(job('steady', (flow) => flow.from('in', source).to('out', dispatchTo(port))))
  await sleep(warmUpMs)
  const before = await server.report()
  const [startCpuMs, startMs] = [cpuMs(), performance.now()]
  await sleep(seconds * 1000)
  const [spentMs, passedMs] = [cpuMs() - startCpuMs, performance.now() - startMs]
  const moved = (await server.report()).rawBytes - before.rawBytes
  await handle.cancel()
  await server.stop()
  const rate = (moved / passedMs) * 1000
  if (Math.abs(rate / bytesPerSecond - 1) > 0.1) throw new Error(`${Math.round(rate)} bytes a second went through`)
  return (spentMs / passedMs) * 100
}

export const measureSteady = (seconds: number): Promise<number> => inChild<Input, number>(import.meta.url, { seconds })
