import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CompiledEntry, compiledEntry } from './compiled-entry.ts'
import { lines, type Place, place } from './places.ts'

let entry: CompiledEntry
beforeAll(async () => {
  entry = await compiledEntry()
}, 60_000)
afterAll(() => entry?.dispose())

/** A program with a job on files that goes on for ever; `steps` are what its lines go through. */
const program = (steps: string, options = 'handleSignals: true', mode = 'tail'): string => `
  import { job, run } from './entry/index.js'
  import { fileSink, filesSource } from './entry/files.js'
  const options = { checkpoint: { dir: 'ck', every: '50ms' }, restart: 'none', batchRecords: 64 }
  const copy = job('copy', options, (flow) =>
    flow
      .from('lines', filesSource({ paths: 'in', mode: '${mode}', readBytes: 1024 }))
      .map((line) => line.text)
      ${steps}
      .to('out', fileSink({ dir: 'out', format: 'text' })),
  )
  const running = run(copy, { ${options} })
  running.events$.subscribe(({ kind, checkpointId }) => console.log(kind + ' ' + (checkpointId ?? '')))
  try {
    console.log('result ' + JSON.stringify(await running.done))
  } catch (error) {
    console.log('error ' + error.code)
    process.exitCode = error.exitCode
  }
`

/** The corrected program goes on to the last line, each exactly once, and stops when told. */
const goesOn = async (here: Place): Promise<void> => {
  const again = await entry.start(program(''), here.directory)
  await again.heard('checkpoint-completed')
  while ((await here.written()).length < lines.length) await new Promise((resolve) => setTimeout(resolve, 50))
  again.process.kill('SIGINT')
  expect(await again.ended, again.err()).toEqual({ code: 0, signal: null })
  expect(await here.written()).toEqual(lines)
}

describe.concurrent('a process that runs a job', () => {
  test('stops at SIGTERM with a last checkpoint and ends by itself; started again it goes on', async () => {
    const here = await place()
    const child = await entry.start(program(''), here.directory)
    await child.heard('checkpoint-completed 3')
    child.process.kill('SIGTERM')
    expect(await child.ended, child.err()).toEqual({ code: 0, signal: null })
    expect(child.out()).toMatch(/stopping \ncheckpoint-completed \d+\n(.*\n)*finished \nresult \{"outcome":"stopped"/)
    const seen = await here.written()
    expect(new Set(seen).size).toBe(seen.length)
    await goesOn(here)
    await here.dispose()
  })

  test('is cancelled by the second signal when it cannot stop', async () => {
    const here = await place()
    const stuck = program(".mapAsync('stuck', {}, () => { console.log('called'); return new Promise(() => {}) })")
    const child = await entry.start(stuck, here.directory)
    await child.heard('called')
    child.process.kill('SIGTERM')
    await child.heard('stopping')
    expect(child.process.exitCode).toBe(null)
    child.process.kill('SIGTERM')
    expect(await child.ended, child.err()).toEqual({ code: 1, signal: null })
    expect(child.out()).toContain('error JOB_CANCELLED')
    expect(await here.written()).toEqual([])
    await goesOn(here)
    await here.dispose()
  })

  test('leaves signals to the program when it is not told to handle them', async () => {
    const here = await place()
    const child = await entry.start(program('', ''), here.directory)
    await child.heard('checkpoint-completed')
    child.process.kill('SIGTERM')
    expect(await child.ended).toEqual({ code: null, signal: 'SIGTERM' })
    await here.dispose()
  })

  test("is killed by the watchdog when a user's function never returns, and goes on when that is corrected", async () => {
    const here = await place()
    const endless = ".map((line) => { if (line === 'line 1000') for (;;); return line }, { name: 'endless' })"
    const child = await entry.start(program(endless, "watchdog: '500ms'", 'bounded'), here.directory)
    expect(await child.ended).toEqual({ code: null, signal: 'SIGKILL' })
    expect(JSON.parse(child.err())).toMatchObject({ level: 'error', step: 'endless', stalledMs: expect.any(Number) })
    const seen = await here.written()
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen).not.toContain('line 1000')
    const corrected = await entry.start(program('', '', 'bounded'), here.directory)
    expect(await corrected.ended, corrected.out()).toEqual({ code: 0, signal: null })
    expect(await here.written()).toEqual(lines)
    await here.dispose()
  })
})
