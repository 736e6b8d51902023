import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { runCommand } from '../../src/cli/program.ts'
import { logService } from '../../src/entry/logservice.ts'
import type { Host } from '../../src/platform/index.ts'

const directories: string[] = []

const directory = async (): Promise<string> => {
  const made = await mkdtemp(join(tmpdir(), 'millrace-cli-'))
  directories.push(made)
  return made
}

afterEach(async () => {
  for (const made of directories.splice(0)) await rm(made, { recursive: true, force: true })
})

/** A process whose output can be read and that can be sent a signal. */
class FakeProcess {
  readonly out: string[] = []
  readonly err: string[] = []
  readonly #handlers: (() => void)[] = []
  readonly #waiting: (() => void)[] = []

  readonly host: Host = {
    pid: 7,
    hostname: 'here',
    onSignal: (_signal, run) => {
      this.#handlers.push(run)
      return () => {}
    },
    rssBytes: () => 0,
    exit: (code) => {
      throw new Error(`exit ${code}`)
    },
    out: (line) => {
      this.out.push(line)
      for (const wake of this.#waiting.splice(0)) wake()
    },
    err: (line) => {
      this.err.push(line)
    },
    droppedLines: () => 0,
  }

  signal(): void {
    this.#handlers[0]?.()
  }

  line(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  run(words: readonly string[], environment: Record<string, string> = {}): Promise<number> {
    return runCommand(words, { host: this.host, environment })
  }
}

describe('millrace logservice', () => {
  test('prints one line when it is ready, serves, and ends with 0 at a signal', async () => {
    const data = await directory()
    const process = new FakeProcess()
    const ready = process.line()
    const ended = process.run(['logservice', '--port', '0', '--data', data, '--project', 'proj', '--json'])
    await ready
    const { event, url, port } = JSON.parse(process.out[0] ?? '') as { event: string; url: string; port: number }
    expect({ event, url }).toEqual({ event: 'ready', url: `http://127.0.0.1:${port}` })
    const answer = await fetch(`${url}/`)
    expect(await answer.json()).toMatchObject({ count: 1, projects: [{ projectName: 'proj' }] })
    process.signal()
    expect(await ended).toBe(0)
    expect([process.out.length, process.err]).toEqual([1, []])
  })

  test('takes keys from the environment, and never prints them', async () => {
    const data = await directory()
    const process = new FakeProcess()
    const ready = process.line()
    const ended = process.run(['logservice', '--data', data], { MILLRACE_LOGSERVICE_AUTH: 'key:sesame' })
    await ready
    const url = /http:\S+(?=,)/.exec(process.out[0] ?? '')?.[0] ?? ''
    expect((await fetch(`${url}/`)).status).toBe(401)
    process.signal()
    expect(await ended).toBe(0)
    expect(process.out.join()).not.toContain('sesame')
  })

  test.each([
    [['logservice'], /--data/],
    [['logservice', '--data', 'd', '--port', '70000'], /65535/],
    [['logservice', '--data', 'd', '--nonsense'], /nonsense/],
    [['logservice', '--data', 'd', '--auth', 'sesame'], /MILLRACE_LOGSERVICE_AUTH/],
    [['logservice', '--data', 'd', '--host', '0.0.0.0'], /allowRemote/],
    [['logservice', '--data', 'd', '--host', '0.0.0.0', '--allow-remote'], /access keys/],
    [['logservice', '--data', 'd', '--host', '0.0.0.0', '--auth', 'a:sesame'], /allowRemote/],
    [['nonsense'], /nonsense/],
  ])('refuses %j with exit code 2', async (words, message) => {
    const process = new FakeProcess()
    expect(await process.run(words)).toBe(2)
    expect(process.err.join('\n')).toMatch(message)
    expect(process.err.join('\n')).not.toContain('sesame')
    expect(process.out).toEqual([])
  })

  test('refuses a directory that another one works in, with exit code 3', async () => {
    const data = await directory()
    const first = await logService({ directory: data })
    const process = new FakeProcess()
    expect(await process.run(['logservice', '--data', data])).toBe(3)
    expect(process.err.join('\n')).toContain('DIRECTORY_IN_USE')
    await first.close()
  })

  test('refuses a port that is taken, and gives the directory back', async () => {
    const [one, other] = [await directory(), await directory()]
    const first = await logService({ directory: one })
    const process = new FakeProcess()
    expect(await process.run(['logservice', '--data', other, '--port', String(first.port)])).toBe(1)
    expect(process.err.join('\n')).toContain('LISTEN_FAILED')
    await first.close()
    await (await logService({ directory: other })).close()
  })

  test('salvages a directory, and the service goes on in the new one', async () => {
    const [data, parent] = [await directory(), await directory()]
    const first = await logService({ directory: data, projects: ['proj'] })
    await first.close()
    const process = new FakeProcess()
    const to = join(parent, 'new')
    expect([await process.run(['logservice', 'salvage', '--data', data, '--to', to, '--json']), process.err]).toEqual([
      0,
      [],
    ])
    expect(JSON.parse(process.out[0] ?? '')).toMatchObject({ facts: 1, lost: [], factsLost: 0 })
    const again = await logService({ directory: to })
    expect(await (await fetch(`${again.url}/`)).json()).toMatchObject({ count: 1 })
    await again.close()
  })
})

describe('logService', () => {
  test('names every problem of its options at once', async () => {
    const options = { directory: '', port: -1, shardQuotas: {} }
    await expect(logService(options)).rejects.toMatchObject({
      code: 'OPTIONS_INVALID',
      message: expect.stringMatching(/shardQuotas.*did you mean 'shardQuota'.*directory.*port/s),
    })
  })

  test('answers a body that is too long with the error clients know', async () => {
    const server = await logService({ directory: await directory(), projects: ['proj'], putBytesMax: 2048 })
    const body = new Uint8Array(300 * 1024)
    const answer = await fetch(`${server.url}/logstores/ls/shards/lb`, { method: 'POST', body })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ errorCode: 'PostBodyTooLarge' })
    expect(answer.headers.get('x-log-requestid')).toMatch(/^[0-9A-F]{24}$/)
    await server.close()
  })
})
