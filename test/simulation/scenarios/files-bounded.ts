import { fileSink, filesSource } from '../../../src/connectors/files/index.ts'
import { job } from '../../../src/job/index.ts'
import { syncCompression } from '../../../src/testing/sync-compression.ts'
import { type BaseConfig, defineScenario, smallestBase } from '../play.ts'
import { lineOf } from '../sharded-log.ts'
import { countKeys, countsTruth } from './counts.ts'

export interface FilesBoundedConfig extends BaseConfig {
  readonly files: number
  readonly gzipRate: number
  readonly readBytes: number
  readonly lastNewlineRate: number
}

interface InputLine {
  readonly line: string
  readonly key: string
  readonly path: string
  /** Where it starts, in the decompressed bytes. */
  readonly offset: number
  readonly index: number
}

/** Files read to their end, some of them compressed: the process ends by itself, whatever happens on the way. */
export const filesBounded = defineScenario<FilesBoundedConfig>({
  name: 'files-bounded',
  required: ['gzip files'],
  draw: (random, base) => ({
    ...base,
    files: 1 + random.int(6),
    gzipRate: random.pick([0, 0.3]),
    readBytes: random.pick([7, 64, 262_144]),
    lastNewlineRate: 0.7,
  }),
  smallest: { ...smallestBase, files: 2, gzipRate: 0.5, readBytes: 64, lastNewlineRate: 0.5 },
  open: (config, { world, random, count }) => {
    const { disk } = world.host()
    const byLine = new Map<string, InputLine>()
    const byFile = new Map<string, InputLine[]>()
    const write = (file: number): void => {
      const gzip = random.bool(config.gzipRate)
      const path = `in/f${file}.log${gzip ? '.gz' : ''}`
      const lines: InputLine[] = []
      let text = ''
      for (let left = 1 + random.int(Math.ceil((2 * config.records) / config.files)); left > 0; left--) {
        const index = lines.length
        const key = `k${random.int(config.keys)}`
        const line = lineOf({ id: `f${file}.${index}`, key, shard: file, index })
        lines.push({ line, key, path, offset: text.length, index })
        text += `${line}${random.bool(0.2) ? '\r\n' : '\n'}`
      }
      if (!random.bool(config.lastNewlineRate)) text = text.replace(/\r?\n$/, '')
      for (const line of lines) byLine.set(line.line, line)
      byFile.set(path, lines)
      if (gzip) count('gzip files')
      const bytes = new TextEncoder().encode(text)
      disk.put(path, gzip ? syncCompression.gzip(bytes) : bytes)
    }
    return {
      written: () => true,
      endsByItself: true,
      start: () => {
        for (let file = 0; file < config.files; file++) write(file)
      },
      compose: (life) =>
        job('sim', life.options, (flow) => {
          const lines = flow.from('in', filesSource({ paths: 'in', readBytes: config.readBytes }))
          lines
            .map((line) => line.text)
            .to('archive', fileSink({ dir: 'out/archive', format: 'text', roll: { size: config.rollBytes } }))
          countKeys(lines.keyBy((line) => line.text.split('|')[1] ?? '')).to(
            'counts',
            fileSink({ dir: 'out/counts', format: 'text' }),
          )
        }),
      outputs: [
        {
          dir: 'out/archive',
          sink: 'archive',
          known: (line) => {
            const known = byLine.get(line)
            return known === undefined ? undefined : { stream: known.path, index: known.index }
          },
          expected: () => byLine.size,
        },
        countsTruth(() => byLine.values()),
      ],
      state: {
        source: 'in',
        keyed: 'count',
        countsAt: (splits, enumerator) => {
          const counts = new Map<string, number>()
          if (enumerator === undefined) return counts
          const { unassigned } = enumerator as { readonly unassigned: readonly { readonly path: string }[] }
          const upTo = new Map<string, number>(unassigned.map(({ path }) => [path, 0]))
          for (const { path, position } of splits as { readonly path: string; readonly position: number }[]) {
            if (upTo.has(path)) return `${path} is in it twice`
            upTo.set(path, position)
          }
          // A file that is nowhere was read to its end, and a checkpoint before knew it.
          for (const { path, key, offset } of byLine.values()) {
            if (offset < (upTo.get(path) ?? Number.POSITIVE_INFINITY)) counts.set(key, (counts.get(key) ?? 0) + 1)
          }
          return counts
        },
      },
    }
  },
})
