/** The log service as users start it: a process of its own, told to us by the line it prints. */
import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Ended, startChild } from './child.ts'

export interface Keys {
  readonly id: string
  readonly secret: string
}

export interface Service {
  readonly port: number
  /** Asks it to end. It should do so with 0. */
  stop(): Promise<Ended>
}

const startMsMax = 30_000

/** The port named by the line of `--json`: as `port`, or in `url` or `address`. */
const portIn = (line: string): number | undefined => {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  if ('port' in value && typeof value.port === 'number') return value.port
  const address = 'url' in value ? value.url : 'address' in value ? value.address : undefined
  if (typeof address !== 'string') return undefined
  const port = /:(\d+)\/?$/.exec(address)?.[1]
  return port === undefined ? undefined : Number(port)
}

/** Starts one with an empty data directory, removed at its stop. */
export const startService = async (root: string, { id, secret }: Keys): Promise<Service> => {
  const data = await mkdtemp(join(tmpdir(), 'millrace-interop-'))
  const removeNow = (): void => rmSync(data, { recursive: true, force: true })
  process.on('exit', removeNow)
  let found: (port: number) => void = () => {}
  const ready = new Promise<number>((resolve) => {
    found = resolve
  })
  const program = join(root, 'dist', 'src', 'cli', 'main.js')
  const child = startChild(
    {
      command: process.execPath,
      args: [program, 'logservice', '--port', '0', '--data', data, '--auth', `${id}:${secret}`, '--json'],
      cwd: root,
    },
    {
      onLine: (line) => {
        const port = portIn(line)
        if (port !== undefined) found(port)
      },
    },
  )
  const stop = async (): Promise<Ended> => {
    const ended = await child.stop()
    await rm(data, { recursive: true, force: true })
    process.off('exit', removeNow)
    return ended
  }
  let timer: NodeJS.Timeout | undefined
  const started = await Promise.race([
    ready,
    child.ended.then(({ how }) => `the log service ended with ${how} before it was ready`),
    new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve(`the log service was not ready after ${startMsMax / 1000} s`), startMsMax)
    }),
  ])
  clearTimeout(timer)
  if (typeof started === 'string') throw new Error(`${started}\n${(await stop()).tail}`)
  return { port: started, stop }
}
