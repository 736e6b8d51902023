import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  appendTags,
  checkLogGroup,
  decodeLogPackageList,
  encodeLogGroup,
  encodeLogPackageList,
  LogGroupBuilder,
  LogGroupEncoder,
  type LogGroupInit,
  listGroupPrefix,
  logGroupList,
  viewLog,
  viewLogGroup,
  viewLogGroupList,
} from '../../src/wire/index.ts'
import { anyBytes, anyGroup, anyLog } from './fuzz/arbitrary.ts'
import { plainOfView } from './fuzz/plain-group.ts'
import {
  plainOfReference,
  type ReferenceGroup,
  referenceGroup,
  referenceList,
  referencePackages,
} from './fuzz/reference.ts'

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))
const hex = (of: Uint8Array): string => Buffer.from(of).toString('hex')

/** The vector of the protocol paper, section 3.6. */
const vector = bytes(
  '0a2908f2bb99cd06120d0a056c6576656c1204696e666f120d0a036d73671206e4bda0e5a5bd2515cd5b07' +
    '0a3508f3bb99cd06120d0a056c6576656c12047761726e121e0a036d7367121768656c6c6f2068656c6c6f2068656c6c6f2068656c6c6f' +
    '1a07746f7069632d3122093132372e302e302e31320a0a04686f737412026831',
)
const vectorInit: LogGroupInit = {
  topic: 'topic-1',
  source: '127.0.0.1',
  tags: [['host', 'h1']],
  logs: [
    { time: 1772510706, timeNs: 123456789, contents: { level: 'info', msg: '你好' } },
    { time: 1772510707, contents: { level: 'warn', msg: 'hello hello hello hello' } },
  ],
}

const referenceOf = (init: LogGroupInit): ReferenceGroup => {
  const pairs = (list: readonly (readonly [string, string | Uint8Array])[]) =>
    list.map(([Key, Value]) => ({ Key, Value: String(Value) }))
  const { topic, source, machineUuid, tags } = init
  return {
    Logs: init.logs.map(({ time, timeNs, contents }) => ({
      Time: time,
      Contents: pairs(contents as readonly (readonly [string, string])[]),
      ...(timeNs === undefined ? {} : { TimeNs: timeNs }),
    })),
    ...(topic === undefined ? {} : { Topic: topic }),
    ...(source === undefined ? {} : { Source: source }),
    ...(machineUuid === undefined ? {} : { MachineUUID: machineUuid }),
    LogTags: pairs(tags ?? []),
  }
}

describe('the vector of the protocol paper', () => {
  test('is encoded byte for byte, from objects and from pairs', () => {
    expect(hex(encodeLogGroup(vectorInit))).toBe(hex(vector))
    const logs = vectorInit.logs.map((log) => ({ ...log, contents: Object.entries(log.contents) }))
    expect(hex(encodeLogGroup({ ...vectorInit, logs }))).toBe(hex(vector))
  })

  test('is read back', () => {
    const group = viewLogGroup(vector)
    expect([group.topic, group.source, group.machineUuid]).toEqual(['topic-1', '127.0.0.1', ''])
    expect(group.tags).toEqual([['host', 'h1']])
    expect(group.logCount).toBe(2)
    expect(checkLogGroup(vector)).toEqual({ logCount: 2 })
    const [first, second] = [group.log(0), group.log(1)]
    expect([first?.time, first?.timeNs, second?.time, second?.timeNs]).toEqual([
      1772510706,
      123456789,
      1772510707,
      undefined,
    ])
    expect(first?.get('msg')).toBe('你好')
    expect(first?.get('absent')).toBeUndefined()
    expect({ ...second?.toObject() }).toEqual({ level: 'warn', msg: 'hello hello hello hello' })
    expect(group.log(2)).toBeUndefined()
    expect(group.log(-1)).toBeUndefined()
  })

  test('stands in a list as the paper says', () => {
    const list = logGroupList([vector])
    expect(createHash('sha256').update(list).digest('hex')).toBe(
      'f80141ac72336baa0a9dc920831c6cfd26b9e78bcc85bec9ac683a6d50f9f99c',
    )
    expect(hex(listGroupPrefix(vector.length))).toBe('0a8201')
    expect(viewLogGroupList(list).map((group) => hex(group.bytes))).toEqual([hex(vector)])
  })
})

