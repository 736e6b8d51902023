import { sinkOver } from '../../../../src/connectors/sls/producer/sls-sink.ts'
import { resolveWriteOptions, type SlsWriteOptions } from '../../../../src/connectors/sls/producer/write-options.ts'
import { batchOf, generation, MetricRegistry } from '../../../../src/core/index.ts'
import { IoPool, MemoryBudget } from '../../../../src/sink/index.ts'
import { memoryEnvironment } from '../../../../src/testing/index.ts'
import { FakePuts } from './fake-puts.ts'

/** A sink with one writer over a service that stores at once. */
export const sinkBench = async <T>(
  options: SlsWriteOptions<T>,
  { memory = 1 << 20, puts = new FakePuts(), subtask = 0 } = {},
) => {
  const environment = memoryEnvironment()
  const resources = { memory: new MemoryBudget(memory), io: new IoPool(8) }
  const sink = sinkOver(resolveWriteOptions(options), {
    project: 'project-1',
    endpoint: 'sls.test',
    connect: () => ({ puts, resources }),
  })
  const metrics = new MetricRegistry({ job: 'job' })
  const open = sink.open({
    ...environment,
    job: 'job',
    step: 'out',
    parallelism: 1,
    generation: generation(7),
    metrics: metrics.step({ step: 'out' }),
  })
  const job = new AbortController()
  const waits: (string | undefined)[] = []
  const writer = await open.createWriter(
    {
      subtask,
      parallelism: 1,
      metrics: metrics.step({ step: 'out', subtask }),
      signal: job.signal,
      waiting: (forWhat) => waits.push(forWhat),
    },
    [],
  )
  return {
    sink,
    writer,
    metrics,
    puts,
    waits,
    job,
    ...resources,
    clock: environment.clock,
    write: async (...records: readonly T[]) => writer.write(batchOf(records)),
    flush: () => environment.clock.advanceUntil(writer.flush(false)),
  }
}

/** The first line of what a promise rejects with. */
export const rejection = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'nothing',
    (error: Error) => error.message.split('\n')[0] ?? '',
  )
