import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CompiledSource, compiledSource } from './compiled-source.ts'

let source: CompiledSource
beforeAll(async () => {
  source = await compiledSource()
}, 60_000)
afterAll(() => source.dispose())

describe.concurrent('a crash point', () => {
  const publish = (name: string): string => `
    import { nodeEnvironment } from './platform/index.js'
    const { fs } = nodeEnvironment()
    const file = await fs.create('${name}.tmp')
    await file.append(new TextEncoder().encode('0123456789'))
    await file.sync()
    await file.close()
    await fs.rename('${name}.tmp', '${name}')
    console.log('finished')
  `
  const found = async (): Promise<string[]> => (await readdir(source.directory)).sort()

  test.each([
    ['create:a.tmp:1:before', 'a', []],
    ['create:b.tmp:1:after', 'b', ['b.tmp']],
    ['rename:c:1:before', 'c', ['c.tmp']],
    ['rename:d:1:after', 'd', ['d']],
  ])('%s kills the process right there', async (point, name, left) => {
    const end = await source.run(publish(name), { MILLRACE_CRASH_AT: point })
    expect(end).toMatchObject({ signal: 'SIGKILL', out: '' })
    expect((await found()).filter((file) => file.startsWith(name))).toEqual(left)
  })

  test('in the middle of an append leaves half of it', async () => {
    const end = await source.run(publish('half'), { MILLRACE_CRASH_AT: 'append:half:1:partial' })
    expect(end.signal).toBe('SIGKILL')
    expect(await readFile(join(source.directory, 'half.tmp'), 'utf8')).toBe('01234')
  })

  test('that is never reached changes nothing', async () => {
    expect(await source.run(publish('whole'), { MILLRACE_CRASH_AT: 'append:whole:2:after' })).toMatchObject({
      code: 0,
      out: 'finished\n',
    })
    expect(await found()).toContain('whole')
  })

  test('that is misspelt is refused', async () => {
    const end = await source.run(publish('refused'), { MILLRACE_CRASH_AT: 'renam:x:1:after' })
    expect(end.code).toBe(1)
    expect(end.err).toContain('does not name a crash point')
    expect(await found()).not.toContain('refused')
  })
})

describe.concurrent('the watchdog', () => {
  const start = (stallMs: number): string => `
    import { startWatchdog } from './platform/index.js'
    const watchdog = startWatchdog({ stallMs: ${stallMs}, onFailure: (error) => console.log(error) })
  `

  test('kills a process whose event loop stands still, and names the step', async () => {
    const end = await source.run(`${start(300)}
      watchdog.enter('first')
      watchdog.leave()
      setTimeout(() => {
        watchdog.enter('parse lines')
        for (;;) {}
      }, 200)
    `)
    expect(end.signal).toBe('SIGKILL')
    const lines = end.err.trim().split('\n')
    expect(lines.length).toBe(1)
    const line = JSON.parse(lines[0] ?? '')
    expect(line).toMatchObject({ level: 'error', step: 'parse lines', msg: expect.stringContaining('stands still') })
    expect(line.stalledMs).toBeGreaterThan(300)
  })

  test('lets a process live that is only slow, and ends with it', async () => {
    const end = await source.run(`${start(1_000)}
      watchdog.enter('slow')
      for (let turn = 0; turn < 6; turn++) {
        const until = performance.now() + 250
        while (performance.now() < until);
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      console.log('alive')
    `)
    expect(end).toMatchObject({ code: 0, out: 'alive\n', err: '' })
  })

  test('does not take a process that was stopped from outside for one that hangs', async () => {
    const end = await source.run(`
      import { spawn } from 'node:child_process'
      ${start(1_000)}
      spawn('sh', ['-c', 'sleep 0.1; kill -STOP ' + process.pid + '; sleep 2; kill -CONT ' + process.pid])
      setTimeout(() => { console.log('alive'); process.exit() }, 2800)
    `)
    expect(end).toMatchObject({ code: 0, out: 'alive\n' })
  })

  test('can be stopped', async () => {
    const end = await source.run(`${start(100)}
      watchdog.stop()
      const until = performance.now() + 500
      while (performance.now() < until);
      console.log('alive')
    `)
    expect(end).toMatchObject({ code: 0, out: 'alive\n' })
  })
})

describe.concurrent('the host', () => {
  test('survives a reader that goes away, and counts what it could not write', async () => {
    const end = await source.run(`
      import { spawn } from 'node:child_process'
      const code = "import { nodeHost } from './platform/index.js';" +
        "for (let n = 0; n < 50; n++) { nodeHost.out('line ' + n); await new Promise((r) => setTimeout(r, 10)) }" +
        "nodeHost.err(nodeHost.droppedLines() > 0 ? 'dropped some' : 'dropped none')"
      const { writeFileSync } = await import('node:fs')
      writeFileSync(new URL('./writer.js', import.meta.url), code)
      const writer = spawn(process.execPath, [new URL('./writer.js', import.meta.url).pathname], { stdio: ['ignore', 'pipe', 'inherit'] })
      writer.stdout.once('data', () => writer.stdout.destroy())
      writer.on('close', (code) => console.log('writer ended with ' + code))
    `)
    expect(end).toMatchObject({ code: 0, out: 'writer ended with 0\n', err: 'dropped some\n' })
  })

  test('hands on signals until told otherwise', async () => {
    const end = await source.run(`
      import { nodeHost } from './platform/index.js'
      const alive = setInterval(() => {}, 1000)
      const seen = []
      const first = nodeHost.onSignal('SIGTERM', () => seen.push('first'))
      const second = nodeHost.onSignal('SIGTERM', () => {
        seen.push('second')
        first()
        first()
        if (seen.length < 3) return process.kill(process.pid, 'SIGTERM')
        second()
        nodeHost.out(seen.join())
        nodeHost.out(String(nodeHost.pid === process.pid && nodeHost.rssBytes() > 1e6 && nodeHost.hostname.length > 0))
        process.kill(process.pid, 'SIGTERM')
      })
      process.kill(process.pid, 'SIGTERM')
    `)
    expect(end).toMatchObject({ signal: 'SIGTERM', out: 'first,second,second\ntrue\n' })
  })
})

test('a small gzip file that inflates to 512 MiB is read in bounded memory', async () => {
  const end = await source.run(`
    import { nodeCompression, nodeHost } from './platform/index.js'
    const chunk = nodeCompression.gzip(new Uint8Array(1 << 29))
    const before = nodeHost.rssBytes()
    const inflater = nodeCompression.gunzip()
    let total = 0
    let most = 0
    for await (const piece of inflater.push(chunk)) {
      total += piece.length
      if (total % (1 << 22) < 65536) most = Math.max(most, nodeHost.rssBytes() - before)
    }
    inflater.finish()
    console.log(JSON.stringify({ total, mib: most / 2 ** 20 }))
  `)
  const { total, mib } = JSON.parse(end.out)
  expect(total).toBe(1 << 29)
  // V8 collects freed buffers only when some 64 MiB of them have gathered, and again as much may be on its way.
  expect(mib).toBeLessThan(192)
})
