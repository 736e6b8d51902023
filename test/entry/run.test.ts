import { join } from 'node:path'
import { type Job, type JobEvent, type JobOptions, job, type LogFields, type Logger, run } from 'millrace'
import { fileSink, filesSource } from 'millrace/files'
import { arraySource, printSink } from 'millrace/memory'
import { firstValueFrom, filter as where } from 'rxjs'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { lines, type Place, place } from './places.ts'

let here: Place
beforeEach(async () => {
  here = await place()
})
afterEach(() => here.dispose())

/** Files to files; in tail mode it goes on until it is stopped. */
const copy = (mode: 'bounded' | 'tail' = 'bounded', options: JobOptions = {}): Job => {
  const { directory } = here
  const common: JobOptions = { checkpoint: { dir: join(directory, 'ck'), every: '50ms' }, batchRecords: 64, ...options }
  const tail = mode === 'tail' ? ({ discoveryInterval: '50ms', pollInterval: '10ms' } as const) : {}
  return job('copy', common, (flow) =>
    flow
      .from('lines', filesSource({ paths: join(directory, 'in'), mode, readBytes: 1024, ...tail }))
      .map((line) => line.text)
      .to('out', fileSink({ dir: join(directory, 'out'), format: 'text' })),
  )
}

const checkpointWith = async (running: ReturnType<typeof run>, count: number): Promise<void> => {
  await firstValueFrom(running.events$.pipe(where((event) => event.kind === 'checkpoint-completed' && --count <= 0)))
}

interface Line {
  readonly level: string
  readonly message: string
}

const recorder = (): { readonly logger: Logger; readonly said: Line[] } => {
  const said: Line[] = []
  const at =
    (level: string) =>
    (_: LogFields, message: string): void =>
      void said.push({ level, message })
  const logger: Logger = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => logger,
  }
  return { logger, said }
}

describe('run', () => {
  test('runs a bounded job to its end, and a second run finds nothing left to do', async () => {
    const events: JobEvent['kind'][] = []
    const running = run(copy())
    running.events$.subscribe(({ kind }) => events.push(kind))
    expect(await running.done).toMatchObject({ outcome: 'finished', restarts: 0 })
    expect(events.at(0)).toBe('started')
    expect(events.at(-1)).toBe('finished')
    expect(await here.written()).toEqual(lines)
    expect(await run(copy()).done).toMatchObject({ outcome: 'finished' })
    expect(await here.written()).toEqual(lines)
  })

  test('stops with a last checkpoint when its signal aborts, and goes on from there', async () => {
    const controller = new AbortController()
    const running = run(copy('tail'), { signal: controller.signal })
    await checkpointWith(running, 2)
    controller.abort()
    expect(await running.done).toMatchObject({ outcome: 'stopped', lastCheckpointId: expect.any(Number) })
    const seen = await here.written()
    expect(new Set(seen).size).toBe(seen.length)
    const again = run(copy('tail'))
    while ((await here.written()).length < lines.length) await checkpointWith(again, 1)
    await again.stop()
    expect(await here.written()).toEqual(lines)
  })

  test('stops at once when its signal has aborted before', async () => {
    expect(await run(copy('tail'), { signal: AbortSignal.abort() }).done).toMatchObject({ outcome: 'stopped' })
    expect(await run(copy()).done.catch((error: unknown) => error)).toMatchObject({ code: 'CHECKPOINT_MISMATCH' })
  })

  test("starts from 'latest', from an id, from a savepoint, or afresh with 'none'", async () => {
    const first = run(copy('tail'))
    while ((await here.written()).length < lines.length) await checkpointWith(first, 1)
    const savepoint = join(here.directory, 'save')
    await first.savepoint(savepoint)
    const { lastCheckpointId = 0 } = await first.stop()
    const restoredBy = async (restore: string | number): Promise<number | undefined> => {
      const running = run(copy('tail'), { restore, allowRollback: true })
      const started = await firstValueFrom(running.events$.pipe(where((event) => event.kind === 'started')))
      await running.stop()
      return started.restored
    }
    expect(await restoredBy('latest')).toBe(lastCheckpointId)
    const bySavepoint = await restoredBy(savepoint)
    expect(bySavepoint).toBeLessThan(lastCheckpointId)
    expect(await here.written()).toEqual(lines)
    const { lastCheckpointId: newest = 0 } = await run(copy('tail'), { signal: AbortSignal.abort() }).done
    expect(await restoredBy(newest)).toBe(newest)
    expect(await here.written()).toEqual(lines)
    expect(await restoredBy('none')).toBe(undefined)
    // Committed output is left alone, so what is read again is there twice.
    expect([...new Set(await here.written())]).toEqual(lines)
  })

  test('logs transitions and no traffic', async () => {
    const { logger, said } = recorder()
    await run(copy(), { logger }).done
    expect(said.filter(({ level }) => level !== 'debug' && level !== 'info')).toEqual([])
    expect(said.length).toBeLessThan(10)
    let failures = 1
    const failing = job('failing', { restart: { strategy: 'fixed', attempts: 2, delay: '1ms' } }, (flow) =>
      flow
        .from('numbers', arraySource(Array.from({ length: 1_000 }, (_, index) => index)))
        .filter(() => {
          if (failures-- > 0) throw new Error('once')
          return true
        })
        .to(
          'nowhere',
          printSink(() => ''),
        ),
    )
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
    try {
      await run(failing, { logger }).done
    } finally {
      write.mockRestore()
    }
    expect(said.filter(({ level }) => level === 'warn')).toEqual([{ level: 'warn', message: 'job restarts' }])
    expect(said.length).toBeLessThan(15)
  })

  test('is silent without a logger', async () => {
    const write = vi.spyOn(process.stdout, 'write')
    const complain = vi.spyOn(process.stderr, 'write')
    try {
      await run(copy()).done
      expect(write).not.toHaveBeenCalled()
      expect(complain).not.toHaveBeenCalled()
    } finally {
      write.mockRestore()
      complain.mockRestore()
    }
  })

  test('stops the job at the end of an await using block', async () => {
    const kinds: string[] = []
    {
      await using running = run(copy('tail'))
      running.events$.subscribe((event) => kinds.push(event.kind === 'finished' ? event.outcome : event.kind))
      await checkpointWith(running, 1)
    }
    expect(kinds.slice(-1)).toEqual(['stopped'])
    expect(kinds).toContain('stopping')
  })
})

describe('printSink', () => {
  const printed = async (records: readonly unknown[], format?: (record: unknown) => string): Promise<string> => {
    const written: string[] = []
    const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      written.push(String(text))
      return true
    })
    try {
      await run(job('printing', (flow) => flow.from('in', arraySource(records)).to('out', printSink(format)))).done
    } finally {
      write.mockRestore()
    }
    return written.join('')
  }

  test('prints text as it is, records with a text as that, and anything else as JSON', async () => {
    const line = { text: 'a line', offset: 7 }
    expect(await printed(['plain', line, { level: 'info' }, 7, null, undefined])).toBe(
      'plain\na line\n{"level":"info"}\n7\nnull\nundefined\n',
    )
  })

  test('prints what its function makes of a record', async () => {
    expect(await printed([1, 2], (record) => `number ${String(record)}`)).toBe('number 1\nnumber 2\n')
  })
})
