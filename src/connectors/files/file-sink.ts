import {
  type ByteSize,
  booleanField,
  byteSizeField,
  checkedField,
  checkOptions,
  type Duration,
  durationField,
  functionField,
  integerField,
  nestedField,
  type OptionField,
  type OptionFieldsOf,
  oneOfField,
  optional,
  parseByteSize,
  parseDuration,
  required,
} from '../../core/index.ts'
import { openSink, type Sink } from '../../sink/index.ts'
import { FileSinkCommitter } from './file-sink-committer.ts'
import type { FileSinkPlan } from './file-sink-plan.ts'
import { FileSinkWriter } from './file-sink-writer.ts'
import { type FileFormat, recordFormat } from './format-choice.ts'
import type { CsvOptions } from './format-csv.ts'
import type { CustomFormat } from './format-custom.ts'
import type { TextOptions } from './format-text.ts'
import { defaultPrefix, partNames, prefixPattern } from './part-name.ts'
import { partReceiptSerializer } from './part-receipt.ts'

/** Upper bounds of a part. Every checkpoint closes the open parts whatever their size and age. */
export interface RollOptions {
  /**
   * No record joins a part that would grow beyond this; a record larger than it gets a part of its own. Encoded bytes,
   * before compression. Default `'128MiB'`, 1 B to 1 TiB.
   */
  readonly size?: ByteSize | undefined
  /** No record joins a part whose first record is this old. Default none, from 1 ms. */
  readonly every?: Duration | undefined
}

export interface FileSinkOptions<T> {
  /**
   * Where the parts go; made with its parents when the job starts. One job per directory and prefix: a job removes
   * what earlier attempts left, and cannot tell another job's staged files from its own.
   */
  readonly dir: string
  /** How records become bytes. Default `'jsonl'`. */
  readonly format?: FileFormat<T> | undefined
  readonly roll?: RollOptions | undefined
  /**
   * The directory below `dir` for a record, such as `level=error/host=a`: plain names joined by `/`, each up to 255 bytes,
   * 1024 together, none hidden. Any other value fails the job. Default: everything in `dir` itself.
   */
  readonly partition?: ((record: T) => string) | undefined
  /** `'gzip'` adds `.gz` to the names. Default `'none'`. */
  readonly compression?: 'none' | 'gzip' | undefined
  /** What the names of committed parts begin with: letters, digits, `_` and `-`, at most 64. Default `'part'`. */
  readonly prefix?: string | undefined
  /** Encoded bytes a part collects before they go to its file. Default `'256KiB'`, 1 B to 8 MiB. */
  readonly buffer?: ByteSize | undefined
  /**
   * Partitions one subtask writes at the same time. When one more is needed, the least recently used one is closed, and
   * its next record opens another part. Default 64, 1 to 4096.
   */
  readonly openPartsMax?: number | undefined
}

/**
 * Files of records in a directory, exactly once. Records go to hidden files `.ip-<generation>-<subtask>-<number>.<ext>`,
 * which are durable before the checkpoint that names them and become `part-<generation>-<subtask>-<number>.<ext>` after it:
 * whoever reads `part-*` sees whole files that never change, with every record once.
 *
 * A full disk holds the job until there is space. Nothing that exists is ever replaced.
 *
 * @throws OptionsError `OPTIONS_INVALID` naming every problem at once.
 */
export const fileSink = <T>(options: FileSinkOptions<T>): Sink<T, 'exactly-once'> => {
  const plan = planOf(options)
  return {
    kind: 'files',
    guarantee: 'exactly-once',
    guaranteeReason: 'parts are staged under hidden names before a checkpoint and get their names after it',
    open: (context) => {
      const { prefix, extension, dir } = plan
      const names = partNames({ prefix, extension, generation: context.generation })
      return openSink({
        committableSerializer: partReceiptSerializer,
        async createWriter(writer) {
          const created = new FileSinkWriter({ plan, names, sink: context, writer })
          await created.start()
          return created
        },
        async createCommitter() {
          return new FileSinkCommitter({
            fs: context.fs,
            log: context.log.child({ step: context.step }),
            dir,
            names,
            generation: context.generation,
            partitioned: plan.partition !== undefined,
          })
        },
      })
    },
  }
}

