import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeLogGroup, LogDecoder, type PlainFields, viewLogGroup } from '../../src/wire/index.ts'

interface Decoded {
  readonly fields: PlainFields
  readonly time: number
  readonly timeNs: number | undefined
}

const decodeWith = (decoder: LogDecoder, bytes: Uint8Array): Decoded[] => {
  const logs: Decoded[] = []
  decoder.decode(viewLogGroup(bytes), (fields, time, timeNs) => logs.push({ fields, time, timeNs }))
  return logs
}

/** Names that are easily taken for one another. */
const names = ['a', 'b', 'ab', 'abc', 'abcd', 'abce', 'abcde', 'abcdeabcde', 'abcdeabcdf', 'bbcdeabcde', '0', '1', '']
const anyName = fc.constantFrom(...names, '__proto__', 'constructor', 'toString', '名字', '名字2')
const anyValue = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.uint8Array({ maxLength: 20 }),
)
const anyContents = fc.array(fc.tuple(anyName, anyValue), { maxLength: 20 })
/** Groups whose logs have the names of few kinds, in turns: what shapes are made for. */
const anyLogs = fc
  .tuple(fc.array(fc.array(anyName, { maxLength: 20 }), { minLength: 1, maxLength: 10 }), fc.infiniteStream(anyValue))
  .chain(([kinds, values]) =>
    fc.array(
      fc.oneof(
        fc.constantFrom(...kinds).map((kind) => kind.map((name) => [name, values.next().value ?? ''] as const)),
        anyContents,
      ),
      { maxLength: 30 },
    ),
  )

test('a decoder gives what the views give, whatever it decoded before', () => {
  const decoder = new LogDecoder()
  fc.assert(
    fc.property(anyLogs, (logs) => {
      const bytes = encodeLogGroup({ logs: logs.map((contents, time) => ({ time, contents })) })
      const decoded = decodeWith(decoder, bytes)
      expect(decoded.length).toBe(logs.length)
      for (const [index, { fields, time }] of decoded.entries()) {
        const expected = new Map(viewLogGroup(bytes).log(index)?.entries())
        expect(time).toBe(index)
        expect(new Map(Object.entries(fields))).toEqual(expected)
      }
    }),
    { numRuns: 300 },
  )
})

test('names in another order make another object', () => {
  const logs = [
    [
      ['x', '1'],
      ['y', '2'],
    ],
    [
      ['y', '3'],
      ['x', '4'],
    ],
    [
      ['x', '5'],
      ['y', '6'],
    ],
    [
      ['x', '7'],
      ['y', '8'],
      ['z', '9'],
    ],
    [['x', '0']],
  ] as const
  const bytes = encodeLogGroup({ logs: logs.map((contents) => ({ time: 1, contents })) })
  expect(decodeWith(new LogDecoder(), bytes).map(({ fields }) => Object.entries(fields))).toEqual(logs)
})

test('objects are independent of each other and of the buffer', () => {
  const contents = { status: '200', path: '/a/path/that/is/longer/than/a/dozen' }
  const bytes = encodeLogGroup({ logs: [1, 2, 3].map((time) => ({ time, timeNs: time, contents })) })
  const decoded = decodeWith(new LogDecoder(), bytes)
  bytes.fill(0)
  for (const { fields } of decoded) {
    expect({ ...fields }).toEqual(contents)
    fields['status'] = '500'
    fields['more'] = 'x'
  }
  expect(decoded.map(({ timeNs }) => timeNs)).toEqual([1, 2, 3])
  expect(decoded.map(({ fields }) => fields['toString'])).toEqual([undefined, undefined, undefined])
})

test('a buffer may begin and end anywhere in memory', () => {
  const logs = [
    {
      time: 1,
      contents: [
        ['k', 'é'],
        ['n', 'plain'],
        ['m', ''],
      ] as const,
    },
  ]
  const bytes = encodeLogGroup({ logs })
  for (let offset = 0; offset < 9; offset++) {
    for (const around of [0x00, 0xff]) {
      const memory = new Uint8Array(offset + bytes.length + (offset % 5)).fill(around)
      memory.set(bytes, offset)
      const [log] = decodeWith(new LogDecoder(), memory.subarray(offset, offset + bytes.length))
      expect({ ...log?.fields }).toEqual({ k: 'é', n: 'plain', m: '' })
    }
  }
})

test('a log that is none ends the decoding with a typed error; those before it were given', () => {
  const good = encodeLogGroup({ logs: [{ time: 1, contents: { a: 'b' } }] })
  const bytes = new Uint8Array([...good, 0x0a, 2, 0x12, 0])
  const seen: number[] = []
  const decode = () => new LogDecoder().decode(viewLogGroup(bytes), (_, time) => seen.push(time))
  expect(decode).toThrow('WIRE_MALFORMED')
  expect(seen).toEqual([1])
  expect(() => decodeWith(new LogDecoder(0), good)).toThrow('WIRE_LIMIT_EXCEEDED')
})
