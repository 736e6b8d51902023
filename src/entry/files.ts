/** Files: lines of files as a source, and parts of files as an exactly-once sink. */
export {
  type CsvColumn,
  type CsvOptions,
  type CustomFormat,
  type FileFormat,
  type FileSinkOptions,
  type FilesSourceOptions,
  fileSink,
  filesSource,
  Line,
  type RollOptions,
  type TextOptions,
} from '../connectors/files/index.ts'