const planOf = <T>(options: FileSinkOptions<T>): FileSinkPlan<T> => {
  checkOptions('fileSink', optionFields(options), options)
  const format = recordFormat<T>(options.format ?? 'jsonl')
  const compressed = options.compression === 'gzip'
  return Object.freeze({
    dir: options.dir.replace(/(?<=.)\/+$/, ''),
    format,
    partition: options.partition,
    compressed,
    prefix: options.prefix ?? defaultPrefix,
    extension: compressed ? `${format.extension}.gz` : format.extension,
    rollBytes: parseByteSize(options.roll?.size ?? '128MiB'),
    rollEveryMs: options.roll?.every === undefined ? undefined : parseDuration(options.roll.every),
    bufferBytes: parseByteSize(options.buffer ?? '256KiB'),
    openPartsMax: options.openPartsMax ?? 64,
  })
}

/** The fields depend on the value, so that a mistake inside a format is named by its own path. */
const optionFields = (value: unknown): OptionFieldsOf<FileSinkOptions<unknown>> => ({
  dir: required(checkedField('a path', (dir) => typeof dir === 'string' && dir !== '' && !dir.includes('\0'))),
  format: optional(formatField(isObject(value) ? value['format'] : undefined)),
  roll: optional(
    nestedField<RollOptions>({
      size: optional(byteSizeField({ min: 1 })),
      every: optional(durationField({ minMs: 1 })),
    }),
  ),
  partition: optional(functionField('a function from a record to a relative path')),
  compression: optional(oneOfField('none', 'gzip')),
  prefix: optional(
    checkedField(
      "up to 64 letters, digits, '_' and '-', not beginning with '-'",
      (prefix) => typeof prefix === 'string' && prefixPattern.test(prefix),
    ),
  ),
  buffer: optional(byteSizeField({ min: 1, max: 8 << 20 })),
  openPartsMax: optional(integerField(1, 4096)),
})

const formatField = (value: unknown): OptionField => {
  if (isObject(value)) {
    if ('text' in value) return nestedField<{ text: TextOptions }>({ text: required(nestedField(textFields)) })
    if ('csv' in value) return nestedField<{ csv: CsvOptions<unknown> }>({ csv: required(nestedField(csvFields)) })
    if ('encode' in value || 'extension' in value) return nestedField(customFields)
  }
  return checkedField(
    "'jsonl', 'text', { text: { allowNewlines } }, { csv: { columns } } or { encode }",
    (format) => format === 'jsonl' || format === 'text',
  )
}

const textFields: OptionFieldsOf<TextOptions> = { allowNewlines: optional(booleanField()) }

const csvFields: OptionFieldsOf<CsvOptions<unknown>> = {
  columns: required(
    checkedField('a list of at least one column, each a name or [name, function], no name twice', (columns) => {
      if (!Array.isArray(columns) || columns.length === 0) return false
      const names = columns.map(columnName)
      return !names.includes(undefined) && new Set(names).size === names.length
    }),
  ),
}

const columnName = (column: unknown): string | undefined => {
  const pair: readonly unknown[] = Array.isArray(column) ? column : [column]
  const [name, get] = pair
  if (typeof name !== 'string' || name === '') return undefined
  return !Array.isArray(column) || (pair.length === 2 && typeof get === 'function') ? name : undefined
}

const customFields: OptionFieldsOf<CustomFormat<unknown>> = {
  extension: optional(
    checkedField(
      "up to 32 letters, digits and inner dots, such as 'avro'",
      (value) => typeof value === 'string' && value.length <= 32 && /^[A-Za-z0-9]+(\.[A-Za-z0-9]+)*$/.test(value),
    ),
  ),
  encode: required(functionField('a function (record, append) => void')),
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
