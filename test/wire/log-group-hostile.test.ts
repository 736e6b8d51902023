import { describe, expect, test } from 'vitest'
import { isMillraceError } from '../../src/core/index.ts'
import {
  checkLogGroup,
  decodeLogPackageList,
  encodeLogGroup,
  LogDecoder,
  logGroupList,
  viewLog,
  viewLogGroup,
  viewLogGroupList,
} from '../../src/wire/index.ts'
import { countedReads } from './fuzz/counted-reads.ts'

const codeOf = (call: () => unknown): string => {
  try {
    call()
    return 'accepted'
  } catch (error) {
    return isMillraceError(error) ? error.code : `not typed: ${String(error)}`
  }
}
const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))

/** One piece many times, behind a prefix. */
const repeated = (piece: readonly number[], times: number, prefix: readonly number[] = []): Uint8Array => {
  const all = new Uint8Array(prefix.length + piece.length * times)
  all.set(prefix)
  all.subarray(prefix.length).set(piece.slice(0, all.length - prefix.length))
  for (let done = piece.length; done < piece.length * times; done *= 2) {
    all.copyWithin(prefix.length + done, prefix.length, prefix.length + done)
  }
  return all
}
const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)])

const good = encodeLogGroup({
  topic: 'topic',
  source: '10.0.0.1',
  tags: [['host', 'h1']],
  logs: [1, 2].map((time) => ({
    time: 1_760_000_000 + time,
    timeNs: 5,
    contents: { level: 'info', msg: 'x'.repeat(200) },
  })),
})

/** Every way to read a group to its end. */
const readers: Readonly<Record<string, (group: Uint8Array) => unknown>> = {
  check: (group) => checkLogGroup(group),
  views: (group) => [...viewLogGroup(group).logs()].map((log) => [log.time, log.entries(), log.toObject()]),
  decoder: (group) => new LogDecoder().decode(viewLogGroup(group), () => {}),
  list: (group) => viewLogGroupList(logGroupList([group])).map((view) => readers['views']?.(view.bytes)),
}

describe.each(Object.keys(readers))('read by %s', (name) => {
  const read = readers[name] as (group: Uint8Array) => unknown

  test('a group that is cut is refused, or ends between two fields', () => {
    const ends = new Set<number>([0])
    const cursor = [0x0a, 0x0a, 0x1a, 0x22, 0x32]
    let at = 0
    for (const tag of cursor) {
      expect(good[at]).toBe(tag)
      const long = (good[at + 1] as number) > 127
      at +=
        (long ? 3 : 2) +
        (long ? ((good[at + 1] as number) & 127) | ((good[at + 2] as number) << 7) : (good[at + 1] as number))
      ends.add(at)
    }
    expect(at).toBe(good.length)
    for (let length = 0; length <= good.length; length++) {
      expect(codeOf(() => read(good.subarray(0, length)))).toBe(ends.has(length) ? 'accepted' : 'WIRE_MALFORMED')
    }
  })

  test.each([
    ['a varint of eleven bytes', '0a0d08ffffffffffffffffffff0101'],
    ['a tag of six bytes', '8a808080800000'],
    ['a tag of more than 32 bits', 'fa80808010'],
    ['a length of more than 31 bits', '0a8080808008'],
    ['a length beyond the end', '0a05080112'],
    ['a length that wraps around', '0affffffff0f'],
    ['a content beyond its log', '0a0408011203' + '0a0161'],
    ['a key beyond its content', '0a0808011204' + '0a056161'],
    ['a value beyond its content', '0a0a08011206' + '0a01611205'],
    ['a field of the wire type 3', '0b'],
    ['a field of the wire type 4', '0c'],
    ['a field of the wire type 6', '0e00'],
    ['a field of the wire type 7', '0f00'],
    ['a field of the number 0', '0200'],
    ['a log without time', '0a0712050a01611200'],
    ['a log whose time is a fixed32', '0a050d01000000'],
    ['a log whose time is text', '0a030a0131'],
    ['a content without key', '0a0608011202' + '1200'],
    ['a content without value', '0a0708011203' + '0a0161'],
    ['a content with nothing in it', '0a0408011200'],
    ['half a fixed32', '0a04080125' + '00'],
    ['half a fixed64', '0a0408016100'],
  ])('%s is refused', (_, text) => {
    expect(codeOf(() => read(bytes(text)))).toBe('WIRE_MALFORMED')
  })
})

