import { EventEmitter } from 'node:events'
import { describe, expect, test } from 'vitest'
import { OptionsError, Secret } from '../../src/core/index.ts'
import { jsonLinesLogger, LineWriter, type LogLevel } from '../../src/platform/index.ts'

const logged = (level?: LogLevel) => {
  const lines: string[] = []
  const log = jsonLinesLogger({ write: (line) => lines.push(line), wallMs: () => 0, level })
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? '') as Record<string, unknown> }
}

describe('the JSON lines logger', () => {
  test('writes level, time, fields and message', () => {
    const { log, lines } = logged()
    log.info({ job: 'j', n: 1 }, 'started')
    expect(lines).toEqual(['{"level":"info","time":"1970-01-01T00:00:00.000Z","job":"j","n":1,"msg":"started"}'])
  })

  test('lets no field take the place of level, time or message', () => {
    const { log, lines } = logged()
    log.info({ level: 'x', time: 'y', msg: 'z' }, 'm')
    expect(lines).toEqual(['{"level":"info","time":"1970-01-01T00:00:00.000Z","msg":"m"}'])
  })

  test('leaves out what is below its level', () => {
    const { log, lines } = logged('warn')
    log.debug({}, 'a')
    log.info({}, 'b')
    log.warn({}, 'c')
    log.error({}, 'd')
    expect(lines.length).toBe(2)
  })

  test('gives children the fields of their parents', () => {
    const { log, last } = logged()
    log.child({ job: 'j' }).child({ step: 's' }).warn({ n: 2 }, 'm')
    expect(last()).toMatchObject({ job: 'j', step: 's', n: 2, level: 'warn' })
  })

  test('writes errors with their code and causes', () => {
    const { log, last } = logged()
    const cause = Object.assign(new Error('no space'), { code: 'ENOSPC' })
    log.error({ err: new OptionsError('OPTIONS_INVALID', { message: 'bad', cause }) }, 'failed')
    expect(last()).toMatchObject({
      err: { type: 'OptionsError', code: 'OPTIONS_INVALID', stack: expect.any(String), cause: { code: 'ENOSPC' } },
    })
  })

  test('writes bigints, maps, sets and cycles, and shows no secret', () => {
    const { log, lines, last } = logged()
    const cycle: Record<string, unknown> = { name: 'loop' }
    cycle['self'] = cycle
    const twice = { same: true }
    log.info({ big: 2n ** 60n, map: new Map([['k', 1]]), set: new Set([1]), cycle, a: twice, b: twice }, 'm')
    expect(last()).toMatchObject({
      big: '1152921504606846976',
      map: { k: 1 },
      set: [1],
      cycle: { name: 'loop', self: '[circular]' },
      a: { same: true },
      b: { same: true },
    })
    log.info({ key: new Secret('hunter2'), deep: { list: [new Secret('hunter2')] } }, 'm')
    expect(lines.at(-1)).not.toContain('hunter2')
  })

  test('never throws: the message gets out even when a field cannot be read', () => {
    const { log, last } = logged()
    const broken = {
      toJSON() {
        throw new Error('broken')
      },
    }
    log.info({ broken }, 'm')
    expect(last()).toMatchObject({ msg: 'm', logError: 'Error: broken' })
  })
})

describe('a line writer', () => {
  class Stream extends EventEmitter {
    writable = true
    writableLength = 0
    readonly written: string[] = []
    write(text: string): boolean {
      this.written.push(text)
      return true
    }
  }

  test('writes lines, and drops them when too much waits or the stream broke', () => {
    const stream = new Stream()
    const writer = new LineWriter(stream)
    writer.write('a')
    stream.writableLength = 2 << 20
    writer.write('b')
    stream.writableLength = 0
    writer.write('c')
    expect([stream.written, writer.dropped]).toEqual([['a\n', 'c\n'], 1])
    stream.emit('error', Object.assign(new Error('broken pipe'), { code: 'EPIPE' }))
    writer.write('d')
    expect([stream.written.length, writer.dropped]).toEqual([2, 3])
  })
})
