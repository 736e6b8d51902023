/** Files: lines of files as a source, and parts of files as an exactly-once sink. Imports source, sink and core. */
export { type FileSinkOptions, fileSink, type RollOptions } from './file-sink.ts'
export type { FilesSourceOptions } from './file-source-options.ts'
export { filesSource } from './files-source.ts'
export type { FileFormat } from './format-choice.ts'
export type { CsvColumn, CsvOptions } from './format-csv.ts'
export type { CustomFormat } from './format-custom.ts'
export type { TextOptions } from './format-text.ts'
export { Line } from './line.ts'
