import { expect, test } from 'vitest'
import { sourceFilesIn } from './source-tree.ts'

/** The two files where such projects rot are kept small on purpose: a decision in them belongs into a pure file. */
const limits: Readonly<Record<string, number>> = { 'runtime/job-runner.ts': 300, 'runtime/subtask.ts': 300 }
const anyFile = 500

test('files of src are short enough to read in one sitting', () => {
  const tooLong = sourceFilesIn('src').flatMap(({ path, text }) => {
    const lines = text.trimEnd().split('\n').length
    const limit = limits[path] ?? anyFile
    return lines > limit ? [`${path} has ${lines} lines; the limit is ${limit}`] : []
  })
  expect(tooLong).toEqual([])
})

test('the files with a limit of their own exist', () => {
  const paths = sourceFilesIn('src').map(({ path }) => path)
  expect(Object.keys(limits).filter((path) => !paths.includes(path))).toEqual([])
})
