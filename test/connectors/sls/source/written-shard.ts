import type { HttpResponse } from '../../../../src/core/index.ts'
import type { DirectFault } from '../../../../src/testing/direct-transport.ts'
import { decodeCursor, encodeCursor, encodeLogGroup, logGroupList } from '../../../../src/wire/index.ts'
import { type SeenCall, TestLogstores } from './test-logstores.ts'

export const groupOf = (...messages: readonly string[]): Uint8Array =>
  encodeLogGroup({ logs: messages.map((message) => ({ time: 1, contents: { message } })) })

/** A log without a time, which every log must have. */
export const poisonous = new Uint8Array([0x0a, 0x02, 0x12, 0x00])

/** Shard 0 of a logstore with LogGroups that no service would take. It answers in place of the real one. */
export class WrittenShard {
  readonly groups: Uint8Array[]
  readonly begin: bigint
  /** Answers that have one of these LogGroups cannot be read. */
  readonly unreadable = new Set<number>()
  /** Most LogGroups of an answer. */
  answerGroupsMax = 1000
  pulls: { readonly at: number; readonly count: number }[] = []

  constructor(begin: bigint, groups: readonly Uint8Array[]) {
    this.begin = begin
    this.groups = [...groups]
  }

  static async open(groups: readonly Uint8Array[]) {
    const logstores = await TestLogstores.open()
    await logstores.create()
    const shard = new WrittenShard(await logstores.client.shards.cursor('access', 0, 'begin'), groups)
    logstores.fault = (call) => shard.answer(call)
    return { logstores, shard }
  }

  cursorAt(index: number): string {
    return encodeCursor(this.begin + BigInt(index))
  }

  answer({ what, query }: SeenCall): DirectFault | undefined {
    if (!what.endsWith('/shards/0')) return undefined
    if (query.get('type') === 'logs') return { kind: 'answer', response: this.#pull(query) }
    const at = query.get('from') === 'end' ? this.groups.length : 0
    const body = new TextEncoder().encode(JSON.stringify({ cursor: this.cursorAt(at) }))
    return { kind: 'answer', response: { status: 200, headers: { 'x-log-requestid': '1' }, body } }
  }

  #pull(query: URLSearchParams): HttpResponse {
    const at = Number((decodeCursor(query.get('cursor') ?? '') ?? 0n) - this.begin)
    const count = Math.min(this.answerGroupsMax, Number(query.get('count')))
    this.pulls.push({ at, count })
    const groups = this.groups.slice(at, at + count)
    const list = logGroupList(groups)
    const next = at + groups.length
    const broken = groups.some((_, index) => this.unreadable.has(at + index))
    return {
      status: 200,
      headers: {
        'x-log-requestid': '1',
        'x-log-cursor': this.cursorAt(next),
        'x-log-count': String(groups.length),
        'x-log-bodyrawsize': String(list.length),
        ...(next === this.groups.length ? { 'x-log-end-of-cursor': '1' } : {}),
      },
      body: broken ? list.slice(0, -1) : list,
    }
  }
}
