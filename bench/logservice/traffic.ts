import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { fileURLToPath } from 'node:url'
import { Secret } from '../../src/core/index.ts'
import { nodeDigest } from '../../src/platform/index.ts'
import { signRequest } from '../../src/wire/index.ts'

export type ServerKind = 'service' | 'plain'

export const accessKey = 'bench-key'
export const secret = 'bench-secret'
/** About the raw size of a group. */
export const groupBytes = 256 * 1024

/** A server in a process of its own, so that its CPU time is its own. */
export class ServerProcess {
  readonly #child: ChildProcess
  readonly port: number

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.port = port
  }

  static async start(kind: ServerKind): Promise<ServerProcess> {
    const child = fork(fileURLToPath(new URL('./server-main.js', import.meta.url)), [kind])
    const [{ port }] = (await once(child, 'message')) as [{ readonly port: number }]
    return new ServerProcess(child, port)
  }

  async cpuMs(): Promise<number> {
    this.#child.send('cpu')
    const [answer] = (await once(this.#child, 'message')) as [{ readonly cpuMs: number }]
    return answer.cpuMs
  }

  async stop(): Promise<void> {
    this.#child.disconnect()
    await once(this.#child, 'exit')
  }
}

export interface Answer {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

export interface Call {
  readonly method: 'GET' | 'POST'
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** A call as it goes out, signed once: repeating it costs the client next to nothing. */
export const signedCall = (call: Call): Call => {
  const headers = { host: 'bench.sls.test', 'x-log-apiversion': '0.6.0', ...call.headers }
  const credentials = { accessKeyId: accessKey, accessKeySecret: new Secret(secret) }
  const added = signRequest({
    version: 'v1',
    credentials,
    request: { ...call, headers },
    wallMs: Date.now(),
    digest: nodeDigest,
  })
  return { ...call, headers: { ...headers, ...added } }
}

/** Connections that are kept. */
export class Connections {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 })
  readonly #port: number

  constructor(port: number) {
    this.#port = port
  }

  send({ method, target, headers, body }: Call): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const out = request(
        {
          host: '127.0.0.1',
          port: this.#port,
          agent: this.#agent,
          method,
          path: target,
          headers: { ...headers, 'content-length': body.length },
        },
        (answer) => {
          const pieces: Buffer[] = []
          answer.on('data', (piece: Buffer) => pieces.push(piece))
          answer.on('error', reject)
          answer.on('end', () => {
            const whole = Buffer.concat(pieces)
            if (answer.statusCode === 200) resolve({ headers: answer.headers, body: whole })
            else reject(new Error(`${method} ${target}: ${answer.statusCode} ${whole}`))
          })
        },
      )
      out.on('error', reject)
      out.end(body)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

/** Sends `count` calls, eight at a time. */
export const inFlight = async (count: number, send: (index: number) => Promise<unknown>): Promise<void> => {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await send(next++)
  }
  await Promise.all(Array.from({ length: 8 }, worker))
}
