import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { FileFormat } from '../../../../src/connectors/files/index.ts'
import { barrier, SinkBench, sentence, write } from './sink-bench.ts'

/** Text of the part that these records make. */
const written = async <T>(format: FileFormat<T>, records: readonly T[]): Promise<string> => {
  const bench = new SinkBench<T>({ format })
  const writer = await bench.writer()
  await write(writer, records)
  await bench.commit(await barrier(writer))
  return Object.values(bench.visible()).join('')
}

/** The complaint about the last record; what came before it must be whole. */
const complaint = async <T>(format: FileFormat<T>, records: readonly T[]): Promise<string> => {
  const bench = new SinkBench<T>({ format })
  const writer = await bench.writer()
  return await sentence(write(writer, records, { at: (index) => ({ split: 's7', position: `p${index}` }) }))
}

const circular: Record<string, unknown> = { name: 'x' }
circular['items'] = [{ back: circular }]

describe("format 'jsonl'", () => {
  test('writes one JSON text per line, line feeds escaped', async () => {
    expect(await written('jsonl', [{ a: 'x\ny' }, 'text', 4, null, [1, '\u2028'], 'ü😀'])).toBe(
      '{"a":"x\\ny"}\n"text"\n4\nnull\n[1,"\u2028"]\n"ü😀"\n',
    )
  })

  test('refuses what has no JSON, and names it and where it came from', async () => {
    expect(await complaint('jsonl', [{ ok: 1 }, { user: { ids: [1n] } }])).toMatchInlineSnapshot(`
      "RECORD_INVALID (step archive, subtaskIndex 0, split s7, position p1): the record has no JSON: $.user.ids[0] is a bigint
        fix: map the record to plain JSON values before the sink, or give the sink an encoder of your own"
    `)
    expect(await complaint('jsonl', [circular])).toMatchInlineSnapshot(`
      "RECORD_INVALID (step archive, subtaskIndex 0, split s7, position p0): the record has no JSON: $.items[0].back refers back to an object it is part of
        fix: map the record to plain JSON values before the sink, or give the sink an encoder of your own"
    `)
    expect(await complaint('jsonl', [undefined])).toMatchInlineSnapshot(`
      "RECORD_INVALID (step archive, subtaskIndex 0, split s7, position p0): the record has no JSON: it is undefined
        fix: map the record to plain JSON values before the sink, or give the sink an encoder of your own"
    `)
    expect(await complaint('jsonl', [() => 1])).toContain('the record has no JSON: it is a function')
    const throwing = {
      toJSON: () => {
        throw new Error('no JSON today')
      },
    }
    expect(await complaint('jsonl', [throwing])).toContain('the record has no JSON: no JSON today')
  })

  test('gives back every JSON value', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.jsonValue()), async (values) => {
        const lines = (await written<unknown>('jsonl', values)).split('\n').slice(0, -1)
        expect(lines).toEqual(values.map((value) => JSON.stringify(value)))
      }),
    )
  })
})

describe("format 'text'", () => {
  test('writes strings, bytes and lines exactly as they are', async () => {
    const invalid = new Uint8Array([0xff, 0x00, 0xfe])
    const bench = new SinkBench<unknown>({ format: 'text' })
    const writer = await bench.writer()
    await write(writer, ['ü\r', invalid, { bytes: invalid, text: 'not looked at' }, ''])
    await bench.commit(await barrier(writer))
    expect([...bench.disk.peek('out/part-1-0-0.txt')]).toEqual([
      0xc3, 0xbc, 13, 10, 0xff, 0, 0xfe, 10, 0xff, 0, 0xfe, 10, 10,
    ])
  })

  test('refuses a value that would be read back as two lines, and names it', async () => {
    expect(await complaint('text', ['fine', 'one\ntwo'])).toMatchInlineSnapshot(`
      "RECORD_INVALID (step archive, subtaskIndex 0, split s7, position p1): the value would be read back as several lines: a line feed follows "one" (7 long)
        fix: write it with format 'jsonl', or accept it with format: { text: { allowNewlines: true } }"
    `)
    expect(await complaint('text', [new TextEncoder().encode('one\n')])).toContain('a line feed follows "one"')
    expect(await written({ text: { allowNewlines: true } }, ['one\ntwo'])).toBe('one\ntwo\n')
    expect(await complaint({ text: {} }, ['one\ntwo'])).toContain('several lines')
  })

  test('refuses what is not text, and names it', async () => {
    expect(await complaint<unknown>('text', [{ user: 1, host: 2 }])).toMatchInlineSnapshot(`
      "RECORD_INVALID (step archive, subtaskIndex 0, split s7, position p0): format 'text' takes strings, bytes and objects with 'bytes', not an object with user, host
        fix: map the record to a string before the sink, or use format 'jsonl'"
    `)
    for (const [record, name] of [
      [7, 'a number'],
      [null, 'null'],
      [undefined, 'undefined'],
      [[], 'a list'],
      [{}, 'an empty object'],
      [{ bytes: 'text' }, 'an object with bytes'],
    ] as const) {
      expect(await complaint<unknown>('text', [record])).toContain(`, not ${name}\n`)
    }
  })
})