describe('against protobufjs', () => {
  test('what we encode is, byte for byte, what protobufjs encodes', () => {
    fc.assert(
      fc.property(anyGroup, (init) => {
        expect(hex(encodeLogGroup(init))).toBe(hex(referenceGroup.encode(referenceOf(init))))
      }),
      { numRuns: 500 },
    )
  })

  test('what protobufjs encodes, we read alike', () => {
    fc.assert(
      fc.property(fc.array(anyGroup, { maxLength: 3 }), (inits) => {
        const list = referenceList.encode({ LogGroups: inits.map(referenceOf) })
        const reference = (referenceList.decode(list).LogGroups ?? []).map(plainOfReference)
        const views = viewLogGroupList(list)
        expect(views.map(plainOfView)).toEqual(reference)
        expect(views.map(({ logCount }) => logCount)).toEqual(inits.map(({ logs }) => logs.length))
        for (const view of views) expect(checkLogGroup(view.bytes)).toEqual({ logCount: view.logCount })
      }),
      { numRuns: 300 },
    )
  })

  test('packages of a batch put are written and read alike', () => {
    const anyPackage = fc.record({
      data: anyBytes(),
      rawSize: fc.option(fc.nat(), { nil: undefined }),
      compression: fc.constantFrom(undefined, 'none', 'deflate', 'lz4', 'zstd'),
    })
    fc.assert(
      fc.property(fc.array(anyPackage, { maxLength: 5 }), (packages) => {
        const encoded = encodeLogPackageList(packages)
        const numbers = ['none', 'deflate', 'lz4', 'zstd']
        const reference = referencePackages.encode({
          packages: packages.map(({ data, rawSize, compression }) => ({
            data,
            ...(rawSize === undefined ? {} : { uncompress_size: rawSize }),
            ...(compression === undefined ? {} : { compress_type: numbers.indexOf(compression) }),
          })),
        })
        expect(hex(encoded)).toBe(hex(reference))
        expect(decodeLogPackageList(new Uint8Array(reference))).toEqual(packages)
      }),
    )
  })
})

describe('a log', () => {
  test('gives each field as text and as bytes, in the order of the wire', () => {
    fc.assert(
      fc.property(anyLog, (init) => {
        const contents = init.contents as readonly (readonly [string, string])[]
        const log = viewLogGroup(encodeLogGroup({ logs: [init] })).log(0)
        expect(log?.entries()).toEqual(contents)
        expect(log?.contentCount).toBe(contents.length)
        for (const [key] of contents) {
          const last = contents.filter(([other]) => other === key).at(-1)?.[1]
          expect(log?.get(key)).toBe(last)
          expect(new TextDecoder('utf-8', { ignoreBOM: true }).decode(log?.getBytes(key))).toBe(last)
          expect(log?.toObject()[key]).toBe(last)
        }
      }),
    )
  })

  test('may call its fields what it likes: the object inherits nothing', () => {
    const contents = [
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ] as const
    const fields = viewLogGroup(encodeLogGroup({ logs: [{ time: 1, contents }] }))
      .log(0)
      ?.toObject()
    expect(Object.keys(fields ?? {})).toEqual(['__proto__', 'constructor'])
    expect(Object.values(fields ?? {})).toEqual(['a', 'b'])
    expect(fields?.['toString']).toBeUndefined()
    expect(({} as Record<string, unknown>)['a']).toBeUndefined()
    expect(JSON.stringify(fields)).toBe('{"__proto__":"a","constructor":"b"}')
  })

  test('may hold bytes that are no text; they are there as they came', () => {
    const value = Uint8Array.of(0xff, 0x00, 0xc3, 0x28)
    const group = encodeLogGroup({ logs: [{ time: 1, contents: [['raw', value]] }] })
    const log = viewLogGroup(group).log(0)
    expect(log?.getBytes('raw')).toEqual(value)
    expect(log?.get('raw')).toBe('\ufffd\0\ufffd(')
    expect(log?.entryBytes().map(([key, raw]) => [hex(key), hex(raw)])).toEqual([[hex(Buffer.from('raw')), 'ff00c328']])
    expect(referenceGroup.decode(group).Logs?.[0]?.Contents?.[0]?.Value).toBe('\ufffd\0\ufffd(')
  })

  test('two views asked in turn do not disturb each other', () => {
    const view = viewLogGroup(vector)
    const [first, second] = [view.log(0), view.log(1)]
    expect([first?.get('level'), second?.get('level'), first?.get('level')]).toEqual(['info', 'warn', 'info'])
    expect(() => viewLog(bytes('ff')).time).toThrow('WIRE_MALFORMED')
    expect([second?.time, first?.time]).toEqual([1772510707, 1772510706])
  })
})

/** Hex of a field with a length: short ones only. */
const field = (tag: string, ...parts: readonly string[]): string => {
  const payload = parts.join('')
  return `${tag}${(payload.length / 2).toString(16).padStart(2, '0')}${payload}`
}
const [keyA, keyB, valueV, valueW] = [field('0a', '61'), field('0a', '62'), field('12', '76'), field('12', '77')]

