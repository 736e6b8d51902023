import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { type FileSinkOptions, fileSink } from '../../../../src/connectors/files/index.ts'
import { barrier, commitWith, SinkBench, sentence, write } from './sink-bench.ts'

const mistake = (options: unknown): string => {
  try {
    fileSink(options as FileSinkOptions<unknown>)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  return 'no error'
}

describe('fileSink: its options', () => {
  test('are all optional but the directory', () => {
    const sink = fileSink({ dir: 'out' })
    expect(sink.kind).toBe('files')
    expect(sink.guarantee).toBe('exactly-once')
    expect(sink.guaranteeReason).not.toBe('')
  })

  test('are checked when the sink is made, every problem at once, with suggestions', () => {
    expect(
      mistake({ direct: 'out', format: 'json', compresion: 'gzip', roll: { size: '0B', evry: '5s' }, prefix: '-x' }),
    ).toMatchInlineSnapshot(`
      "OPTIONS_INVALID: fileSink: unknown option 'direct'; unknown option 'compresion'; did you mean 'compression'?; 'dir' is missing; it must be a path; 'format' must be 'jsonl', 'text', { text: { allowNewlines } }, { csv: { columns } } or { encode }, got "json"; unknown option 'roll.evry'; did you mean 'roll.every'?; 'roll.size' must be a size from 1 to 1099511627776 bytes, such as '64KiB' or 65536, got "0B"; 'prefix' must be up to 64 letters, digits, '_' and '-', not beginning with '-', got "-x"
        fix: correct the options named in the message"
    `)
    expect(mistake({ dir: '', partition: 'level', buffer: '9MiB', openPartsMax: 0 })).toMatchInlineSnapshot(`
      "OPTIONS_INVALID: fileSink: 'dir' must be a path, got ""; 'partition' must be a function from a record to a relative path, got "level"; 'buffer' must be a size from 1 to 8388608 bytes, such as '64KiB' or 65536, got "9MiB"; 'openPartsMax' must be an integer from 1 to 4096, got 0
        fix: correct the options named in the message"
    `)
    expect(mistake(undefined)).toMatchInlineSnapshot(`
      "OPTIONS_INVALID: fileSink: the options must be an object, got undefined
        fix: correct the options named in the message"
    `)
  })

  test('name the mistake inside a format by its path', () => {
    const format = (value: unknown): string => mistake({ dir: 'out', format: value }).split('\n')[0] ?? ''
    expect(format({ text: { allowNewLines: true } })).toMatchInlineSnapshot(
      `"OPTIONS_INVALID: fileSink: unknown option 'format.text.allowNewLines'; did you mean 'format.text.allowNewlines'?"`,
    )
    expect(format({ csv: { colums: ['a'] } })).toMatchInlineSnapshot(
      `"OPTIONS_INVALID: fileSink: unknown option 'format.csv.colums'; did you mean 'format.csv.columns'?; 'format.csv.columns' is missing; it must be a list of at least one column, each a name or [name, function], no name twice"`,
    )
    expect(format({ csv: { columns: ['a', 'a'] } })).toMatchInlineSnapshot(
      `"OPTIONS_INVALID: fileSink: 'format.csv.columns' must be a list of at least one column, each a name or [name, function], no name twice, got a list"`,
    )
    expect(format({ csv: { columns: [] } })).toMatchInlineSnapshot(
      `"OPTIONS_INVALID: fileSink: 'format.csv.columns' must be a list of at least one column, each a name or [name, function], no name twice, got a list"`,
    )
    expect(format({ csv: { columns: [['a', 'b']] } })).toMatchInlineSnapshot(
      `"OPTIONS_INVALID: fileSink: 'format.csv.columns' must be a list of at least one column, each a name or [name, function], no name twice, got a list"`,
    )
    expect(format({ extension: '../x', encode: () => {} })).toMatchInlineSnapshot(
      `"OPTIONS_INVALID: fileSink: 'format.extension' must be up to 32 letters, digits and inner dots, such as 'avro', got "../x""`,
    )
    expect(format({ extension: 'x' })).toMatchInlineSnapshot(
      `"OPTIONS_INVALID: fileSink: 'format.encode' is missing; it must be a function (record, append) => void"`,
    )
    expect(format({})).toMatchInlineSnapshot(
      `"OPTIONS_INVALID: fileSink: 'format' must be 'jsonl', 'text', { text: { allowNewlines } }, { csv: { columns } } or { encode }, got an object"`,
    )
  })

  test('may be changed by their owner afterwards without effect', async () => {
    const columns: ('a' | 'b')[] = ['a']
    const options = { dir: 'out', format: { csv: { columns } } }
    const bench = new SinkBench<{ a: number; b: number }>(options)
    columns.push('b')
    options.dir = 'elsewhere'
    const writer = await bench.writer()
    await write(writer, [{ a: 1, b: 2 }])
    await bench.commit(await barrier(writer))
    expect(Object.values(bench.visible())).toEqual(['a\n1\n'])
  })
})

describe('fileSink: writing', () => {
  test('opens nothing until the job runs', () => {
    const bench = new SinkBench({})
    bench.open()
    expect(bench.disk.files('')).toEqual([])
  })

  test('shows records only after the commit, each once, in whole lines', async () => {
    const bench = new SinkBench<{ n: number }>({})
    const writer = await bench.writer()
    await write(writer, [{ n: 1 }, { n: 2 }])
    await write(writer, [{ n: 3 }])
    const receipts = await barrier(writer)
    expect(receipts).toEqual([{ staged: '.ip-1-0-0.jsonl', final: 'part-1-0-0.jsonl', bytes: 24, records: 3 }])
    expect(bench.visible()).toEqual({})
    expect(await bench.commit(receipts)).toEqual(['committed'])
    expect(bench.visible()).toEqual({ 'part-1-0-0.jsonl': '{"n":1}\n{"n":2}\n{"n":3}\n' })
    expect(bench.hidden()).toEqual([])
  })

  test('makes the directory with its parents at the start, and leaves nothing else there', async () => {
    const bench = new SinkBench({ dir: 'out/deep/down/' })
    await bench.writer()
    expect(await bench.disk.list('out/deep/down')).toEqual([])
  })

  test('conf KB-15: an epoch without records gives no receipt, and committing none is fine', async () => {
    const bench = new SinkBench({})
    const writer = await bench.writer()
    expect(await barrier(writer, 1)).toEqual([])
    expect(await barrier(writer, 2)).toEqual([])
    await write(writer, [])
    expect(await barrier(writer, 3)).toEqual([])
    expect(await bench.commit([])).toEqual([])
    expect(bench.disk.files('out')).toEqual([])
  })

  test('closes the part at every barrier, and starts another with the next record', async () => {
    const bench = new SinkBench<number>({})
    const writer = await bench.writer(4, 2)
    await write(writer, [1])
    const first = await barrier(writer, 1)
    await write(writer, [2])
    const second = await barrier(writer, 2)
    expect([...first, ...second].map((receipt) => receipt.final)).toEqual(['part-4-2-0.jsonl', 'part-4-2-1.jsonl'])
    expect(bench.disk.handles).toBe(0)
  })

  test('receipts of a checkpoint that was given up are not handed out again: the runtime keeps them', async () => {
    const bench = new SinkBench<number>({})
    const writer = await bench.writer()
    await write(writer, [1])
    const first = await barrier(writer, 1)
    const second = await barrier(writer, 2)
    expect(second).toEqual([])
    expect(await bench.commit(first)).toEqual(['committed'])
  })

  test('roll.size is an upper bound; a larger record gets a part of its own', async () => {
    const bench = new SinkBench<string>({ format: 'text', roll: { size: 8 } })
    const writer = await bench.writer()
    await write(writer, ['aa', 'bb', 'cc', 'a long one indeed', 'dd', '123', '4567'])
    await bench.commit(await barrier(writer))
    expect(Object.values(bench.visible())).toEqual(['aa\nbb\n', 'cc\n', 'a long one indeed\n', 'dd\n123\n', '4567\n'])
  })

  test('roll.every is an upper bound on the age of a part that still takes records', async () => {
    const bench = new SinkBench<number>({ roll: { every: '10s' } })
    const writer = await bench.writer()
    await write(writer, [1])
    bench.clock.now += 9_999
    await write(writer, [2])
    bench.clock.now += 1
    await write(writer, [3])
    await bench.commit(await barrier(writer))
    expect(Object.values(bench.visible())).toEqual(['1\n2\n', '3\n'])
  })

  test('returns at once while there is room in the buffer, and writes large pieces when there is not', async () => {
    const bench = new SinkBench<string>({ format: 'text', buffer: '64KiB' })
    const appended: number[] = []
    const writer = await bench.writer()
    let before = 0
    bench.disk.after = ({ operation, path }) => {
      if (operation !== 'append') return
      appended.push(bench.disk.peek(path).length - before)
      before = bench.disk.peek(path).length
    }
    const batch = { kind: 'batch' as const, records: Array.from({ length: 100 }, () => 'x'.repeat(99)), bytes: 10_000 }
    let waits = 0
    for (let index = 0; index < 100; index++) {
      const room = writer.write(batch)
      if (room !== undefined) waits += 1
      await room
    }
    await barrier(writer)
    expect(waits).toBeLessThan(17)
    expect(appended.slice(0, -1).every((bytes) => bytes >= 64 * 1024 && bytes <= 1 << 20)).toBe(true)
    expect(before).toBe(1_000_000)
  })

  test('a batch much larger than the buffer goes out in pieces of at most 1 MiB', async () => {
    const bench = new SinkBench<string>({ format: 'text', buffer: '8MiB' })
    const writer = await bench.writer()
    const sizes: number[] = []
    let before = 0
    bench.disk.after = ({ operation, path }) => {
      if (operation !== 'append') return
      sizes.push(bench.disk.peek(path).length - before)
      before = bench.disk.peek(path).length
    }
    await write(writer, ['y'.repeat(5 << 20)])
    await barrier(writer)
    expect(Math.max(...sizes)).toBe(1 << 20)
    expect(before).toBe((5 << 20) + 1)
  })

  test('gzip: a part is a valid file of members, whatever was flushed when', async () => {
    const bench = new SinkBench<string>({ format: 'text', compression: 'gzip', buffer: 10 })
    const writer = await bench.writer()
    for (const word of ['one', 'two', 'three', 'four', 'five', 'six', 'seven']) await write(writer, [word])
    const receipts = await barrier(writer)
    await bench.commit(receipts)
    expect(receipts[0]?.final).toBe('part-1-0-0.txt.gz')
    expect(gunzipSync(bench.disk.peek('out/part-1-0-0.txt.gz')).toString()).toBe(
      'one\ntwo\nthree\nfour\nfive\nsix\nseven\n',
    )
  })

  test('a prefix names committed and staged parts', async () => {
    const bench = new SinkBench<number>({ prefix: 'access' })
    const writer = await bench.writer(3)
    await write(writer, [1])
    expect(await barrier(writer)).toMatchObject([{ staged: '.ip-access-3-0-0.jsonl', final: 'access-3-0-0.jsonl' }])
  })

  test('numbers start behind what a job with lost checkpoints left under the same generation, and it says so', async () => {
    const bench = new SinkBench<string>({ format: 'text' })
    await bench.disk.mkdir('out')
    bench.disk.put('out/part-1-0-0.txt', 'old\n')
    bench.disk.put('out/part-1-0-11.txt', 'old\n')
    bench.disk.put('out/part-1-1-99.txt', 'other subtask\n')
    bench.disk.put('out/.ip-1-0-12.txt', 'somebody still writes this\n')
    const writer = await bench.writer()
    await write(writer, ['new'])
    const receipts = await barrier(writer)
    expect(receipts).toMatchObject([{ final: 'part-1-0-13.txt' }])
    expect(await bench.commit(receipts)).toEqual(['committed'])
    expect(bench.lines).toEqual(['warn a part of this generation exists already; another number is taken'])
  })

  test('a final name that appears between two parts is left alone: the part takes another number', async () => {
    const bench = new SinkBench<string>({ format: 'text' })
    const writer = await bench.writer()
    bench.disk.put('out/part-1-0-0.txt', 'a stranger\n')
    await write(writer, ['mine'])
    await bench.commit(await barrier(writer))
    expect(bench.visible()).toEqual({ 'part-1-0-0.txt': 'a stranger\n', 'part-1-0-1.txt': 'mine\n' })
    expect(bench.hidden()).toEqual([])
  })

  test('close gives every file handle back, may be called twice, and leaves staged files to abortOrphans', async () => {
    const bench = new SinkBench<string>({ format: 'text', partition: (line) => line, buffer: 1 })
    const writer = await bench.writer()
    await write(writer, ['a', 'b', 'c'])
    expect(bench.disk.handles).toBe(3)
    await writer.close()
    await writer.close()
    expect(bench.disk.handles).toBe(0)
    expect(bench.hidden()).toHaveLength(3)
    expect(await sentence(write(writer, ['d']))).toContain('the writer is closed')
  })

  test('writes nothing durable late: files and their directories are synced before receipts exist', async () => {
    const bench = new SinkBench<string>({ format: 'text', partition: (line) => `p=${line}` })
    const writer = await bench.writer()
    await write(writer, ['a', 'b'])
    const receipts = await barrier(writer)
    bench.disk.losePower()
    expect(await bench.commit(receipts)).toEqual(['committed', 'committed'])
    bench.disk.losePower()
    expect(bench.visible()).toEqual({ 'p=a/part-1-0-0.txt': 'a\n', 'p=b/part-1-0-1.txt': 'b\n' })
  })

  test('a directory whose name another attempt made but did not live to sync is durable all the same', async () => {
    const bench = new SinkBench<string>({ format: 'text', partition: () => 'p=1/q=2' })
    await bench.disk.mkdir('out')
    await bench.disk.mkdir('out/p=1')
    await bench.disk.mkdir('out/p=1/q=2')
    const writer = await bench.writer()
    await write(writer, ['a'])
    const receipts = await barrier(writer)
    bench.disk.losePower()
    expect(await bench.commit(receipts)).toEqual(['committed'])
  })

  test('many committers of one attempt and of the next agree', async () => {
    const bench = new SinkBench<number>({})
    const writer = await bench.writer()
    await write(writer, [1])
    const receipts = await barrier(writer)
    const committer = await bench.committer()
    expect(await commitWith(committer, receipts)).toEqual(['committed'])
    expect(await commitWith(committer, receipts)).toEqual(['already committed'])
    expect(await bench.commit(receipts, 2)).toEqual(['already committed'])
    await committer.close()
    await committer.close()
  })
})