/** An RFC 4180 reader of our own: the oracle. */
const parseCsv = (text: string): string[][] => {
  const rows: string[][] = [[]]
  let field = ''
  let inQuotes = false
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    if (inQuotes) {
      if (char !== '"') field += char
      else if (text[at + 1] === '"') field += text[++at]
      else inQuotes = false
    } else if (char === '"') inQuotes = true
    else if (char === ',' || char === '\n') {
      rows.at(-1)?.push(field)
      field = ''
      if (char === '\n') rows.push([])
    } else field += char
  }
  return rows.slice(0, -1)
}

describe('format csv', () => {
  interface Row {
    readonly a?: unknown
    readonly b: unknown
  }
  const ab: FileFormat<Row> = { csv: { columns: ['a', ['b, again', (row) => row.b]] } }

  test('writes a header line in every part and quotes as RFC 4180 says', async () => {
    const bench = new SinkBench<Row>({ format: ab, roll: { size: 30 } })
    const writer = await bench.writer()
    await write(writer, [
      { a: 'x', b: 'say "hi", please' },
      { a: 'two\r\nlines', b: '=1+1' },
    ])
    await bench.commit(await barrier(writer))
    expect(Object.values(bench.visible())).toEqual([
      'a,"b, again"\nx,"say ""hi"", please"\n',
      'a,"b, again"\n"two\r\nlines",=1+1\n',
    ])
  })

  test('writes numbers, bigints, dates, objects, and nothing for what is missing', async () => {
    const date = new Date(0)
    expect(
      await written(ab, [{ a: 1.5, b: 2n ** 70n }, { b: true }, { a: null, b: date }, { a: { x: 1 }, b: [1] }]),
    ).toBe('a,"b, again"\n1.5,1180591620717411303424\n,true\n,1970-01-01T00:00:00.000Z\n"{""x"":1}",[1]\n')
  })

  test('keeps a row whose only field is empty from being a blank line', async () => {
    expect(await written<{ a: string }>({ csv: { columns: ['a'] } }, [{ a: '' }, { a: 'x' }])).toBe('a\n""\nx\n')
  })

  test('refuses values that have no text, and records that are not objects, and names them', async () => {
    expect(await complaint(ab, [{ a: Symbol('s'), b: 1 }])).toMatchInlineSnapshot(`
      "RECORD_INVALID (step archive, subtaskIndex 0, split s7, position p0): column 'a' cannot be written: it is a symbol
        fix: give the column a function that returns text: [name, (record) => ...]"
    `)
    expect(await complaint(ab, [{ a: { n: 1n }, b: 1 }])).toContain("column 'a' cannot be written: Do not know how")
    expect(await complaint<unknown>(ab as FileFormat<unknown>, ['text'])).toMatchInlineSnapshot(`
      "RECORD_INVALID (step archive, subtaskIndex 0, split s7, position p0): columns given by name need objects, not a string
        fix: map the record to an object with the columns as properties"
    `)
  })

  test('takes any record when every column is a function', async () => {
    const format: FileFormat<string> = { csv: { columns: [['upper', (text) => text.toUpperCase()]] } }
    expect(await written(format, ['a'])).toBe('upper\nA\n')
  })

  test('gives back every text, whatever is in it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.string(), fc.string()), { minLength: 1 }), async (rows) => {
        const text = await written<readonly [string, string]>(
          {
            csv: {
              columns: [
                ['x', (row) => row[0]],
                ['y', (row) => row[1]],
              ],
            },
          },
          rows,
        )
        expect(parseCsv(text)).toEqual([['x', 'y'], ...rows])
      }),
    )
  })
})

describe('an encoder of your own', () => {
  test('gives text and bytes in as many pieces as it likes', async () => {
    const format: FileFormat<number> = {
      extension: 'frames',
      encode: (record, append) => {
        append('<')
        append(new Uint8Array([48 + record]))
        append('>')
      },
    }
    const bench = new SinkBench<number>({ format, compression: 'gzip' })
    const writer = await bench.writer()
    await write(writer, [1, 2])
    expect(await barrier(writer)).toMatchObject([{ final: 'part-1-0-0.frames.gz', records: 2 }])
    expect(await written(format, [1, 2])).toBe('<1><2>')
  })

  test('that writes nothing for any record makes no part', async () => {
    const bench = new SinkBench<number>({ format: { encode: () => {} } })
    const writer = await bench.writer()
    await write(writer, [1, 2])
    expect(await barrier(writer)).toEqual([])
  })

  test('that throws half-way leaves nothing of its record, and restarts the job', async () => {
    const format: FileFormat<number> = {
      encode: (record, append) => {
        append(`${record}`)
        if (record === 2) throw new Error('two is not possible')
        append('\n')
      },
    }
    expect(await complaint(format, [1, 2])).toMatchInlineSnapshot(`
      "STEP_FAILED (step archive, subtaskIndex 0, split s7, position p1): the sink's encode threw: two is not possible
        fix: see the cause"
    `)
  })

  test('that is asynchronous or gives something else is refused', async () => {
    expect(await complaint({ encode: async () => {} }, [1])).toMatchInlineSnapshot(`
      "STEP_MISUSED: the sink's encode returned a promise
        fix: call append with text or bytes, before encode returns"
    `)
    const wrong: FileFormat<number> = { encode: (record, append) => append(record as unknown as string) }
    expect(await complaint(wrong, [1])).toContain("the sink's encode called append with a value of type number")
    let late: ((piece: string) => void) | undefined
    const keeps: FileFormat<number> = {
      encode: (_, append) => {
        late = append
      },
    }
    await written(keeps, [1])
    expect(() => late?.('later')).toThrow('called append after it had returned')
  })
})