test('a group keeps unknown fields and odd bytes, whole and log by log', () => {
  const log = `0801${field('0a', 'ffff')}${field('12', keyA, field('12', 'ff00c3'), field('1a', '00'))}a2060101`
  const odd = field('0a', log) + field('7a', '616263') + field('12', '6c6f67')
  const group = viewLogGroup(bytes(odd))
  expect(hex(group.bytes)).toBe(odd)
  expect(hex(group.log(0)?.bytes ?? new Uint8Array(0))).toBe(log)
  const list = viewLogGroupList(logGroupList([bytes(odd), vector]))
  expect(list.map((each) => hex(each.bytes))).toEqual([odd, hex(vector)])
})

test.each([
  ['the last of repeated fields counts', field('0a', '08010802', field('12', keyA, keyB, valueV, valueW))],
  ['the last of repeated fields of a group counts', field('1a', '61') + field('1a', '62') + field('0a', '0801')],
  ['a value may stand before its key', field('0a', '0801', field('12', valueV, keyA))],
  ['times may stand behind and between contents', field('0a', field('12', keyA, valueV), '2501000000', '0805')],
  ['tags and lengths may be longer than needed', `8a008d800008019200868000${keyA}${valueV}`],
  ['a time may have ten bytes', field('0a', '08ffffffffffffffffff01')],
  ['a known field of another wire type is unknown', field('0a', '0801', '0d01000000', '110100000000000000')],
  ['a nanosecond part as a varint is unknown', field('0a', '0801', '2007')],
  ['unknown fields of every wire type are passed over', field('0a', '0801', '7805', '7d00000000', field('7a', 'ff'))],
  ['contents may be empty texts', field('0a', '0801', field('12', '0a00', '1200'))],
])('%s, as protobufjs has it', (_, text) => {
  const expected = plainOfReference(referenceGroup.decode(bytes(text)))
  expect(plainOfView(viewLogGroup(bytes(text)))).toEqual(expected)
  expect(checkLogGroup(bytes(text))).toEqual({ logCount: 1 })
})

describe('a builder', () => {
  test('knows the exact size at each step, and gives what the encoder gives', () => {
    fc.assert(
      fc.property(fc.array(anyGroup, { maxLength: 3 }), (inits) => {
        for (const init of inits) {
          const { logs, ...header } = init
          const builder = new LogGroupBuilder(header)
          for (let count = 0; count < logs.length; count++) {
            const size = builder.add(logs[count] as (typeof logs)[number])
            expect(size).toBe(encodeLogGroup({ ...init, logs: logs.slice(0, count + 1) }).length)
          }
          const whole = encodeLogGroup(init)
          expect(hex(builder.finish())).toBe(hex(whole))
          expect(builder.logCount).toBe(0)
          for (const log of viewLogGroup(whole).logs()) builder.addEncoded(log.bytes)
          expect(hex(builder.finish())).toBe(hex(whole))
        }
      }),
      { numRuns: 100 },
    )
  })

  test('is as before when a log cannot be added', () => {
    const builder = new LogGroupBuilder({ topic: 't' }, { bytesMax: 100 })
    const size = builder.add({ time: 1, contents: { a: 'b' } })
    const bad = { time: 1, contents: { a: 1 } } as unknown as LogGroupInit['logs'][number]
    expect(() => builder.add(bad)).toThrow('WIRE_UNREPRESENTABLE')
    expect(() => builder.add({ time: 1.5, contents: {} })).toThrow('WIRE_UNREPRESENTABLE')
    expect(() => builder.add({ time: 1, timeNs: 1e9, contents: {} })).toThrow('WIRE_UNREPRESENTABLE')
    expect(() => builder.add({ time: 1, contents: { a: 'x'.repeat(100) } })).toThrow('WIRE_LIMIT_EXCEEDED')
    expect(() => builder.add({ time: 1, contents: { a: 'x'.repeat(1_000_000) } })).toThrow('WIRE_LIMIT_EXCEEDED')
    expect([builder.size, builder.logCount]).toEqual([size, 1])
    expect(hex(builder.finish())).toBe(hex(encodeLogGroup({ topic: 't', logs: [{ time: 1, contents: { a: 'b' } }] })))
  })
})

test('an encoder gives groups of its own memory, whatever it encoded before', () => {
  fc.assert(
    fc.property(fc.array(anyGroup, { minLength: 2, maxLength: 4 }), (inits) => {
      const encoder = new LogGroupEncoder()
      const encoded = inits.map((init) => encoder.encode(init))
      expect(encoded.map(hex)).toEqual(inits.map((init) => hex(encodeLogGroup(init))))
    }),
    { numRuns: 50 },
  )
})

test('tags are appended behind a group, and nothing else of it changes', () => {
  const tagged = appendTags(vector, [
    ['__client_ip__', '10.0.0.1'],
    ['k', '值'],
  ])
  expect(hex(tagged).startsWith(hex(vector))).toBe(true)
  expect(viewLogGroup(tagged).tags).toEqual([
    ['host', 'h1'],
    ['__client_ip__', '10.0.0.1'],
    ['k', '值'],
  ])
})
