import { Agent, request } from 'node:http'
import { type LogGroupView, viewLogGroupList } from '../../../src/wire/index.ts'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** What is known of a call that got no whole answer: nothing. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered'
}

/** Bare HTTP, shared with no client of ours: what the service promises must hold for anybody. */
export class ServiceClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 32 })
  readonly #project: string
  port = 0

  constructor(project: string) {
    this.#project = project
  }

  call(method: string, path: string, body: Uint8Array = new Uint8Array(0), type?: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => reject(new Unanswered(error.message))
      const sent = request(
        {
          host: '127.0.0.1',
          port: this.port,
          method,
          path,
          agent: this.#agent,
          timeout: 20_000,
          headers: {
            host: `${this.#project}.sls.test`,
            'x-log-apiversion': '0.6.0',
            'x-log-bodyrawsize': body.length,
            'content-length': body.length,
            ...(type === undefined ? {} : { 'content-type': type }),
          },
        },
        (answer) => {
          const pieces: Buffer[] = []
          answer.on('data', (piece: Buffer) => pieces.push(piece))
          answer.on('error', fail)
          answer.on('end', () => {
            if (!answer.complete) fail(new Error('the answer was cut'))
            else resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(pieces) })
          })
        },
      )
      sent.on('error', fail)
      sent.on('timeout', () => sent.destroy(new Error('no answer in time')))
      sent.end(body)
    })
  }

  /** The JSON of a call that must succeed. */
  async json(method: string, path: string, value?: unknown): Promise<unknown> {
    const body = value === undefined ? new Uint8Array(0) : new TextEncoder().encode(JSON.stringify(value))
    const { status, body: text } = await this.call(method, path, body, 'application/json')
    if (status !== 200) throw new Error(`${method} ${path}: ${status} ${text}`)
    return text.length === 0 ? undefined : JSON.parse(String(text))
  }

  /** True when it is stored; false when the service says it is not. */
  async put(logstore: string, group: Uint8Array): Promise<boolean> {
    const { status, body } = await this.call(
      'POST',
      `/logstores/${logstore}/shards/lb`,
      group,
      'application/x-protobuf',
    )
    if (status === 200) return true
    if (status === 403 || status === 503) return false
    throw new Error(`a put was answered with ${status} ${body}`)
  }

  async shards(logstore: string): Promise<readonly ShardAnswer[]> {
    return (await this.json('GET', `/logstores/${logstore}/shards`)) as readonly ShardAnswer[]
  }

  async cursor(logstore: string, shard: number, from: string): Promise<string> {
    const answer = await this.json('GET', `/logstores/${logstore}/shards/${shard}?type=cursor&from=${from}`)
    return (answer as { readonly cursor: string }).cursor
  }

  async pull(logstore: string, shard: number, cursor: string, count: number): Promise<Pull> {
    const path = `/logstores/${logstore}/shards/${shard}?type=log&cursor=${encodeURIComponent(cursor)}&count=${count}`
    const { status, headers, body } = await this.call('GET', path)
    if (status !== 200) throw new Error(`a pull was answered with ${status} ${body}`)
    return { groups: [...viewLogGroupList(body)], next: String(headers['x-log-cursor']) }
  }

  close(): void {
    this.#agent.destroy()
  }
}

export interface ShardAnswer {
  readonly shardID: number
  readonly status: 'readwrite' | 'readonly'
  readonly inclusiveBeginKey: string
  readonly exclusiveEndKey: string
}

export interface Pull {
  readonly groups: readonly LogGroupView[]
  readonly next: string
}