describe('what is much', () => {
  const tenMillion = 10_000_000
  const inLog = (fields: Uint8Array): Uint8Array => {
    const prefix = [0x0a, ...varint(fields.length)]
    const group = new Uint8Array(prefix.length + fields.length)
    group.set(prefix)
    group.set(fields, prefix.length)
    return group
  }

  test('10 million empty unknown fields are passed over in one go', () => {
    const fields = repeated([0x7a, 0x00], tenMillion)
    expect(checkLogGroup(fields)).toEqual({ logCount: 0 })
    expect(viewLogGroup(fields).logCount).toBe(0)
    const log = repeated([0x7a, 0x00], tenMillion, [0x08, 0x01])
    expect(checkLogGroup(inLog(log))).toEqual({ logCount: 1 })
    expect(viewLog(log).contentCount).toBe(0)
  })

  test('10 million empty logs, tags, contents, groups and packages are refused, the first or the first too many', () => {
    const over = 'WIRE_LIMIT_EXCEEDED'
    expect(codeOf(() => checkLogGroup(repeated([0x0a, 0x00], tenMillion)))).toBe('WIRE_MALFORMED')
    expect(codeOf(() => checkLogGroup(repeated([0x0a, 0x02, 0x08, 0x01], tenMillion)))).toBe(over)
    expect(codeOf(() => viewLogGroup(repeated([0x0a, 0x00], tenMillion)))).toBe(over)
    expect(codeOf(() => viewLogGroup(repeated([0x32, 0x00], tenMillion)))).toBe(over)
    const contents = repeated([0x12, 0x04, 0x0a, 0x00, 0x12, 0x00], tenMillion, [0x08, 0x01])
    expect(codeOf(() => checkLogGroup(inLog(contents)))).toBe(over)
    expect(codeOf(() => viewLog(contents).toObject())).toBe(over)
    expect(codeOf(() => viewLogGroupList(repeated([0x0a, 0x00], tenMillion)))).toBe(over)
    expect(codeOf(() => decodeLogPackageList(repeated([0x0a, 0x02, 0x0a, 0x00], tenMillion)))).toBe(over)
  })

  test('the limits can be set', () => {
    const group = encodeLogGroup({
      tags: [
        ['a', ''],
        ['b', ''],
      ],
      logs: [1, 2].map((time) => ({ time, contents: { a: '', b: '' } })),
    })
    expect(checkLogGroup(group, { logsMax: 2, contentsMax: 2, tagsMax: 2 })).toEqual({ logCount: 2 })
    for (const limit of ['logsMax', 'contentsMax', 'tagsMax']) {
      expect(() => checkLogGroup(group, { [limit]: 1 })).toThrow(limit)
    }
    expect(() => viewLogGroupList(logGroupList([group, group]), { groupsMax: 1 })).toThrow('groupsMax')
  })

  test.each([
    ['unknown fields', [0x7a, 0x00]],
    ['unknown fields in five bytes', [0xfa, 0x80, 0x80, 0x80, 0x00, 0x00]],
    ['logs', [0x0a, 0x02, 0x08, 0x01]],
    ['logs of contents back to front', [0x0a, 0x08, 0x08, 0x01, 0x12, 0x04, 0x12, 0x00, 0x0a, 0x00]],
    [
      'logs of contents with long lengths',
      [0x0a, 0x0b, 0x08, 0x01, 0x12, 0x85, 0x80, 0x00, 0x0a, 0x80, 0x00, 0x12, 0x00],
    ],
  ])('%s are looked at a few times each, not more', (_, piece) => {
    const counted = countedReads(repeated(piece, 5_000))
    checkLogGroup(counted.bytes)
    expect(counted.reads()).toBeLessThan(4 * 5_000 * piece.length)
  })
})
