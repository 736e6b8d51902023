import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Job, type JobHandle, job, run } from 'millrace'
import { fileSink } from 'millrace/files'
import { slsSource } from 'millrace/sls'
import { rateLimited } from 'millrace/source'
import type { Example } from '../shared/example.ts'
import { type Connection, startLocalService } from '../shared/local-service.ts'
import { sampleLogs, sendLogs } from '../shared/logs.ts'

interface Places {
  readonly checkpoints: string
  readonly archive: string
}

/** Every log of a logstore as a line of JSON in a file, exactly once. The types would not let a weaker sink in here. */
const archive = (connection: Connection, { checkpoints, archive: dir }: Places): Job =>
  job('archive', { checkpoint: { every: '200ms', dir: checkpoints }, parallelism: 2 }, (flow) => {
    // The limit is only there to be stopped in the middle.
    flow
      .from('logs', rateLimited(slsSource({ ...connection, logstore: 'archived', end: 'now' }), 1500))
      .map((log) => ({ time: log.time, topic: log.topic, ...log.toObject() }))
      .to('archive', fileSink({ dir, format: 'jsonl' }))
  })

/** Resolves when so many checkpoints are complete. */
const checkpointsOf = (running: JobHandle, count: number): Promise<void> =>
  new Promise((resolve) => {
    let completed = 0
    running.events$.subscribe(({ kind }) => {
      if (kind === 'checkpoint-completed' && ++completed === count) resolve()
    })
  })

export const example: Example = async ({ directory, print }) => {
  const places = { checkpoints: join(directory, 'checkpoints'), archive: join(directory, 'archive') }
  const service = await startLocalService({
    directory: `${directory}/log-service`,
    project: 'example',
    logstores: { archived: { shardCount: 2 } },
  })
  try {
    const sent = sampleLogs(3000)
    await sendLogs(service.connection, 'archived', sent)

    // Twice it is given up in the middle, as a crash would have it; what was staged and not published is gone then.
    for (let crash = 1; crash <= 2; crash++) {
      const running = run(archive(service.connection, places))
      await Promise.race([checkpointsOf(running, 3), running.done])
      await running.cancel()
      print(`crash ${crash}: ${(await linesIn(places.archive)).length} lines in the archive`)
    }
    await run(archive(service.connection, places)).done

    const lines = await linesIn(places.archive)
    const numbers = new Set(lines.map((line) => (JSON.parse(line) as { number: string }).number))
    return {
      right: lines.length === sent.length && numbers.size === sent.length,
      text: `${sent.length} logs · ${lines.length} lines · ${sent.length - numbers.size} lost · ${lines.length - numbers.size} duplicate`,
    }
  } finally {
    await service.close()
  }
}

/** What any reader sees: names that begin with a dot are not published. */
const linesIn = async (directory: string): Promise<string[]> => {
  const names = (await readdir(directory).catch(() => [])).filter((name) => !name.startsWith('.'))
  const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')))
  return texts.flatMap((text) => text.split('\n').slice(0, -1))
}
