import { describe, test } from 'vitest'
import { filesSource, type Line } from '../../src/connectors/files/index.ts'
import { type JobBench, type SourceSystem, sourceConformance } from '../../src/testing/index.ts'

/** Every split is a file. */
const files = (bench: JobBench): SourceSystem => {
  const { disk } = bench
  disk.makeDirectories('in')
  let count = 0
  return {
    addSplit: () => {
      const path = `in/${String.fromCharCode(97 + count++)}.log`
      // Two files of the same content are told apart by their ids only.
      disk.put(path, '', { durable: true })
      return path
    },
    write: (path, records) => {
      disk.put(path, records.map((record) => `${record}\n`).join(''), { durable: true })
    },
    source: (mode, start) =>
      mode === 'bounded'
        ? filesSource({ paths: 'in', allowEmpty: true, readBytes: 256 })
        : filesSource({ paths: 'in', mode: 'tail', start, pollInterval: 20, discoveryInterval: 50, readBytes: 256 }),
    textOf: (record) => (record as Line).text,
  }
}

describe('filesSource', () => {
  for (const check of sourceConformance(files)) test(check.name, check.run)
})
